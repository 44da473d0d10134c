//! `portcullis client`: identity providers that connect by OAuth.

mod create;
mod guide;
mod shown;

use std::time::Duration;

use identity_proto::identity::v1::{ListClientsRequest, RevokeClientRequest, RotateClientSecretRequest};
use serde::Serialize;

use self::shown::{Secret, Shown};
use super::{or_never, proto_duration};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// What rotating answers: the only time that the secret is seen.
#[derive(Serialize)]
struct Rotated {
    id: String,
    secret_id: String,
    secret: String,
    expires_at: Option<String>,
    /// Secrets of before that still work, and until when.
    earlier: Vec<Earlier>,
}

#[derive(Serialize)]
struct Earlier {
    id: String,
    expires_at: Option<String>,
}

pub(super) async fn run(command: cli::Client, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Client::Create(new) => create::run(*new, system, output).await,
        cli::Client::List { tenant } => list(system, output, tenant).await,
        cli::Client::Rotate {
            id,
            overlap,
            secret_lifetime,
        } => rotate(system, output, id, overlap, secret_lifetime).await,
        cli::Client::Revoke { id, secret } => revoke(system, output, id, secret).await,
    }
}

async fn list(system: &System, output: Output, tenant: String) -> Result<(), Failure> {
    let next = format!("there are no clients; next: client create --tenant {tenant} NAME");
    let clients = system.clients().list_clients(ListClientsRequest { tenant }).await?;
    let clients = clients.into_inner().clients;
    if clients.is_empty() {
        output.next(&next);
    }
    for client in clients {
        let shown = Shown::from(client);
        output.answer(&shown, &shown.to_text())?;
    }
    Ok(())
}

async fn rotate(
    system: &System,
    output: Output,
    id: String,
    overlap: Duration,
    lifetime: Duration,
) -> Result<(), Failure> {
    let request = RotateClientSecretRequest {
        id,
        overlap: Some(proto_duration("--overlap", overlap)?),
        lifetime: Some(proto_duration("--secret-lifetime", lifetime)?),
    };
    let answer = system.clients().rotate_client_secret(request).await?.into_inner();
    let client = Shown::from(answer.client.unwrap_or_default());
    let mut secrets = client.secrets.into_iter();
    let new = secrets.next().unwrap_or_default();
    let overlaps = |secret: &Secret| !overlap.is_zero() && secret.works_after(new.created_at.as_ref());
    let earlier = secrets.filter(overlaps).map(|secret| Earlier {
        id: secret.id,
        expires_at: secret.expires_at,
    });
    let earlier = earlier.collect();
    let rotated = Rotated {
        id: client.id,
        secret_id: new.id,
        secret: answer.secret,
        expires_at: new.expires_at,
        earlier,
    };
    output.answer(&rotated, &rotated.secret)?;
    let expires = or_never(rotated.expires_at.as_ref());
    output.next(&format!("the secret expires {expires}; it is not shown again"));
    for Earlier { id, expires_at } in &rotated.earlier {
        output.next(&format!(
            "secret {id} of before works until {}",
            or_never(expires_at.as_ref())
        ));
    }
    let id = &rotated.id;
    output.next(&if rotated.earlier.is_empty() {
        "no other secret works. next: enter this one in the identity provider".to_owned()
    } else {
        format!(
            "next: enter the new one in the identity provider, and see with `client list` that it is used; \
             client revoke {id} --secret SECRET-ID ends one sooner"
        )
    });
    Ok(())
}

async fn revoke(system: &System, output: Output, id: String, secret: Option<String>) -> Result<(), Failure> {
    let whole = secret.is_none();
    let request = RevokeClientRequest {
        id,
        secret_id: secret.unwrap_or_default(),
    };
    let shown = Shown::from(system.clients().revoke_client(request).await?.into_inner());
    output.answer(&shown, &shown.to_text())?;
    output.next(if whole {
        "its secrets and tokens are refused from now on"
    } else {
        "the secret is refused from now on; tokens that the client has stay good until they expire"
    });
    Ok(())
}
