//! Removes old events, so that a database does not grow for ever with what everybody has long seen. Says too how far behind the
//! slowest consumer is.

use std::time::Duration;

use crate::error::{Error, database};
use crate::failing::{Failing, Failure, within};
use crate::metrics;
use crate::store::SystemStore;

/// How many events one batch removes, about.
const BATCH: i64 = 1_000;
const EVERY: Duration = Duration::from_mins(1);
/// Numbering waits for a batch: it has its turn in between.
const REST: Duration = Duration::from_millis(50);

const LAG: &str = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - o.created_at)), 0)::float8
    FROM event_consumer AS c
    JOIN tenant AS t ON t.tenant_id = c.tenant_id AND t.state <> 'deleted'
    JOIN event_stream AS s ON s.tenant_id = c.tenant_id AND s.last_sequence > c.acknowledged_sequence
    JOIN event_sequence AS e
        ON e.tenant_id = c.tenant_id AND e.sequence = greatest(c.acknowledged_sequence, s.trimmed_sequence) + 1
    JOIN outbox AS o ON o.tenant_id = e.tenant_id AND o.outbox_id = e.outbox_id";

/// For how many days events are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// Those that all consumers acknowledged.
    pub(crate) days: i32,
    /// Any.
    pub(crate) longest_days: i32,
}

/// Removes for ever.
pub(super) async fn keep_trimmed(system: SystemStore, retention: Retention) {
    let mut failing = Failing::default();
    loop {
        match within(round(&system, retention)).await {
            Ok(0) => {
                failing.succeeded();
                tokio::time::sleep(EVERY).await;
            }
            Ok(_) => tokio::time::sleep(REST).await,
            Err(error) => {
                failing.failed(&error, "old events cannot be removed");
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

/// Removes a batch. Answers how many it removed, and says how far behind consumers are when that is none.
async fn round(system: &SystemStore, retention: Retention) -> Result<i64, Failure> {
    let trimmed = trim(system, retention).await?;
    if trimmed == 0 {
        let lag = sqlx::query_scalar(LAG)
            .fetch_one(&mut *system.connection().await?)
            .await;
        metrics::consumer_lag(lag.as_ref().copied().unwrap_or(f64::NAN));
        lag?;
    }
    Ok(trimmed)
}

async fn trim(system: &SystemStore, retention: Retention) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT trim_events(make_interval(days => $1), make_interval(days => $2), $3)")
        .bind(retention.days)
        .bind(retention.longest_days)
        .bind(BATCH)
        .fetch_one(&mut *system.connection().await?)
        .await
        .map_err(database)
}
