//! Groups of one tenant: RFC 7643 section 4.2, one operation a file with its SQL beside it.
//!
//! Members are rows, and no write reads them: it says which ids come and go ([`delta`]), and the statement finds out which of
//! those are news. The group's row is locked first, so that changes of one group happen one after the other, each on what
//! the one before left.

mod create;
mod delete;
mod delta;
mod get;
mod list;
mod members;
mod memberships;
mod of_user;
mod patch;
mod replace;
mod row;
mod update;

use std::sync::Arc;
use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use uuid::Uuid;

pub(crate) use of_user::{GroupsOf, groups_of, groups_of_one};

use crate::error::{Error, database};
use crate::keys;
use crate::page::PageTokens;
use crate::store::{Shares, Store, TenantId, TenantStore};

/// How long one statement of a change may run: 100,000 new members take six seconds on two slow cores.
const LONGEST: Duration = Duration::from_secs(20);

/// The groups of one tenant, and what operations on them need.
pub struct Groups {
    store: TenantStore,
    turns: Turns,
    pages: PageTokens,
}

/// By tenant and group. Changes of one group happen one after the other, so in one core only one of them at a time holds a connection: a crowd on
/// one group leaves the others to the tenant's other requests. Clones share the turns.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Shares<(Uuid, Uuid)>>);

impl Default for Turns {
    fn default() -> Self {
        Turns(Arc::new(Shares::of(1)))
    }
}

impl Groups {
    /// The groups of a tenant.
    pub(crate) fn new(store: &Store, tenant: TenantId, turns: Turns, pages: PageTokens) -> Self {
        Groups {
            store: store.of(tenant),
            turns,
            pages,
        }
    }
}

/// Reads a group id.
fn id(text: &str) -> Result<Uuid, Error> {
    keys::id(text).ok_or_else(no_group)
}

fn no_group() -> Error {
    Error::not_found("group")
}

fn version_mismatch() -> Error {
    let message = "the group was changed since it was read; read it again, then repeat the change with its new ETag";
    Error::new(ErrorReason::VersionMismatch, message)
}

/// What PostgreSQL says when a group is written.
fn write_error(error: sqlx::Error) -> Error {
    let constraint = error.as_database_error().and_then(|reported| reported.constraint());
    match constraint {
        Some("groups_tenant_id_fkey") => Error::not_found("tenant"),
        _ => database(error),
    }
}
