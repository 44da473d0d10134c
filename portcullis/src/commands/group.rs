//! `portcullis group`: read only, as `portcullis user` is.

use identity_proto::identity::v1::{
    GetGroupRequest, Group, ListGroupsOfUserRequest, ListGroupsRequest, ListMembersRequest, member,
};
use serde::Serialize;

use super::{resolve, rfc3339};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    id: String,
    display_name: String,
    external_id: Option<String>,
    version: i64,
    last_modified: Option<String>,
}

#[derive(Serialize)]
struct Member {
    id: String,
    r#type: &'static str,
    display: String,
}

#[derive(Serialize)]
struct Membership {
    id: String,
    display_name: String,
    direct: bool,
}

pub(super) async fn run(command: cli::Group, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Group::List { tenant } => list(system, output, &tenant).await,
        cli::Group::Show(named) => {
            let (tenant_id, id) = resolve::group(system, &named).await?;
            let request = GetGroupRequest {
                tenant_id,
                id,
                ..GetGroupRequest::default()
            };
            show(output, system.groups().get_group(request).await?.into_inner())
        }
        cli::Group::Members(named) => members(system, output, &named).await,
        cli::Group::Of(named) => of_user(system, output, &named).await,
    }
}

fn show(output: Output, group: Group) -> Result<(), Failure> {
    let meta = group.meta.unwrap_or_default();
    let shown = Shown {
        id: group.id,
        display_name: group.display_name,
        external_id: group.external_id,
        version: meta.version,
        last_modified: rfc3339(meta.last_modified),
    };
    let text = format!("{}  {}  version {}", shown.id, shown.display_name, shown.version);
    output.answer(&shown, &text)
}

async fn list(system: &System, output: Output, tenant: &str) -> Result<(), Failure> {
    let tenant_id = resolve::tenant(system, tenant).await?.id;
    let mut page_token = String::new();
    loop {
        let request = ListGroupsRequest {
            tenant_id: tenant_id.clone(),
            page_size: 1_000,
            page_token,
            ..ListGroupsRequest::default()
        };
        let page = system.groups().list_groups(request).await?.into_inner();
        page.groups.into_iter().try_for_each(|group| show(output, group))?;
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn members(system: &System, output: Output, named: &cli::GroupOfTenant) -> Result<(), Failure> {
    let (tenant_id, group_id) = resolve::group(system, named).await?;
    let mut page_token = String::new();
    loop {
        let request = ListMembersRequest {
            tenant_id: tenant_id.clone(),
            group_id: group_id.clone(),
            page_size: 5_000,
            page_token,
        };
        let page = system.groups().list_members(request).await?.into_inner();
        for one in page.members {
            let member = Member {
                r#type: if one.r#type() == member::Type::Group {
                    "Group"
                } else {
                    "User"
                },
                id: one.id,
                display: one.display,
            };
            output.answer(
                &member,
                &format!("{}  {}  {}", member.id, member.r#type, member.display),
            )?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn of_user(system: &System, output: Output, named: &cli::UserOfTenant) -> Result<(), Failure> {
    let (tenant_id, user_id) = resolve::user(system, named).await?;
    let mut page_token = String::new();
    loop {
        let request = ListGroupsOfUserRequest {
            tenant_id: tenant_id.clone(),
            user_id: user_id.clone(),
            page_size: 1_000,
            page_token,
            direct_only: false,
        };
        let page = system.groups().list_groups_of_user(request).await?.into_inner();
        for one in page.groups {
            let membership = Membership {
                id: one.group_id,
                display_name: one.display,
                direct: one.direct,
            };
            let how = if membership.direct { "direct" } else { "indirect" };
            output.answer(
                &membership,
                &format!("{}  {}  {how}", membership.id, membership.display_name),
            )?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}
