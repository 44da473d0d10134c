//! Deletes a user: RFC 7644 section 3.6. Its access row stays, as deleted, so that the id never means anyone again.

use super::{Users, id, no_user, version_mismatch, write_error};
use crate::Error;
use crate::outbox::Event;
use crate::store::Mutation;

const DELETE: Mutation = Mutation::new(
    "removed AS (
        DELETE FROM users
        WHERE tenant_id = $1 AND user_id = $2 AND (cardinality($9) = 0 OR version = ANY ($9))
        RETURNING user_id
    ),
    change AS (SELECT removed.*, move_user_access($1, $2, 'deleted') AS access_epoch FROM removed)",
    "SELECT EXISTS (SELECT FROM change) AS deleted,
            EXISTS (SELECT FROM users WHERE tenant_id = $1 AND user_id = $2) AS existed",
);

#[derive(sqlx::FromRow)]
struct Outcome {
    deleted: bool,
    /// Before the statement.
    existed: bool,
}

impl Users {
    /// Deletes a user.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = user))]
    pub async fn delete(&self, user: &str, if_match: Vec<i64>) -> Result<(), Error> {
        let id = id(user)?;
        let any_version = if_match.is_empty();
        let event = Event::user_deleted(self.store.tenant(), id);
        let outcome: Option<Outcome> = self
            .end(&DELETE, event, |statement| statement.bind(if_match.clone()))
            .await
            .map_err(write_error)?;
        match outcome {
            Some(Outcome { deleted: true, .. }) => {
                self.wake.now();
                Ok(())
            }
            Some(Outcome { existed: true, .. }) if !any_version => Err(version_mismatch()),
            _ => Err(no_user()),
        }
    }
}
