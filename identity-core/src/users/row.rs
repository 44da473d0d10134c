//! Rows of `users`, as they are read.

use identity_proto::identity::v1::{Meta, User};
use sqlx::types::Json;
use uuid::Uuid;

use super::document::Document;
use crate::store::Lockable;
use crate::time::to_proto;

/// A user, to be answered.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    user_id: Uuid,
    attributes: Json<User>,
    #[sqlx(flatten)]
    stamp: Stamp,
}

/// What the service provider notes about a user.
#[derive(Clone, Copy, sqlx::FromRow)]
pub(super) struct Stamp {
    version: i64,
    created_at: jiff_sqlx::Timestamp,
    last_modified_at: jiff_sqlx::Timestamp,
}

/// A user that the transaction holds until it ends.
#[derive(sqlx::FromRow)]
pub(super) struct Locked {
    pub(super) user_id: Uuid,
    pub(super) attributes: Json<Document>,
    pub(super) has_password: bool,
    #[sqlx(flatten)]
    pub(super) stamp: Stamp,
}

impl Lockable for Locked {
    const LOCK: &'static str =
        "SELECT user_id, attributes, password_hash IS NOT NULL AS has_password, version, created_at,
            last_modified_at
        FROM users WHERE tenant_id = $1 AND user_id = $2 FOR UPDATE";
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        row.stamp.on(row.user_id, row.attributes.0)
    }
}

impl Row {
    pub(super) fn new(user_id: Uuid, attributes: Json<User>, stamp: Stamp) -> Self {
        Row {
            user_id,
            attributes,
            stamp,
        }
    }
}

impl Stamp {
    pub(super) fn new(version: i64, created_at: jiff_sqlx::Timestamp, last_modified_at: jiff_sqlx::Timestamp) -> Self {
        Stamp {
            version,
            created_at,
            last_modified_at,
        }
    }

    /// The user's current version.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    /// Puts id and meta on a user.
    pub(super) fn on(self, id: Uuid, user: User) -> User {
        User {
            id: id.to_string(),
            meta: Some(Meta {
                created: Some(to_proto(self.created_at)),
                last_modified: Some(to_proto(self.last_modified_at)),
                version: self.version,
            }),
            ..user
        }
    }
}

/// A user as its event tells of it: the row gives the times, so only the version is known.
pub(super) fn in_event(id: Uuid, version: i64, user: User) -> User {
    User {
        id: id.to_string(),
        meta: Some(Meta {
            version,
            ..Meta::default()
        }),
        ..user
    }
}
