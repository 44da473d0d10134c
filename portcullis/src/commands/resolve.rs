//! Turns the names that people type into the ids that the interfaces take.

use identity_proto::identity::v1::{
    AttributePath, Filter, GetTenantRequest, ListGroupsRequest, ListTenantsRequest, ListUsersRequest, Tenant,
};
use uuid::Uuid;

use crate::cli::{GroupOfTenant, UserOfTenant};
use crate::connect::System;
use crate::failure::Failure;

/// A tenant by name or id.
pub(super) async fn tenant(system: &System, name: &str) -> Result<Tenant, Failure> {
    let request = GetTenantRequest {
        tenant: name.to_owned(),
    };
    Ok(system.tenants().get_tenant(request).await?.into_inner())
}

/// The tenant's id and the user's id.
pub(super) async fn user(system: &System, named: &UserOfTenant) -> Result<(String, String), Failure> {
    let tenant_id = tenant(system, &named.tenant).await?.id;
    let user_id = match Uuid::try_parse(&named.user) {
        Ok(id) => id.to_string(),
        Err(_) => user_by_name(system, &tenant_id, &named.user).await?.ok_or_else(|| {
            let UserOfTenant { tenant, user } = named;
            Failure::refused(format!(
                "tenant {tenant} has no user {user:?}; see `user list --tenant {tenant}` (who was deleted is known by the id alone)"
            ))
        })?,
    };
    Ok((tenant_id, user_id))
}

/// The tenant's id and the group's id. Names of groups are not unique.
pub(super) async fn group(system: &System, named: &GroupOfTenant) -> Result<(String, String), Failure> {
    let GroupOfTenant { tenant: of, group } = named;
    let tenant_id = tenant(system, of).await?.id;
    if let Ok(id) = Uuid::try_parse(group) {
        return Ok((tenant_id, id.to_string()));
    }
    let request = ListGroupsRequest {
        tenant_id: tenant_id.clone(),
        filter: Some(Filter::eq(AttributePath::core("displayName"), group)),
        page_size: 10,
        ..ListGroupsRequest::default()
    };
    let found = system.groups().list_groups(request).await?.into_inner().groups;
    match found.as_slice() {
        [one] => Ok((tenant_id, one.id.clone())),
        [] => Err(Failure::refused(format!(
            "tenant {of} has no group {group:?}; see `group list --tenant {of}`"
        ))),
        several => {
            let ids: Vec<_> = several.iter().map(|one| one.id.as_str()).collect();
            let ids = ids.join(" ");
            Err(Failure::refused(format!(
                "tenant {of} has several groups {group:?}: give the id of one, such as {ids}"
            )))
        }
    }
}

/// All tenants, by name.
pub(super) async fn tenants(system: &System) -> Result<Vec<Tenant>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTenantsRequest {
            page_size: 1_000,
            page_token,
        };
        let page = system.tenants().list_tenants(request).await?.into_inner();
        all.extend(page.tenants);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = page.next_page_token;
    }
}

async fn user_by_name(system: &System, tenant_id: &str, name: &str) -> Result<Option<String>, Failure> {
    let request = ListUsersRequest {
        tenant_id: tenant_id.to_owned(),
        filter: Some(Filter::eq(AttributePath::core("userName"), name)),
        page_size: 1,
        ..ListUsersRequest::default()
    };
    let users = system.users().list_users(request).await?.into_inner().users;
    Ok(users.into_iter().next().map(|user| user.id))
}
