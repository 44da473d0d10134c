//! Writes a new document over a user that was read and locked: the second half of PUT and PATCH.

use identity_proto::identity::v1::{AccessState, User};
use sqlx::types::Json;
use uuid::Uuid;

use super::document::{self, Document};
use super::password::Password;
use super::row::{Locked, in_event, resource};
use super::{Users, access_of, column, no_user, write_error};
use crate::outbox::Event;
use crate::stamp::Stamp;
use crate::store::{Mutation, Tx};
use crate::{Error, keys, validate};

/// The searchable values are written only if they changed, and access moves only if `active` did.
const REPLACE: Mutation = Mutation::new(
    "replaced AS (
        UPDATE users
        SET attributes = $9, keys = $10, password_hash = CASE WHEN $11 THEN $12 ELSE password_hash END,
            version = version + 1, last_modified_at = greatest(clock_timestamp(), last_modified_at)
        WHERE tenant_id = $1 AND user_id = $2
        RETURNING version, created_at, last_modified_at
    ),
    forgotten AS (
        DELETE FROM user_value WHERE $13 AND tenant_id = $1 AND user_id = $2
    ),
    searchable AS (
        INSERT INTO user_value (tenant_id, user_id, path, value_key, type_key)
        SELECT $1, $2, value.path, value.value_key, value.type_key
        FROM unnest($14::text[], $15::text[], $16::text[]) AS value (path, value_key, type_key)
        WHERE $13
    ),
    change AS (
        SELECT replaced.*, CASE WHEN $17 IS NOT NULL THEN move_user_access($1, $2, $17) END AS access_epoch
        FROM replaced
    )",
    "SELECT version, created_at, last_modified_at FROM change",
);

/// Which request writes, for the event's name.
#[derive(Clone, Copy)]
pub(super) enum How {
    Put,
    Patch,
}

/// What the user is to become.
pub(super) struct Next {
    pub(super) document: Document,
    pub(super) password: Password,
    pub(super) how: How,
}

impl Users {
    /// Validates and writes; a document that says what the current one says, writes nothing.
    pub(super) async fn replace(&self, tx: Tx, current: Locked, next: Next) -> Result<User, Error> {
        let Next {
            document,
            password,
            how,
        } = next;
        let (id, was) = (current.user_id, current.attributes.0);
        let user = validate::typed(document.clone())?;
        validate::user(&document)?;
        let (sets_password, hash) = match password {
            Password::Kept => (false, None),
            Password::Removed => (current.has_password, None),
            Password::Set(hash) => (true, Some(hash)),
        };
        if document == was && !sets_password {
            return Ok(resource(id, current.stamp, user));
        }
        let moved = moved(&was, &document);
        let event = event(
            self.store.tenant(),
            id,
            how,
            in_event(id, current.stamp.version + 1, user.clone()),
            moved,
        );
        let (keys, searchable) = (keys::document(&document), document::searchable(&document));
        let searchable_changed = searchable != document::searchable(&was);
        let stamp: Option<Stamp> = tx
            .change(&REPLACE, event, |statement| {
                statement
                    .bind(Json(document))
                    .bind(Json(keys))
                    .bind(sets_password)
                    .bind(hash)
                    .bind(searchable_changed)
                    .bind(searchable.paths)
                    .bind(searchable.values)
                    .bind(searchable.types)
                    .bind(moved.map(column))
            })
            .await
            .map_err(write_error)?;
        if moved.is_some() {
            self.wake.now();
        }
        Ok(resource(id, stamp.ok_or_else(no_user)?, user))
    }
}

/// The access that the new document gives, if it differs. A document that does not say gives none.
fn moved(was: &Document, is: &Document) -> Option<AccessState> {
    let [was, is] = [was, is].map(|document| access_of(document::active(document).unwrap_or(false)));
    (was != is).then_some(is)
}

fn event(tenant: Uuid, id: Uuid, how: How, user: User, access: Option<AccessState>) -> Event {
    match how {
        How::Put => Event::user_replaced(tenant, id, user, access),
        How::Patch => Event::user_patched(tenant, id, user, access),
    }
}
