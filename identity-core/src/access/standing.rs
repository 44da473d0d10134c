//! What an auditor and an administrator ask: where a user's access stands, when its register moved, how many sessions
//! ended with it. And the end of all sessions of one user.

use identity_proto::identity::v1::{AccessState, AcknowledgePruneRequest, ErrorReason};
use uuid::Uuid;

use super::outcome::Outcome;
use super::{Access, no_subject, state};
use crate::error::{Error, database};
use crate::metrics;
use crate::outbox::Event;
use crate::store::{Mutation, TenantStore};

/// The access of one user, or of a whole tenant.
#[derive(Clone)]
pub struct Standing {
    pub state: AccessState,
    pub changed_at: jiff_sqlx::Timestamp,
    /// Of its last change.
    pub outcome: Outcome,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    state: String,
    changed_at: jiff_sqlx::Timestamp,
    #[sqlx(flatten)]
    outcome: Outcome,
}

macro_rules! standing {
    ($access:literal, $of_access:literal, $of_outbox:literal) => {
        concat!(
            "SELECT a.state, a.changed_at, a.epoch, o.applied_at, p.pruned, p.pruned_at FROM ",
            $access,
            " AS a LEFT JOIN outbox AS o ON o.tenant_id = $1 AND ",
            $of_outbox,
            " AND o.access_epoch = a.epoch
             CROSS JOIN LATERAL pruned_for($1, $2, a.epoch) AS p
             WHERE a.tenant_id = $1 AND ",
            $of_access
        )
    };
}
const OF_USER: &str = standing!("user_access", "a.user_id = $2", "o.user_id = $2");
const OF_TENANT: &str = standing!("tenant_access", "$2::uuid IS NULL", "o.user_id IS NULL");

/// Moves the epoch and leaves the state alone: a deactivation at the same moment must not be undone.
const END: Mutation = Mutation::new(
    "change AS (
         SELECT ended.epoch AS access_epoch FROM end_user_access($1, $2) AS ended (epoch) WHERE ended.epoch IS NOT NULL
     )",
    "SELECT access_epoch FROM change",
);

/// The highest count stands: an acknowledgement may come twice, and late. How long after the change it came, if it is the first.
macro_rules! note {
    ($of_outbox:literal) => {
        concat!(
            "WITH noted AS (
                 INSERT INTO access_prune AS p (tenant_id, user_id, epoch, bucket, pruned)
                 SELECT tenant_id, $2, $3, $4::smallint, $5 FROM tenant WHERE tenant_id = $1
                 ON CONFLICT (tenant_id, user_id, epoch, bucket)
                 DO UPDATE SET pruned = excluded.pruned, pruned_at = clock_timestamp() WHERE p.pruned < excluded.pruned
                 RETURNING p.pruned_at, p.xmax = 0 AS is_first
             )
             SELECT extract(epoch FROM noted.pruned_at - o.created_at)::float8
             FROM noted JOIN outbox AS o ON o.tenant_id = $1 AND ",
            $of_outbox,
            " AND o.access_epoch = $3 WHERE noted.is_first"
        )
    };
}
const NOTE_OF_USER: &str = note!("o.user_id = $2");
const NOTE_OF_TENANT: &str = note!("o.user_id IS NULL");

impl Access {
    /// Where a user's access stands, or without a user the tenant's own.
    pub async fn standing(&self, store: &TenantStore, user: Option<Uuid>) -> Result<Standing, Error> {
        let row: Option<StandingRow> = sqlx::query_as(if user.is_some() { OF_USER } else { OF_TENANT })
            .bind(store.tenant())
            .bind(user)
            .fetch_optional(&mut *store.read().await?)
            .await
            .map_err(database)?;
        let row = row.ok_or_else(|| no_subject(user))?;
        Ok(Standing {
            state: state(&row.state),
            changed_at: row.changed_at,
            outcome: row.outcome,
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
        let standing = self.standing(store, Some(user)).await?;
        if moved.is_none() {
            let message = "the user is deleted: no session of it is left to end";
            return Err(Error::new(ErrorReason::AccessEnded, message));
        }
        Ok(standing)
    }

    /// Notes how many sessions of a bucket ended with an epoch.
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
        let note = if user.is_nil() { NOTE_OF_TENANT } else { NOTE_OF_USER };
        let since: Option<f64> = sqlx::query_scalar(note)
            .bind(tenant)
            .bind(user)
            .bind(ack.epoch)
            .bind(ack.bucket)
            .bind(ack.pruned)
            .fetch_optional(&mut *self.system.connection().await?)
            .await
            .map_err(database)?;
        since.into_iter().for_each(metrics::access_pruned);
        Ok(())
    }
}
