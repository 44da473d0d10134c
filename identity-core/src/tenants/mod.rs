//! Tenants: the customers of whoever runs Portcullis. Suspending or deleting one ends the access of all its users by
//! moving one epoch: one row, whatever the tenant's size.

mod access;
mod create;
mod find;
mod name;
mod profile;
mod purge;
mod scim;

use std::collections::BTreeMap;

use identity_proto::identity::v1 as proto;
use identity_proto::identity::v1::tenant::State;
use sqlx::types::Json;
use uuid::Uuid;

pub(crate) use profile::{profile, settings};
pub use purge::purge_deleted;

use crate::Error;
use crate::access::Wake;
use crate::page::PageTokens;
use crate::store::SystemStore;
use crate::time::to_proto;

/// Operations on tenants.
#[derive(Clone)]
pub struct Tenants {
    store: SystemStore,
    wake: Wake,
    pages: PageTokens,
}

impl Tenants {
    /// The tenants that `store` reaches.
    pub fn new(store: SystemStore, wake: Wake, pages: PageTokens) -> Self {
        Tenants { store, wake, pages }
    }
}

/// A row of `tenant`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Tenant {
    #[sqlx(rename = "tenant_id")]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    state: String,
    scim_enabled: bool,
    profile: String,
    quirks: Json<BTreeMap<String, bool>>,
    refuse_passwords: bool,
    created_at: jiff_sqlx::Timestamp,
}

impl From<Tenant> for proto::Tenant {
    fn from(row: Tenant) -> Self {
        proto::Tenant {
            id: row.id.to_string(),
            name: row.name,
            state: state(&row.state).into(),
            scim_enabled: row.scim_enabled,
            profile: profile(&row.profile).into(),
            create_time: Some(to_proto(row.created_at)),
            quirks: settings(&row.quirks),
            refuse_passwords: row.refuse_passwords,
        }
    }
}

/// Reads the column `state`.
pub(crate) fn state(column: &str) -> State {
    match column {
        "active" => State::Active,
        "suspended" => State::Suspended,
        "deleted" => State::Deleted,
        _ => State::Unspecified,
    }
}

fn no_tenant() -> Error {
    Error::not_found("tenant")
}
