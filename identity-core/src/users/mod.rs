//! Users of one tenant: RFC 7644 section 3, one operation a file with its SQL beside it.
//!
//! A document (`identity.v1.User` as JSON) is the truth of a user; the key columns and the searchable values follow from
//! it. Whatever changes `active` moves the user's access in the same statement. What changes nothing writes nothing.

mod create;
mod delete;
mod document;
mod get;
mod list;
mod password;
mod patch;
mod replace;
mod row;
mod set_active;
mod update;

use identity_proto::identity::v1::{AccessState, ErrorReason};
use sqlx::postgres::PgRow;
use uuid::Uuid;

pub use password::Hasher;

use crate::access::{Wake, column};
use crate::error::{Error, database, has_code};
use crate::keys;
use crate::outbox::Event;
use crate::page::PageTokens;
use crate::store::{Binding, Mutation, Store, TenantId, TenantStore};

/// A lock was not to be had in time.
const LOCKED: &str = "55P03";

/// The users of one tenant, and what operations on them need.
pub struct Users {
    store: TenantStore,
    /// The same rows, by connections that are kept for access: an end of access waits for no list.
    endings: TenantStore,
    wake: Wake,
    hasher: Hasher,
    pages: PageTokens,
}

impl Users {
    /// The users of a tenant.
    pub fn new(store: &Store, tenant: TenantId, wake: Wake, hasher: Hasher, pages: PageTokens) -> Self {
        Users {
            store: store.of(tenant),
            endings: store.access_of(tenant),
            wake,
            hasher,
            pages,
        }
    }
}

impl Users {
    /// Executes an end of access by connections that wait for no lock for long. While another holds what it needs, as a push does
    /// that adds the user to a group, it goes on where it may wait and keeps no other end of access waiting.
    async fn end<T>(
        &self,
        mutation: &Mutation,
        event: Event,
        bind: impl Fn(Binding<T>) -> Binding<T>,
    ) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        match self.endings.change(mutation, event.clone(), &bind).await {
            Err(error) if has_code(&error, LOCKED) => self.store.change(mutation, event, &bind).await,
            outcome => outcome,
        }
    }
}

/// Reads a user id.
fn id(text: &str) -> Result<Uuid, Error> {
    keys::id(text).ok_or_else(no_user)
}

fn no_user() -> Error {
    Error::not_found("user")
}

/// Whether one of the versions is the current one; none given asks for nothing.
fn check_version(current: i64, if_match: &[i64]) -> Result<(), Error> {
    if if_match.is_empty() || if_match.contains(&current) {
        return Ok(());
    }
    Err(version_mismatch())
}

fn version_mismatch() -> Error {
    let message = "the user was changed since it was read; read it again, then repeat the change with its new ETag";
    Error::new(ErrorReason::VersionMismatch, message)
}

/// The access that `active` means.
fn access_of(active: bool) -> AccessState {
    if active {
        AccessState::AccessActive
    } else {
        AccessState::AccessInactive
    }
}

/// What PostgreSQL says when a user is written.
fn write_error(error: sqlx::Error) -> Error {
    let Some(reported) = error.as_database_error() else {
        return database(error);
    };
    match (reported.constraint(), reported.code().as_deref()) {
        (Some("users_user_name_key"), _) => {
            let message = "userName is already used by another user of this tenant (upper and lower case count as the \
                           same); match that user instead of creating another, or choose another userName";
            Error::new(ErrorReason::Uniqueness, message).with("attribute", "userName")
        }
        (Some("users_tenant_id_fkey"), _) => Error::not_found("tenant"),
        (_, Some("54000")) => {
            let message =
                "userName, externalId, displayName, an e-mail address or a phone number is too long to search for";
            Error::new(ErrorReason::InvalidValue, message)
        }
        _ => database(error),
    }
}
