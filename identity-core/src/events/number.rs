//! Numbers what was committed, and tells the subscriptions of this core. One core at a time numbers; each tells its own.

use std::time::Duration;

use uuid::Uuid;

use super::subscribers::Subscribers;
use crate::access::Wake;
use crate::failing::{Failing, Failure, within};
use crate::metrics;
use crate::store::SystemStore;

/// How many events one batch numbers, about.
const BATCH: i64 = 1_000;
/// The least wait between two looks when nobody woke the task: most writers do not, and another core may have numbered.
const POLL: Duration = Duration::from_millis(100);
/// The wait after a batch that was not full: under load many events share one commit.
const REST: Duration = Duration::from_millis(20);

/// Numbers for ever.
pub(super) async fn keep_numbered(system: SystemStore, subscribers: Subscribers, wake: Wake) {
    let mut failing = Failing::default();
    loop {
        match within(round(&system, &subscribers)).await {
            Ok(BATCH..) => failing.succeeded(),
            Ok(1..) => {
                failing.succeeded();
                tokio::time::sleep(REST).await;
            }
            nothing => {
                match nothing {
                    Ok(_) => failing.succeeded(),
                    Err(error) => failing.failed(&error, "events cannot be numbered"),
                }
                tokio::select! { () = wake.called_for_events() => {}, () = tokio::time::sleep(POLL) => {} }
            }
        }
    }
}

/// Numbers a batch and tells of it. Answers how many it numbered.
async fn round(system: &SystemStore, subscribers: &Subscribers) -> Result<i64, Failure> {
    let numbered: i64 = sqlx::query_scalar("SELECT number_events($1)")
        .bind(BATCH)
        .fetch_one(&mut *system.connection().await?)
        .await?;
    metrics::events_numbered(numbered);
    let tenants = subscribers.tenants();
    if !tenants.is_empty() {
        let streams: Vec<(Uuid, i64)> =
            sqlx::query_as("SELECT tenant_id, last_sequence FROM event_stream WHERE tenant_id = ANY ($1)")
                .bind(tenants)
                .fetch_all(&mut *system.connection().await?)
                .await?;
        subscribers.tell(&streams);
    }
    Ok(numbered)
}
