//! Deletes a group: RFC 7644 section 3.6. Its members, and its own memberships, go with it.

use uuid::Uuid;

use super::{Groups, LONGEST, id, no_group, version_mismatch, write_error};
use crate::error::{Error, has_code};
use crate::outbox::Event;
use crate::store::Mutation;

const DELETE: Mutation = Mutation::new(
    "removed AS (
        DELETE FROM groups
        WHERE tenant_id = $1 AND group_id = $2 AND (cardinality($9) = 0 OR version = ANY ($9))
        RETURNING group_id
    ),
    change AS (SELECT removed.*, NULL::bigint AS access_epoch FROM removed)",
    "SELECT EXISTS (SELECT FROM change) AS deleted,
            EXISTS (SELECT FROM groups WHERE tenant_id = $1 AND group_id = $2) AS existed",
);

const DEADLOCK: &str = "40P01";

impl Groups {
    /// Deletes a group.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), group.id = group))]
    pub async fn delete(&self, group: &str, if_match: Vec<i64>) -> Result<(), Error> {
        let id = id(group)?;
        let any_version = if_match.is_empty();
        let outcome = match self.try_delete(id, if_match.clone()).await {
            // Two groups that hold each other, deleted at once: the other one is gone now.
            Err(error) if has_code(&error, DEADLOCK) => self.try_delete(id, if_match).await,
            outcome => outcome,
        };
        let outcome = outcome.map_err(write_error)?;
        match outcome {
            Some((true, _)) => Ok(()),
            Some((false, true)) if !any_version => Err(version_mismatch()),
            _ => Err(no_group()),
        }
    }
    /// Whether it deleted the group, and whether there was one.
    async fn try_delete(&self, id: Uuid, if_match: Vec<i64>) -> Result<Option<(bool, bool)>, sqlx::Error> {
        let event = Event::group_deleted(self.store.tenant(), id);
        let tx = self.store.begin_long(LONGEST).await?;
        tx.change(&DELETE, event, |statement| statement.bind(if_match)).await
    }
}
