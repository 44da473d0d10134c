//! Keeps Redis in step with PostgreSQL: agrees on generations, moves registers, renews leases. Any number of cores may
//! run a relay at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use identity_proto::access::{BUCKETS, bucket};
use redis_topology::{Master, Table, Topology};
use runtime::sabotage::{failpoint, is_removed};
use runtime::{Health, Shutdown, trace};
use tracing::Span;
use uuid::Uuid;

use super::generation::{NoLink, agree};
use super::lease::keep_leased;
use super::link::{Announcement, Generations, Link, Register};
use super::{Epochs, Wake, state};
use crate::failing::{Failing, Failure, PATIENCE, within};
use crate::metrics;
use crate::store::SystemStore;

/// The least wait between two looks at the outbox when nobody woke the relay: the bound for a core that died between
/// commit and wake.
const POLL: Duration = Duration::from_millis(250);
/// How many changes one batch takes.
const BATCH: i64 = 256;
/// And of these from one tenant's in one bucket.
const FROM_QUEUE: i64 = 16;

/// The links to all masters, as they come and go.
pub(super) type Links = redis_topology::Links<Link>;

/// Starts the relay's tasks; they end with the shutdown.
pub(super) fn start(topology: Topology, system: SystemStore, wake: Wake, health: Health, shutdown: &Shutdown) -> Links {
    let database = system.clone();
    let (links, linking) = redis_topology::links(topology, move |master| link(master, database.clone()));
    shutdown.spawn_endless("access link", async move {
        health.ready().await;
        linking.await;
    });
    shutdown.spawn_endless("access linked", tell_linked(links.clone()));
    shutdown.spawn_endless("access apply", keep_applied(system.clone(), links.clone(), wake));
    shutdown.spawn_endless("access lease", keep_leased(system, links.clone()));
    links
}

/// One link, in bounded time.
pub(super) async fn link(master: Master, system: SystemStore) -> Result<Link, NoLink> {
    let agreed = tokio::time::timeout(PATIENCE, agree(&master, &system)).await;
    agreed.unwrap_or(Err(NoLink::Timeout))
}

async fn tell_linked(mut links: Links) {
    loop {
        metrics::linked(links.now().is_whole());
        links.changed().await;
    }
}

