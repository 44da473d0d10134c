//! The tenant `demo` and its token, so that the first request can be sent without any set-up. The token is kept, and
//! made again only when the stored one no longer works.

use std::fs;

use anyhow::Context;
use identity_proto::identity::v1::{
    CreateTenantRequest, CreateTokenRequest, ErrorReason, GetTenantRequest, ListTokensRequest, ListUsersRequest, Tenant,
};
use identity_proto::status;
use local_stack::secret;
use serde::{Deserialize, Serialize};

use super::home::Home;
use crate::connect::System;
use crate::failure::Failure;

/// The demo tenant's name.
pub(super) const TENANT: &str = "demo";
const FILE: &str = "demo-token";

/// What the screen says about it.
pub(super) struct Demo {
    pub tenant_id: String,
    pub token: String,
    /// A userName that is not taken, for the first line to try.
    pub user_name: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    token: String,
}

/// Finds or makes the tenant and its token.
pub(super) async fn prepare(home: &Home, system: &System) -> Result<Demo, Failure> {
    let tenant = tenant(system).await?;
    let path = home.secrets()?.join(FILE);
    let stored = fs::read_to_string(&path).ok();
    let stored = stored.and_then(|text| serde_json::from_str::<Stored>(&text).ok());
    let token = match stored {
        Some(stored) if works(system, &tenant.id, &stored.id).await? => stored.token,
        _ => {
            let made = make_token(system, &tenant.id).await?;
            let text = serde_json::to_string(&made).context("a token must be text")?;
            secret::write_private(&path, &text, None)?;
            made.token
        }
    };
    Ok(Demo {
        user_name: user_name(system, &tenant.id).await?,
        tenant_id: tenant.id,
        token,
    })
}

async fn tenant(system: &System) -> Result<Tenant, Failure> {
    let mut tenants = system.tenants();
    let named = GetTenantRequest {
        tenant: TENANT.to_owned(),
    };
    match tenants.get_tenant(named).await {
        Ok(tenant) => Ok(tenant.into_inner()),
        Err(error) if status::reason(&error) == Some(ErrorReason::NotFound) => {
            let request = CreateTenantRequest {
                name: TENANT.to_owned(),
                ..CreateTenantRequest::default()
            };
            Ok(tenants.create_tenant(request).await?.into_inner())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the stored token is one of this database's and not revoked.
async fn works(system: &System, tenant: &str, id: &str) -> Result<bool, Failure> {
    let request = ListTokensRequest {
        tenant: tenant.to_owned(),
    };
    let tokens = system.credentials().list_tokens(request).await?.into_inner().tokens;
    Ok(tokens.iter().any(|token| token.id == id && token.revoke_time.is_none()))
}

async fn make_token(system: &System, tenant: &str) -> Result<Stored, Failure> {
    let request = CreateTokenRequest {
        tenant: tenant.to_owned(),
        ..CreateTokenRequest::default()
    };
    let answer = system.credentials().create_token(request).await?.into_inner();
    Ok(Stored {
        id: answer.token.unwrap_or_default().id,
        token: answer.secret,
    })
}

async fn user_name(system: &System, tenant_id: &str) -> Result<String, Failure> {
    let request = ListUsersRequest {
        tenant_id: tenant_id.to_owned(),
        count_only: true,
        ..ListUsersRequest::default()
    };
    let count = system.users().list_users(request).await?.into_inner().total_size;
    Ok(match count {
        0 => "ann@example.com".to_owned(),
        _ => format!("ann{}@example.com", count + 1),
    })
}
