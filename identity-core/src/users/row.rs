//! Rows of `users`, as they are read.

use identity_proto::identity::v1::User;
use sqlx::types::Json;
use uuid::Uuid;

use super::document::Document;
use crate::stamp::{Stamp, meta_in_event};
use crate::store::Lockable;

/// A user, to be answered.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    user_id: Uuid,
    attributes: Json<User>,
    #[sqlx(flatten)]
    stamp: Stamp,
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
        FROM users WHERE tenant_id = $1 AND user_id = $2 FOR NO KEY UPDATE";
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        resource(row.user_id, row.stamp, row.attributes.0)
    }
}

/// Puts id and meta on a user.
pub(super) fn resource(id: Uuid, stamp: Stamp, user: User) -> User {
    User {
        id: id.to_string(),
        meta: Some(stamp.meta()),
        ..user
    }
}

/// A user as its event tells of it.
pub(super) fn in_event(id: Uuid, version: i64, user: User) -> User {
    User {
        id: id.to_string(),
        meta: Some(meta_in_event(version)),
        ..user
    }
}
