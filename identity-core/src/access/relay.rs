//! Keeps Redis in step with PostgreSQL: agrees on generations, moves registers, renews leases. Any number of cores may
//! run a relay at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use identity_proto::access::{BUCKETS, bucket, buckets};
use runtime::sabotage::{failpoint, is_removed};
use runtime::{Health, Shutdown, trace};
use tokio::sync::watch;
use tracing::Span;
use uuid::Uuid;

use super::generation::{NoLink, agree};
use super::lease::keep_leased;
use super::link::{Announcement, Link, Register};
use super::{Epochs, Wake, state};
use crate::failing::{Failing, Failure, PATIENCE, within};
use crate::metrics;
use crate::store::SystemStore;

/// The least wait between two looks at the outbox when nobody woke the relay: the bound for a core that died between
/// commit and wake.
const POLL: Duration = Duration::from_millis(250);
/// How many changes one batch takes.
const BATCH: i64 = 256;

/// A link that lasted no longer is not replaced at once.
const SHORT_LIVED: Duration = Duration::from_millis(500);

/// The link that stands now, if any.
pub(super) type CurrentLink = watch::Receiver<Option<Arc<Link>>>;

/// Starts the relay's tasks; they end with the shutdown.
pub(super) fn start(
    client: redis::Client,
    system: SystemStore,
    wake: Wake,
    health: Health,
    shutdown: &Shutdown,
) -> CurrentLink {
    let (sender, current) = watch::channel(None);
    let linking = keep_linked(client, system.clone(), sender);
    shutdown.spawn_endless("access link", async move {
        health.ready().await;
        linking.await;
    });
    shutdown.spawn_endless("access apply", keep_applied(system.clone(), current.clone(), wake));
    shutdown.spawn_endless("access lease", keep_leased(system, current.clone()));
    current
}

/// Makes a link, publishes it, and makes the next one when it is over.
async fn keep_linked(client: redis::Client, system: SystemStore, sender: watch::Sender<Option<Arc<Link>>>) {
    let mut quiet = false;
    loop {
        let agreed = tokio::time::timeout(PATIENCE, agree(&client, &system)).await;
        match agreed.unwrap_or(Err(NoLink::Timeout)) {
            Ok(link) => {
                tracing::info!("the access registers are linked");
                quiet = false;
                let (link, made) = (Arc::new(link), tokio::time::Instant::now());
                sender.send_replace(Some(link.clone()));
                metrics::linked(true);
                link.over.cancelled().await;
                sender.send_replace(None);
                metrics::linked(false);
                tracing::warn!("the link to the access registers is over; making another");
                // A Redis that lets in but takes no writes would be linked and lost in a loop.
                if made.elapsed() < SHORT_LIVED {
                    tokio::time::sleep(SHORT_LIVED).await;
                }
            }
            Err(error) => {
                if !quiet {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "no link to the access registers yet"
                    );
                }
                quiet = true;
                // At odd times, so that two relays that disturbed each other do not do so again.
                let odd = u64::from(Uuid::new_v4().as_bytes()[0]);
                tokio::time::sleep(Duration::from_millis(100 + odd)).await;
            }
        }
    }
}

/// Applies changes as they are committed: woken, or every [`POLL`]; without a pause while batches are full.
async fn keep_applied(system: SystemStore, mut current: CurrentLink, wake: Wake) {
    let mut failing = Failing::default();
    loop {
        let Some(link) = linked(&mut current).await else { return };
        match within(apply_batch(&system, &link)).await {
            Ok(count) if count == BATCH => continue,
            Ok(_) => failing.succeeded(),
            Err(error) => failing.failed(&error, "what waits to be applied cannot be looked at or applied"),
        }
        tokio::select! { () = wake.called() => {}, () = tokio::time::sleep(POLL) => {} }
    }
}

/// Waits for a link; `None` once there can be no more.
pub(super) async fn linked(current: &mut CurrentLink) -> Option<Arc<Link>> {
    current.wait_for(Option::is_some).await.ok()?.clone()
}

