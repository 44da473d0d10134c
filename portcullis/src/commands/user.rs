//! `portcullis user`: read only. Users are made and changed by identity providers.

use identity_proto::identity::v1::{GetUserRequest, ListUsersRequest, User, UserView};
use serde::Serialize;
use serde_json::{Value, json};

use super::resolve;
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    id: String,
    user_name: String,
    active: bool,
}

pub(super) async fn run(command: cli::User, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::User::List { tenant } => list(system, output, &tenant).await,
        cli::User::Show(named) => {
            let (tenant_id, id) = resolve::user(system, &named).await?;
            let user = system
                .users()
                .get_user(GetUserRequest {
                    tenant_id,
                    id,
                    view: UserView::Full.into(),
                })
                .await?
                .into_inner();
            let document = document(&user)?;
            let text = serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)?;
            output.answer(&document, &text)
        }
        cli::User::Id(named) => {
            let (_, id) = resolve::user(system, &named).await?;
            output.answer(&json!({ "id": &id }), &id)
        }
    }
}

async fn list(system: &System, output: Output, tenant: &str) -> Result<(), Failure> {
    let tenant_id = resolve::tenant(system, tenant).await?.id;
    let mut page_token = String::new();
    loop {
        let request = ListUsersRequest {
            tenant_id: tenant_id.clone(),
            page_size: 1_000,
            page_token,
            ..ListUsersRequest::default()
        };
        let page = system.users().list_users(request).await?.into_inner();
        for user in page.users {
            let shown = Shown {
                active: user.active.unwrap_or(false),
                id: user.id,
                user_name: user.user_name,
            };
            let state = if shown.active { "active" } else { "inactive" };
            output.answer(&shown, &format!("{}  {}  {state}", shown.id, shown.user_name))?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

/// The stored document, with the id and the version in front and the groups at the end.
fn document(user: &User) -> Result<Value, Failure> {
    let mut document = json!({ "id": user.id, "version": user.meta.as_ref().map(|meta| meta.version) });
    let attributes = serde_json::to_value(user).map_err(anyhow::Error::from)?;
    if let (Some(all), Value::Object(attributes)) = (document.as_object_mut(), attributes) {
        all.extend(attributes);
        let groups = user.groups.iter().map(|group| {
            let kind = if group.direct { "direct" } else { "indirect" };
            json!({ "value": group.group_id, "display": group.display, "type": kind })
        });
        all.insert("groups".to_owned(), groups.collect());
    }
    Ok(document)
}
