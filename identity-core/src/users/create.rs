//! Creates a user: RFC 7644 section 3.3.

use identity_proto::identity::v1::User;
use sqlx::types::Json;
use uuid::Uuid;

use super::password::Password;
use super::row::{in_event, resource};
use super::{Users, access_of, column, document, write_error};
use crate::outbox::Event;
use crate::stamp::Stamp;
use crate::store::Mutation;
use crate::{Error, keys, validate};

/// The event moves no register: a register that was never set is blank already, and blank means "ask the core".
const CREATE: Mutation = Mutation::new(
    "created AS (
        INSERT INTO users (tenant_id, user_id, attributes, keys, password_hash, created_at, last_modified_at)
        SELECT $1, $2, $9, $10, $11, clock.now, clock.now FROM (SELECT clock_timestamp() AS now) AS clock
        RETURNING version, created_at, last_modified_at
    ),
    searchable AS (
        INSERT INTO user_value (tenant_id, user_id, path, value_key, type_key)
        SELECT $1, $2, value.path, value.value_key, value.type_key
        FROM unnest($12::text[], $13::text[], $14::text[]) AS value (path, value_key, type_key)
    ),
    access AS (SELECT move_user_access($1, $2, $15) FROM created),
    change AS (SELECT created.*, NULL::bigint AS access_epoch FROM created CROSS JOIN access)",
    "SELECT version, created_at, last_modified_at FROM change",
);

impl Users {
    /// Creates a user under a new id. One that does not say whether it is active, is.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant()))]
    pub async fn create(&self, user: User, password: Option<String>) -> Result<User, Error> {
        let mut document = document::of(user)?;
        let active = document::active(&document).unwrap_or(true);
        document.insert("active".to_owned(), active.into());
        let user = validate::typed(document.clone())?;
        validate::user(&document)?;
        let password = match self.hasher.set(password).await? {
            Password::Set(hash) => Some(hash),
            Password::Kept | Password::Removed => None,
        };
        let (tenant, id) = (self.store.tenant(), Uuid::now_v7());
        let keys = keys::document(&document);
        let searchable = document::searchable(&document);
        let event = Event::user_created(tenant, id, in_event(id, 1, user.clone()));
        let stamp: Option<Stamp> = self
            .store
            .change(&CREATE, event, |statement| {
                statement
                    .bind(Json(document))
                    .bind(Json(keys))
                    .bind(password)
                    .bind(searchable.paths)
                    .bind(searchable.values)
                    .bind(searchable.types)
                    .bind(column(access_of(active)))
            })
            .await
            .map_err(write_error)?;
        let stamp = stamp.ok_or_else(|| Error::internal("an insert answered no row"))?;
        Ok(resource(id, stamp, user))
    }
}
