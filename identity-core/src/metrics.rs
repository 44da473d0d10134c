//! What this core tells Prometheus beside its calls, which `runtime::observe` counts. Each name stands once.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::error::{Error, database};
use crate::store::{Store, SystemStore};

/// How often what must be asked for is asked for.
const EVERY: Duration = Duration::from_secs(5);

const CONNECTIONS: &str = "portcullis_database_connections";
const WAIT: &str = "portcullis_database_wait_seconds";
const REFUSED: &str = "portcullis_database_refused_total";
const WAITING: &str = "portcullis_outbox_waiting";
const LAG: &str = "portcullis_outbox_lag_seconds";
const END: &str = "portcullis_access_end_seconds";
const PRUNE: &str = "portcullis_access_prune_seconds";
const LEASE_AGE: &str = "portcullis_lease_age_seconds";
const GENERATIONS: &str = "portcullis_generations_total";
const LINKED: &str = "portcullis_access_linked";
const NUMBERED: &str = "portcullis_events_numbered_total";
const UNNUMBERED: &str = "portcullis_events_unnumbered";
const UNNUMBERED_AGE: &str = "portcullis_events_unnumbered_seconds";
const SUBSCRIPTIONS: &str = "portcullis_event_subscriptions";
const CONSUMER_LAG: &str = "portcullis_event_consumer_lag_seconds";
const EXPIRING: &str = "portcullis_credentials_expiring";
const JWKS_FETCHES: &str = "portcullis_jwks_fetches_total";

/// No more are counted.
const COUNTED: i64 = 100_000;

/// How a fetch of an issuer's keys went.
#[derive(Clone, Copy)]
pub(crate) enum JwksFetch {
    Fetched,
    /// Its URL leads to an address that is not public.
    Refused,
    Failed,
}

impl JwksFetch {
    const ALL: [JwksFetch; 3] = [JwksFetch::Fetched, JwksFetch::Refused, JwksFetch::Failed];

    fn label(self) -> &'static str {
        match self {
            JwksFetch::Fetched => "fetched",
            JwksFetch::Refused => "refused",
            JwksFetch::Failed => "failed",
        }
    }
}

/// Says what the metrics are.
pub(crate) fn describe() {
    describe_gauge!(
        CONNECTIONS,
        "Connections to PostgreSQL, by lane and by whether they are idle or in use"
    );
    describe_counter!(
        REFUSED,
        "Requests that were refused at once as too many of their tenant waited for a connection, by lane"
    );
    describe_histogram!(
        WAIT,
        "How long a request waited for a connection to PostgreSQL, by lane"
    );
    describe_gauge!(
        WAITING,
        "Changes of access that wait to be applied to the registers, of all cores"
    );
    describe_gauge!(LAG, "Age of the oldest change of access that waits, of all cores");
    describe_histogram!(
        END,
        "E, from above: from the statement that changed access to its register's move, by PostgreSQL's clock"
    );
    describe_histogram!(
        PRUNE,
        "From the statement that changed access to the acknowledgement that its sessions are deleted, of a tenant for each bucket"
    );
    describe_gauge!(
        LEASE_AGE,
        "Since when this core did not renew the leases; the registers may be trusted for 3 s"
    );
    describe_counter!(
        GENERATIONS,
        "Generations of buckets that this core drew, each with blank registers"
    );
    describe_gauge!(
        LINKED,
        "1 while this core's relay is linked to every master that holds registers in Redis"
    );
    describe_counter!(NUMBERED, "Events that this core numbered, so that they can be read");
    describe_gauge!(UNNUMBERED, "Events that wait for a number, of all cores");
    describe_gauge!(
        UNNUMBERED_AGE,
        "Age of the oldest event that waits for a number, of all cores"
    );
    describe_gauge!(SUBSCRIPTIONS, "Subscriptions to events that are open at this core");
    describe_gauge!(
        CONSUMER_LAG,
        "Age of the oldest event that a consumer did not acknowledge, of all consumers"
    );
    describe_gauge!(
        EXPIRING,
        "Static tokens and client secrets that end within 30, 7 or 1 days and were not rotated, each counted once, of all cores"
    );
    describe_counter!(
        JWKS_FETCHES,
        "Fetches of the keys of issuers that sign clients' assertions, by outcome"
    );
    for outcome in JwksFetch::ALL {
        counter!(JWKS_FETCHES, "outcome" => outcome.label()).absolute(0);
    }
    counter!(GENERATIONS).absolute(0);
    counter!(NUMBERED).absolute(0);
    counter!(REFUSED, "lane" => "tenants").absolute(0);
    gauge!(LINKED).set(0);
    gauge!(SUBSCRIPTIONS).set(0);
}

