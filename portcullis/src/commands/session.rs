//! `portcullis session`: the session interface from a shell.

use identity_proto::session::v1::create_session_request::Begun;
use identity_proto::session::v1::revoke_session_request::Session as Named;
use identity_proto::session::v1::validate_session_response::Reason;
use identity_proto::session::v1::{
    CreateSessionRequest, ListSessionsRequest, RevokeSessionRequest, ValidateSessionRequest, ValidateSessionResponse,
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{or_never, resolve, rfc3339};
use crate::cli::{self, UserOfTenant};
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Validity {
    valid: bool,
    user_id: Option<String>,
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    user_id: String,
    created_at: Option<String>,
    expires_at: Option<String>,
}

pub(super) async fn run(command: cli::Session, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Session::Create { login, user } => create(system, output, login, user).await,
        cli::Session::Validate { token } => validate(system, output, token).await,
        cli::Session::List(named) => list(system, output, &named).await,
        cli::Session::Revoke { token } => revoke(system, output, token).await,
    }
}

async fn create(system: &System, output: Output, login: String, user: String) -> Result<(), Failure> {
    let mut request = CreateSessionRequest {
        begun: Some(Begun::LoginToken(login)),
        ..CreateSessionRequest::default()
    };
    match Uuid::try_parse(&user) {
        Ok(id) => request.user_id = id.to_string(),
        Err(_) => request.user_name = user,
    }
    let created = system.sessions().create_session(request).await?.into_inner();
    output.answer(
        &json!({ "session_token": &created.session_token }),
        &created.session_token,
    )?;
    let expires = rfc3339(created.session.and_then(|session| session.expire_time));
    output.next(&format!(
        "logged in until {} at the latest; next: session validate TOKEN",
        or_never(expires.as_ref())
    ));
    Ok(())
}

/// A dead session is an answer, and a refusal too.
async fn validate(system: &System, output: Output, session_token: String) -> Result<(), Failure> {
    let request = ValidateSessionRequest { session_token };
    let answer = system.sessions().validate_session(request).await?.into_inner();
    let validity = Validity::from(&answer);
    let text = match validity.reason {
        None => format!("valid  user {}", answer.user_id),
        Some(reason) => format!("not valid  {reason}"),
    };
    output.answer(&validity, &text)?;
    if answer.valid {
        output.next(&format!("expires {}", or_never(rfc3339(answer.expire_time).as_ref())));
        return Ok(());
    }
    Err(Failure::refused(why(answer.reason())))
}

async fn list(system: &System, output: Output, named: &UserOfTenant) -> Result<(), Failure> {
    let (tenant_id, user_id) = resolve::user(system, named).await?;
    let request = ListSessionsRequest { tenant_id, user_id };
    let sessions = system.sessions().list_sessions(request).await?.into_inner().sessions;
    if sessions.is_empty() {
        output.next("the user has no sessions");
    }
    for session in sessions {
        let shown = Shown {
            id: session.id,
            user_id: session.user_id,
            created_at: rfc3339(session.create_time),
            expires_at: rfc3339(session.expire_time),
        };
        let created = or_never(shown.created_at.as_ref());
        let expires = or_never(shown.expires_at.as_ref());
        output.answer(&shown, &format!("{}  created {created}  expires {expires}", shown.id))?;
    }
    Ok(())
}

async fn revoke(system: &System, output: Output, token: String) -> Result<(), Failure> {
    let request = RevokeSessionRequest {
        session: Some(Named::SessionToken(token)),
    };
    let revoked = system.sessions().revoke_session(request).await?.into_inner().revoked;
    let text = if revoked {
        "logged out"
    } else {
        "there was no such session"
    };
    output.answer(&json!({ "revoked": revoked }), text)
}

impl From<&ValidateSessionResponse> for Validity {
    fn from(answer: &ValidateSessionResponse) -> Self {
        let reason = match answer.reason() {
            Reason::AccessEnded => "access_ended",
            Reason::TenantEnded => "tenant_ended",
            Reason::Unknown | Reason::Unspecified => "unknown",
        };
        Validity {
            valid: answer.valid,
            user_id: (!answer.user_id.is_empty()).then(|| answer.user_id.clone()),
            reason: (!answer.valid).then_some(reason),
        }
    }
}

fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::AccessEnded => {
            "the user was deactivated or deleted, or all sessions were ended; an active user may log in again: login begin"
        }
        Reason::TenantEnded => "the tenant was suspended or deleted; once it is resumed, log in again: login begin",
        Reason::Unknown | Reason::Unspecified => {
            "no such session: expired, logged out, ended, or never was; log in again: login begin"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_session_has_a_reason_and_a_live_one_has_none() {
        let check = |valid, reason: Reason, user: &str, expect: serde_json::Value| {
            let answer = ValidateSessionResponse {
                valid,
                reason: reason.into(),
                user_id: user.to_owned(),
                ..ValidateSessionResponse::default()
            };
            assert_eq!(serde_json::to_value(Validity::from(&answer)).unwrap(), expect);
        };
        check(
            true,
            Reason::Unspecified,
            "u",
            json!({"valid": true, "user_id": "u", "reason": null}),
        );
        check(
            false,
            Reason::AccessEnded,
            "u",
            json!({"valid": false, "user_id": "u", "reason": "access_ended"}),
        );
        check(
            false,
            Reason::TenantEnded,
            "u",
            json!({"valid": false, "user_id": "u", "reason": "tenant_ended"}),
        );
        check(
            false,
            Reason::Unknown,
            "",
            json!({"valid": false, "user_id": null, "reason": "unknown"}),
        );
    }
}
