//! What an auditor and an administrator ask: where a user's access stands, when its register moved, how many sessions
//! ended with it. And the end of all sessions of one user.

use identity_proto::identity::v1::{AccessState, AcknowledgePruneRequest, ErrorReason};
use uuid::Uuid;

use super::{Access, state};
use crate::error::{Error, database};
use crate::outbox::Event;
use crate::store::{Mutation, TenantStore};

/// The access of one user.
#[derive(Clone)]
pub struct Standing {
    pub epoch: i64,
    pub state: AccessState,
    pub changed_at: jiff_sqlx::Timestamp,
    /// When the register moved to this epoch: by an event, which a new user does not need.
    pub applied_at: Option<jiff_sqlx::Timestamp>,
    /// Sessions pruned for this epoch, so far as acknowledged.
    pub pruned: i64,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    epoch: i64,
    state: String,
    changed_at: jiff_sqlx::Timestamp,
    applied_at: Option<jiff_sqlx::Timestamp>,
    pruned: i64,
}

/// Moves the epoch and leaves the state alone: a deactivation at the same moment must not be undone.
const END: Mutation = Mutation::new(
    "change AS (
         SELECT ended.epoch AS access_epoch FROM end_user_access($1, $2) AS ended (epoch) WHERE ended.epoch IS NOT NULL
     )",
    "SELECT access_epoch FROM change",
);

impl Access {
    /// Where a user's access stands.
    pub async fn standing(&self, store: &TenantStore, user: Uuid) -> Result<Standing, Error> {
        let row: Option<StandingRow> = sqlx::query_as(
            "SELECT a.epoch, a.state, a.changed_at,
                    (SELECT o.applied_at FROM outbox AS o
                     WHERE o.tenant_id = a.tenant_id AND o.user_id = a.user_id AND o.access_epoch = a.epoch) AS applied_at,
                    (SELECT coalesce(sum(p.pruned), 0)::bigint FROM access_prune AS p
                     WHERE p.tenant_id = a.tenant_id AND p.user_id = a.user_id AND p.epoch = a.epoch) AS pruned
             FROM user_access AS a WHERE a.tenant_id = $1 AND a.user_id = $2",
        )
        .bind(store.tenant())
        .bind(user)
        .fetch_optional(&mut *store.read().await?)
        .await
        .map_err(database)?;
        let row = row.ok_or_else(|| Error::not_found("user"))?;
        Ok(Standing {
            epoch: row.epoch,
            state: state(&row.state),
            changed_at: row.changed_at,
            applied_at: row.applied_at,
            pruned: row.pruned,
        })
    }

    /// Ends every session of a user, who may log in again.
    pub async fn end(&self, store: &TenantStore, user: Uuid) -> Result<Standing, Error> {
        let event = Event::access_ended(store.tenant(), user);
        let moved: Option<(i64,)> = store
            .change(&END, event, |statement| statement)
            .await
            .map_err(database)?;
        self.wake.now();
        let standing = self.standing(store, user).await?;
        if moved.is_none() {
            let message = "the user is deleted: no session of it is left to end";
            return Err(Error::new(ErrorReason::AccessEnded, message));
        }
        Ok(standing)
    }

    /// Notes how many sessions of a bucket ended with an epoch. The highest count stands: an acknowledgement may come
    /// twice.
    pub async fn acknowledge(&self, tenant: Uuid, ack: &AcknowledgePruneRequest) -> Result<(), Error> {
        let invalid = |_| {
            Error::new(
                ErrorReason::InvalidValue,
                "user_id must be an id, or empty for the whole tenant",
            )
        };
        let user = if ack.user_id.is_empty() {
            Uuid::nil()
        } else {
            ack.user_id.parse().map_err(invalid)?
        };
        sqlx::query(
            "INSERT INTO access_prune AS p (tenant_id, user_id, epoch, bucket, pruned)
             SELECT tenant_id, $2, $3, $4::smallint, $5 FROM tenant WHERE tenant_id = $1
             ON CONFLICT (tenant_id, user_id, epoch, bucket)
             DO UPDATE SET pruned = excluded.pruned, pruned_at = clock_timestamp() WHERE p.pruned < excluded.pruned",
        )
        .bind(tenant)
        .bind(user)
        .bind(ack.epoch)
        .bind(ack.bucket)
        .bind(ack.pruned)
        .execute(&mut *self.system.connection().await?)
        .await
        .map_err(database)?;
        Ok(())
    }
}
