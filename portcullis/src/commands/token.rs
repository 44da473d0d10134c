//! `portcullis token`

use std::time::Duration;

use identity_proto::identity::v1::{CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, Token};
use serde::Serialize;

use super::{or_never, rfc3339};
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

/// A token as it is listed.
#[derive(Serialize)]
struct Shown {
    id: String,
    hint: String,
    scopes: Vec<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

pub(super) async fn run(command: cli::Token, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Token::Create { tenant, scope, expires } => create(system, output, tenant, scope, expires).await,
        cli::Token::List { tenant } => list(system, output, tenant).await,
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
    let lifetime = prost_types::Duration::try_from(expires).map_err(|_| Failure::usage("--expires is too long"))?;
    let request = CreateTokenRequest {
        tenant,
        scopes,
        lifetime: Some(lifetime),
    };
    let answer = system.credentials().create_token(request).await?.into_inner();
    let token = answer.token.unwrap_or_default();
    let created = Created {
        id: token.id,
        expires_at: rfc3339(token.expire_time),
        token: answer.secret,
    };
    output.answer(&created, &created.token)?;
    output.next(&format!(
        "token {} expires {}; it is not shown again. next: enter it in the identity provider as the SCIM bearer token",
        created.id,
        or_never(created.expires_at.as_ref())
    ));
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
        format!(
            "{}  …{}  {}  {life}  last used {}",
            self.id,
            self.hint,
            self.scopes.join(","),
            or_never(self.last_used_at.as_ref())
        )
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
            revoked_at: rfc3339(token.revoke_time),
        }
    }
}