/// Applies changes as they are committed: woken, or every [`POLL`]; without a pause while batches are full.
async fn keep_applied(system: SystemStore, mut links: Links, wake: Wake) {
    let mut failing = Failing::default();
    loop {
        let linked = links.now().all();
        if linked.is_empty() {
            links.changed().await;
            continue;
        }
        match within(apply_batch(&system, &linked)).await {
            Ok(count) if count == BATCH => continue,
            Ok(_) => failing.succeeded(),
            Err(error) => failing.failed(&error, "what waits to be applied cannot be looked at or applied"),
        }
        tokio::select! { () = wake.called() => {}, () = tokio::time::sleep(POLL) => {} }
    }
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

/// Claims changes of the buckets of these links, moves their registers at all masters at once, and marks what was moved
/// wherever it had to. Answers how many it claimed. A master that does not answer keeps its own changes waiting and no others.
pub(super) async fn apply_batch(system: &SystemStore, links: &[Arc<Link>]) -> Result<i64, Failure> {
    let claim = Uuid::new_v4();
    let held: Vec<i16> = links
        .iter()
        .flat_map(|link| link.gens.keys().map(|bucket| i16::from(*bucket)))
        .collect();
    let changes = claim_changes(system, claim, &held).await?;
    if changes.is_empty() {
        return Ok(0);
    }
    failpoint("relay::claimed");
    let spans: Vec<Span> = changes.iter().map(Change::span).collect();
    let applying = links.iter().map(async |link| {
        let registers = registers(link, &changes, &spans);
        link.apply(&registers).await.map(|moving| (link, moving))
    });
    let (applied, lost): (Vec<_>, Vec<_>) = join_all(applying).await.into_iter().partition(Result::is_ok);
    let applied: Vec<(&Arc<Link>, Vec<u8>)> = applied.into_iter().flatten().collect();
    let mut served: Generations = applied.iter().flat_map(|(link, _)| link.gens.clone()).collect();
    for bucket in applied.iter().flat_map(|(_, moving)| moving) {
        served.remove(bucket);
    }
    for change in changes.iter().filter(|change| change.bucket.is_none()) {
        let id = (change.tenant_id, change.outbox_id);
        for (link, _) in applied.iter().filter(|(_, moving)| moving.is_empty()) {
            if change.is_served(&served) {
                link.waiting_elsewhere().remove(&id);
            } else {
                link.waiting_elsewhere().insert(id);
            }
        }
    }
    failpoint("relay::applied");
    mark_applied(system, &served, claim, &changes).await?;
    for (change, span) in changes
        .iter()
        .zip(&spans)
        .filter(|(change, _)| change.is_served(&served))
    {
        span.in_scope(|| tracing::info!(epoch = change.epoch, state = change.state, "the register moved"));
    }
    match lost.into_iter().find_map(Result::err) {
        Some(lost) => Err(lost.into()),
        None => Ok(i64::try_from(changes.len())?),
    }
}

/// Takes waiting changes, the tenants in turn. A queue is what waits of one tenant in one bucket, a whole tenant's changes count as
/// of bucket -1, and those are taken while any bucket is held. The cost follows the number of queues that wait, and not what
/// waits in them: each is found, and its first few read, by a step along the index, which is why equal keys are compared
/// as rows. A claim that reaches too far ahead is a clock that was set back, and holds nothing. Reads what the registers
/// must become from the current row: a later change that overtook this one is never undone by it.
pub(super) async fn claim_changes(system: &SystemStore, claim: Uuid, held: &[i16]) -> Result<Vec<Change>, Failure> {
    Ok(sqlx::query_as(
        "WITH RECURSIVE queues AS (
             (SELECT tenant_id, coalesce(bucket, -1) AS bucket FROM outbox
              WHERE access_epoch IS NOT NULL AND applied_at IS NULL
              ORDER BY tenant_id, coalesce(bucket, -1) LIMIT 1)
             UNION ALL
             SELECT next.* FROM queues AS q CROSS JOIN LATERAL (
                 SELECT o.tenant_id, coalesce(o.bucket, -1) FROM outbox AS o
                 WHERE o.access_epoch IS NOT NULL AND o.applied_at IS NULL
                   AND (o.tenant_id, coalesce(o.bucket, -1)) > (q.tenant_id, q.bucket)
                 ORDER BY o.tenant_id, coalesce(o.bucket, -1) LIMIT 1
             ) AS next
         ), waiting AS MATERIALIZED (
             SELECT q.tenant_id, first.outbox_id, row_number() OVER (PARTITION BY q.tenant_id ORDER BY first.outbox_id) AS turn
             FROM queues AS q CROSS JOIN LATERAL (
                 SELECT o.tenant_id, coalesce(o.bucket, -1) AS bucket, o.outbox_id FROM outbox AS o
                 WHERE o.access_epoch IS NOT NULL AND o.applied_at IS NULL
                   AND (o.tenant_id, coalesce(o.bucket, -1)) >= (q.tenant_id, q.bucket)
                   AND coalesce(o.claimed_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 s', true)
                 ORDER BY o.tenant_id, coalesce(o.bucket, -1), o.outbox_id LIMIT $4
             ) AS first
             WHERE (first.tenant_id, first.bucket) = (q.tenant_id, q.bucket)
               AND (q.bucket = -1 OR q.bucket = ANY ($3::smallint[]))
         ), picked AS (
             SELECT o.tenant_id, o.outbox_id
             FROM outbox AS o JOIN waiting USING (tenant_id, outbox_id)
             WHERE waiting.turn <= 64 AND o.access_epoch IS NOT NULL AND o.applied_at IS NULL
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
    .bind(held)
    .bind(FROM_QUEUE)
    .fetch_all(&mut *system.connection().await?)
    .await?)
}

impl Change {
    fn is_served(&self, served: &Generations) -> bool {
        match self.bucket {
            Some(bucket) => u8::try_from(bucket).is_ok_and(|bucket| served.contains_key(&bucket)),
            None => served.len() == usize::from(BUCKETS),
        }
    }

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

/// What the changes mean to a link. Those of whole tenants that it has and that wait for others are left out: they would be
/// announced again with each claim.
fn registers(link: &Link, changes: &[Change], spans: &[Span]) -> BTreeMap<u8, Vec<Register>> {
    let has = link.waiting_elsewhere().clone();
    let is_new = |change: &Change| change.bucket.is_some() || !has.contains(&(change.tenant_id, change.outbox_id));
    let mut by_bucket: BTreeMap<u8, Vec<Register>> = BTreeMap::new();
    for (change, span) in changes.iter().zip(spans).filter(|(change, _)| is_new(change)) {
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
            None => {
                for bucket in link.gens.keys() {
                    by_bucket.entry(*bucket).or_default().push(register.clone());
                }
            }
        }
    }
    by_bucket
}

/// Marks what was applied, as far as it is still claimed by us, all of its buckets were served, and PostgreSQL still has the
/// generations that they were served under: what went to the registers of an older generation must go to the new one's too.
pub(super) async fn mark_applied(
    system: &SystemStore,
    served: &Generations,
    claim: Uuid,
    changes: &[Change],
) -> Result<(), Failure> {
    let moved: Vec<f64> = sqlx::query_scalar(
        "UPDATE outbox AS o SET applied_at = clock_timestamp(), claim = NULL, claimed_until = NULL
         FROM unnest($2::uuid[], $3::bigint[]) AS done (tenant_id, outbox_id)
         WHERE o.tenant_id = done.tenant_id AND o.outbox_id = done.outbox_id AND o.claim = $1
           AND ($6 OR NOT EXISTS (
               SELECT FROM access_bucket AS b LEFT JOIN unnest($4::smallint[], $5::bigint[]) AS ours (bucket, gen) USING (bucket)
               WHERE b.gen IS DISTINCT FROM ours.gen AND b.bucket = coalesce(o.bucket, b.bucket)))
         RETURNING extract(epoch FROM o.applied_at - o.created_at)::float8",
    )
    .bind(claim)
    .bind(changes.iter().map(|change| change.tenant_id).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.outbox_id).collect::<Vec<_>>())
    .bind(served.keys().map(|bucket| i16::from(*bucket)).collect::<Vec<_>>())
    .bind(served.values().copied().collect::<Vec<_>>())
    .bind(is_removed("mark-generation"))
    .fetch_all(&mut *system.connection().await?)
    .await?;
    moved.into_iter().for_each(metrics::access_moved);
    Ok(())
}

/// Moves registers to what was just read from PostgreSQL, so that the next validation need not ask. The links must have
/// been taken before the read: their generations date the answer.
pub(super) async fn answer(links: Table<Link>, tenant: Uuid, user: Uuid, epochs: Epochs) {
    let bucket = bucket(tenant, user);
    let Some(link) = links.of(bucket) else { return };
    failpoint("answer::read");
    let register = |user, (epoch, state)| Register {
        tenant,
        user,
        epoch,
        state,
        announced: None,
    };
    let registers = vec![register(None, epochs.tenant), register(Some(user), epochs.user)];
    if let Err(error) = link.apply(&BTreeMap::from([(bucket, registers)])).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "an answer was not applied");
    }
}