#[derive(sqlx::FromRow)]
pub(super) struct Change {
    tenant_id: Uuid,
    outbox_id: i64,
    user_id: Option<Uuid>,
    bucket: Option<i16>,
    epoch: i64,
    state: String,
    request_id: Option<String>,
    trace_parent: Option<String>,
}

/// Claims changes, moves their registers, marks them. Answers how many it claimed.
pub(super) async fn apply_batch(system: &SystemStore, link: &Link) -> Result<i64, Failure> {
    let claim = Uuid::new_v4();
    let changes = claim_changes(system, claim).await?;
    if changes.is_empty() {
        return Ok(0);
    }
    failpoint("relay::claimed");
    let spans: Vec<Span> = changes.iter().map(Change::span).collect();
    let by_bucket = registers(&changes, &spans);
    link.apply(&by_bucket).await?;
    failpoint("relay::applied");
    mark_applied(system, link, claim, &changes).await?;
    for (change, span) in changes.iter().zip(&spans) {
        span.in_scope(|| tracing::info!(epoch = change.epoch, state = change.state, "the register moved"));
    }
    Ok(i64::try_from(changes.len())?)
}

/// Takes waiting changes, the tenants in turn (a skip scan finds them: the cost follows the number of tenants that wait, not what waits). A
/// claim that reaches too far ahead is a clock that was set back, and holds nothing. Reads what the registers must become from the
/// current row: a later change that overtook this one is never undone by it.
pub(super) async fn claim_changes(system: &SystemStore, claim: Uuid) -> Result<Vec<Change>, Failure> {
    Ok(sqlx::query_as(
        "WITH RECURSIVE tenants AS (
             (SELECT tenant_id FROM outbox WHERE access_epoch IS NOT NULL AND applied_at IS NULL
              ORDER BY tenant_id LIMIT 1)
             UNION ALL
             SELECT (SELECT o.tenant_id FROM outbox AS o
                     WHERE o.access_epoch IS NOT NULL AND o.applied_at IS NULL AND o.tenant_id > t.tenant_id
                     ORDER BY o.tenant_id LIMIT 1)
             FROM tenants AS t WHERE t.tenant_id IS NOT NULL
         ), waiting AS MATERIALIZED (
             SELECT turns.* FROM tenants AS t CROSS JOIN LATERAL (
                 SELECT o.tenant_id, o.outbox_id, row_number() OVER (ORDER BY o.outbox_id) AS turn
                 FROM outbox AS o
                 WHERE o.tenant_id = t.tenant_id AND o.access_epoch IS NOT NULL AND o.applied_at IS NULL
                   AND coalesce(o.claimed_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 s', true)
                 ORDER BY o.outbox_id LIMIT 64
             ) AS turns
         ), picked AS (
             SELECT o.tenant_id, o.outbox_id
             FROM outbox AS o JOIN waiting USING (tenant_id, outbox_id)
             WHERE o.access_epoch IS NOT NULL AND o.applied_at IS NULL
               AND coalesce(o.claimed_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 s', true)
             ORDER BY waiting.turn, waiting.outbox_id LIMIT $2
             FOR UPDATE OF o SKIP LOCKED
         ), claimed AS (
             UPDATE outbox AS o
             SET claim = $1, claimed_until = clock_timestamp() + interval '2 s'
             FROM picked WHERE o.tenant_id = picked.tenant_id AND o.outbox_id = picked.outbox_id
             RETURNING o.tenant_id, o.outbox_id, o.user_id, o.bucket, o.access_epoch, o.request_id, o.trace_parent
         )
         SELECT c.tenant_id, c.outbox_id, c.user_id, c.bucket, c.request_id, c.trace_parent,
                coalesce(u.epoch, t.epoch, c.access_epoch) AS epoch, coalesce(u.state, t.state, 'deleted') AS state
         FROM claimed AS c
         LEFT JOIN user_access AS u ON u.tenant_id = c.tenant_id AND u.user_id = c.user_id
         LEFT JOIN tenant_access AS t ON t.tenant_id = c.tenant_id AND c.user_id IS NULL",
    )
    .bind(claim)
    .bind(BATCH)
    .fetch_all(&mut *system.connection().await?)
    .await?)
}

impl Change {
    /// The part of the change's trace that is the relay's. At the level of errors, so that its lines always have the
    /// request's id.
    fn span(&self) -> Span {
        let request = self.request_id.as_deref().unwrap_or_default();
        let user = self.user_id.map(|user| user.to_string()).unwrap_or_default();
        let span = tracing::error_span!("apply", request.id = request, tenant.id = %self.tenant_id, user.id = user);
        trace::follow(&span, self.trace_parent.as_deref().unwrap_or_default());
        span
    }
}

fn registers(changes: &[Change], spans: &[Span]) -> Vec<(u8, Vec<Register>)> {
    let mut by_bucket: BTreeMap<u8, Vec<Register>> = BTreeMap::new();
    for (change, span) in changes.iter().zip(spans) {
        let announced = Announcement {
            request_id: change.request_id.clone().unwrap_or_default(),
            trace_parent: trace::parent(span).unwrap_or_default(),
        };
        let register = Register {
            tenant: change.tenant_id,
            user: change.user_id,
            epoch: change.epoch,
            state: state(&change.state),
            announced: Some(announced),
        };
        match change.bucket.and_then(|bucket| u8::try_from(bucket).ok()) {
            Some(bucket) => by_bucket.entry(bucket).or_default().push(register),
            None => buckets().for_each(|bucket| by_bucket.entry(bucket).or_default().push(register.clone())),
        }
    }
    by_bucket.into_iter().collect()
}

/// Marks what was applied, as far as it is still claimed by us and PostgreSQL still has the generations that it was
/// applied under: what went to the registers of an older generation must go to the new one's too.
pub(super) async fn mark_applied(
    system: &SystemStore,
    link: &Link,
    claim: Uuid,
    changes: &[Change],
) -> Result<(), Failure> {
    let compared = if is_removed("mark-generation") { 0 } else { BUCKETS };
    let moved: Vec<f64> = sqlx::query_scalar(
        "UPDATE outbox AS o SET applied_at = clock_timestamp(), claim = NULL, claimed_until = NULL
         FROM unnest($2::uuid[], $3::bigint[]) AS done (tenant_id, outbox_id)
         WHERE o.tenant_id = done.tenant_id AND o.outbox_id = done.outbox_id AND o.claim = $1
           AND NOT EXISTS (
               SELECT FROM access_bucket AS b JOIN unnest($4::smallint[], $5::bigint[]) AS ours (bucket, gen) USING (bucket)
               WHERE b.gen <> ours.gen AND b.bucket = coalesce(o.bucket, b.bucket))
         RETURNING extract(epoch FROM o.applied_at - o.created_at)::float8",
    )
    .bind(claim)
    .bind(changes.iter().map(|change| change.tenant_id).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.outbox_id).collect::<Vec<_>>())
    .bind((0..i16::from(compared)).collect::<Vec<_>>())
    .bind(&link.gens[..usize::from(compared)])
    .fetch_all(&mut *system.connection().await?)
    .await?;
    moved.into_iter().for_each(metrics::access_moved);
    Ok(())
}

/// Moves registers to what was just read from PostgreSQL, so that the next validation need not ask. The link must have
/// been taken before the read: its generation dates the answer.
pub(super) async fn answer(link: Option<Arc<Link>>, tenant: Uuid, user: Uuid, epochs: Epochs) {
    let Some(link) = link else { return };
    failpoint("answer::read");
    let register = |user, (epoch, state)| Register {
        tenant,
        user,
        epoch,
        state,
        announced: None,
    };
    let registers = vec![register(None, epochs.tenant), register(Some(user), epochs.user)];
    if let Err(error) = link.apply(&[(bucket(tenant, user), registers)]).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "an answer was not applied");
    }
}
