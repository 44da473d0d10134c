//! `portcullis token`

use std::time::Duration;

use identity_proto::identity::v1::{
    CreateTokenRequest, CreateTokenResponse, ListTokensRequest, RevokeTokenRequest, RotateTokenRequest, Token,
};
use serde::Serialize;

use super::{or_never, proto_duration, rfc3339};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// What creating one answers: the only time that the token is seen.
#[derive(Serialize)]
struct Created {
    id: String,
    token: String,
    expires_at: Option<String>,
}

/// The same of one that takes another's place.
#[derive(Serialize)]
struct Rotated {
    #[serde(flatten)]
    created: Created,
    replaces: String,
    /// How long the one before still works at most.
    overlap_ms: i64,
}

/// A token as it is listed.
#[derive(Serialize)]
struct Shown {
    id: String,
    hint: String,
    scopes: Vec<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    last_used_address: Option<String>,
    revoked_at: Option<String>,
}

pub(super) async fn run(command: cli::Token, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Token::Create { tenant, scope, expires } => create(system, output, tenant, scope, expires).await,
        cli::Token::List { tenant } => list(system, output, tenant).await,
        cli::Token::Rotate { id, overlap, expires } => rotate(system, output, id, overlap, expires).await,
        cli::Token::Revoke { id } => {
            let revoked = system.credentials().revoke_token(RevokeTokenRequest { id }).await?;
            let shown = Shown::from(revoked.into_inner());
            output.answer(&shown, &shown.to_text())?;
            output.next("whoever still uses it is refused from now on");
            Ok(())
        }
    }
}

async fn create(
    system: &System,
    output: Output,
    tenant: String,
    scopes: Vec<String>,
    expires: Duration,
) -> Result<(), Failure> {
    let request = CreateTokenRequest {
        tenant,
        scopes,
        lifetime: Some(proto_duration("--expires", expires)?),
    };
    let created = Created::from(system.credentials().create_token(request).await?.into_inner());
    output.answer(&created, &created.token)?;
    output.next(&format!(
        "token {} expires {}; it is not shown again. next: enter it in the identity provider as the SCIM bearer token",
        created.id,
        or_never(created.expires_at.as_ref())
    ));
    Ok(())
}

async fn rotate(
    system: &System,
    output: Output,
    id: String,
    overlap: Duration,
    expires: Duration,
) -> Result<(), Failure> {
    let overlap = proto_duration("--overlap", overlap)?;
    let request = RotateTokenRequest {
        id: id.clone(),
        overlap: Some(overlap),
        lifetime: Some(proto_duration("--expires", expires)?),
    };
    let rotated = Rotated {
        created: Created::from(system.credentials().rotate_token(request).await?.into_inner()),
        replaces: id,
        overlap_ms: overlap.seconds.saturating_mul(1_000),
    };
    output.answer(&rotated, &rotated.created.token)?;
    let Rotated { created, replaces, .. } = &rotated;
    output.next(&format!(
        "token {} expires {}; it is not shown again",
        created.id,
        or_never(created.expires_at.as_ref())
    ));
    output.next(&match overlap.seconds {
        0 => format!("token {replaces} is refused from now on. next: enter the new one in the identity provider"),
        _ => format!(
            "token {replaces} still works until it expires, as `token list` says. next: enter the new one in the \
             identity provider, and see with `token list` that it is used; token revoke {replaces} ends the other sooner"
        ),
    });
    Ok(())
}

async fn list(system: &System, output: Output, tenant: String) -> Result<(), Failure> {
    let next = format!("there are no tokens; next: token create --tenant {tenant}");
    let tokens = system
        .credentials()
        .list_tokens(ListTokensRequest { tenant })
        .await?
        .into_inner()
        .tokens;
    if tokens.is_empty() {
        output.next(&next);
    }
    for token in tokens {
        let shown = Shown::from(token);
        output.answer(&shown, &shown.to_text())?;
    }
    Ok(())
}

impl Shown {
    fn to_text(&self) -> String {
        let life = match &self.revoked_at {
            Some(time) => format!("revoked {time}"),
            None => format!("expires {}", or_never(self.expires_at.as_ref())),
        };
        let (scopes, used) = (self.scopes.join(","), or_never(self.last_used_at.as_ref()));
        let from = self.last_used_address.as_ref();
        let from = from.map_or(String::new(), |address| format!(" from {address}"));
        format!("{}  …{}  {scopes}  {life}  last used {used}{from}", self.id, self.hint)
    }
}

impl From<CreateTokenResponse> for Created {
    fn from(answer: CreateTokenResponse) -> Self {
        let token = answer.token.unwrap_or_default();
        Created {
            id: token.id,
            expires_at: rfc3339(token.expire_time),
            token: answer.secret,
        }
    }
}

impl From<Token> for Shown {
    fn from(token: Token) -> Self {
        Shown {
            id: token.id,
            hint: token.hint,
            scopes: token.scopes,
            created_at: rfc3339(token.create_time),
            expires_at: rfc3339(token.expire_time),
            last_used_at: rfc3339(token.last_used_time),
            last_used_address: Some(token.last_used_address).filter(|address| !address.is_empty()),
            revoked_at: rfc3339(token.revoke_time),
        }
    }
}