/// A request waited so long for a connection.
pub(crate) fn waited(lane: &'static str, wait: Duration) {
    histogram!(WAIT, "lane" => lane).record(wait.as_secs_f64());
}

/// A request was refused, as too many of its tenant wait.
pub(crate) fn refused(lane: &'static str) {
    counter!(REFUSED, "lane" => lane).increment(1);
}

/// A register moved so long after its change.
pub(crate) fn access_moved(seconds: f64) {
    histogram!(END).record(seconds);
}

/// The sessions of a bucket were pruned so long after the change that ended them.
pub(crate) fn access_pruned(seconds: f64) {
    histogram!(PRUNE).record(seconds);
}

/// The leases were renewed so long ago.
pub(crate) fn lease_age(age: Duration) {
    gauge!(LEASE_AGE).set(age.as_secs_f64());
}

/// So many buckets have a new generation.
pub(crate) fn generations_drawn(buckets: usize) {
    counter!(GENERATIONS).increment(buckets as u64);
}

/// Whether the relay has a link to the registers.
pub(crate) fn linked(linked: bool) {
    gauge!(LINKED).set(f64::from(u8::from(linked)));
}

/// So many events have a number now.
pub(crate) fn events_numbered(events: i64) {
    counter!(NUMBERED).increment(events.unsigned_abs());
}

/// So many subscriptions are open.
pub(crate) fn subscriptions(open: usize) {
    gauge!(SUBSCRIPTIONS).set(u32::try_from(open).unwrap_or(u32::MAX));
}

/// The slowest consumer is so many seconds behind.
pub(crate) fn consumer_lag(seconds: f64) {
    gauge!(CONSUMER_LAG).set(seconds);
}

/// So many credentials end within so many days; those of nearer ends are not counted again.
pub(crate) fn credentials_expiring(ahead: &[i32], counts: &[(i32, i64)]) {
    for days in ahead {
        let count = counts.iter().find(|(of, _)| of == days).map_or(0, |(_, count)| *count);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!(EXPIRING, "days" => days.to_string()).set(count as f64);
    }
}

/// The keys of an issuer were asked for.
pub(crate) fn jwks_fetched(outcome: JwksFetch) {
    counter!(JWKS_FETCHES, "outcome" => outcome.label()).increment(1);
}

/// Asks for ever.
pub(crate) async fn sample(store: Store, system: SystemStore) {
    loop {
        for (lane, in_use, idle) in store.usage() {
            gauge!(CONNECTIONS, "lane" => lane, "state" => "in_use").set(in_use);
            gauge!(CONNECTIONS, "lane" => lane, "state" => "idle").set(idle);
        }
        match waiting(&system).await {
            Ok((count, lag)) => {
                gauge!(WAITING).set(count);
                gauge!(LAG).set(lag);
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the outbox was not counted");
                gauge!(WAITING).set(f64::NAN);
                gauge!(LAG).set(f64::NAN);
            }
        }
        match unnumbered(&system).await {
            Ok((count, age)) => {
                gauge!(UNNUMBERED).set(count);
                gauge!(UNNUMBERED_AGE).set(age);
            }
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "events without a number were not counted"
                );
                gauge!(UNNUMBERED).set(f64::NAN);
                gauge!(UNNUMBERED_AGE).set(f64::NAN);
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// How many changes of access wait, and how long the oldest has waited. An index holds just these.
async fn waiting(system: &SystemStore) -> Result<(f64, f64), Error> {
    sqlx::query_as(
        "SELECT count(*)::float8, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
         FROM outbox WHERE access_epoch IS NOT NULL AND applied_at IS NULL",
    )
    .fetch_one(&mut *system.connection().await?)
    .await
    .map_err(database)
}

/// How many events wait for a number, and how long the oldest has waited. Nearly none do, as a rule.
async fn unnumbered(system: &SystemStore) -> Result<(f64, f64), Error> {
    sqlx::query_as(
        "SELECT count(*)::float8, coalesce(extract(epoch FROM clock_timestamp() - min(u.since)), 0)::float8
         FROM (SELECT since FROM event_unnumbered LIMIT $1) AS u",
    )
    .bind(COUNTED)
    .fetch_one(&mut *system.connection().await?)
    .await
    .map_err(database)
}
