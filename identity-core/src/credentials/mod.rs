//! Credentials of SCIM callers: bearer tokens, stored as their SHA-256. A token is 256 random bits, so a fast hash and an
//! index are right: there is nothing to guess. Static ones are made here, by administrators; access tokens in `oauth/`.

mod authenticate;
mod create;
mod expiry;
mod list;
mod revoke;
pub(crate) mod secret;

use identity_proto::identity::v1 as proto;
use uuid::Uuid;

pub use authenticate::{Authenticator, Credential};
pub(crate) use expiry::keep_warned;

use crate::store::SystemStore;
use crate::time::to_proto;

/// What a token may do: RFC 7644 leaves it open, so these are ours.
pub const SCOPES: [&str; 2] = [READ, WRITE];
/// Reading resources.
pub const READ: &str = "scim.read";
/// Creating, changing and deleting resources.
pub const WRITE: &str = "scim.write";

/// Operations on credentials, for administrators.
#[derive(Clone)]
pub struct Credentials {
    store: SystemStore,
}

impl Credentials {
    /// The credentials that `store` reaches.
    pub fn new(store: SystemStore) -> Self {
        Credentials { store }
    }
}

/// A row of `credential`, without the hash.
#[derive(sqlx::FromRow)]
struct Row {
    credential_id: Uuid,
    tenant_id: Uuid,
    hint: String,
    scopes: Vec<String>,
    created_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
    last_used_at: Option<jiff_sqlx::Timestamp>,
    last_used_address: Option<String>,
    revoked_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Row> for proto::Token {
    fn from(row: Row) -> Self {
        proto::Token {
            id: row.credential_id.to_string(),
            tenant_id: row.tenant_id.to_string(),
            hint: row.hint,
            scopes: row.scopes,
            create_time: Some(to_proto(row.created_at)),
            expire_time: Some(to_proto(row.expires_at)),
            last_used_time: row.last_used_at.map(to_proto),
            revoke_time: row.revoked_at.map(to_proto),
            last_used_address: row.last_used_address.unwrap_or_default(),
        }
    }
}
