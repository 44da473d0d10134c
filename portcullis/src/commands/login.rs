//! `portcullis login`: what an application does when it sends the browser to the identity provider.

use identity_proto::session::v1::BeginLoginRequest;
use serde_json::json;

use super::{or_never, resolve, rfc3339};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(command: cli::Login, system: &System, output: Output) -> Result<(), Failure> {
    let cli::Login::Begin { tenant } = command;
    let tenant_id = resolve::tenant(system, &tenant).await?.id;
    let begun = system
        .sessions()
        .begin_login(BeginLoginRequest { tenant_id })
        .await?
        .into_inner();
    output.answer(&json!({ "login_token": &begun.login_token }), &begun.login_token)?;
    output.next(&format!(
        "valid until {}; next: session create --login TOKEN USER",
        or_never(rfc3339(begun.expire_time).as_ref())
    ));
    Ok(())
}
