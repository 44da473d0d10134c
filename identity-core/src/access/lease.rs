//! Leases: a bucket's registers may be trusted for a few seconds at a time, and only while PostgreSQL confirms that no
//! change of access waits for longer than a second.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use identity_proto::access::{BUCKETS, LEASE_MS};
use runtime::sabotage::{failpoint, is_removed};
use uuid::Uuid;

use super::link::Link;
use super::relay::Links;
use crate::failing::{Failing, Failure, within};
use crate::metrics;
use crate::store::SystemStore;

/// How often leases are renewed.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Renews the leases of all buckets that have a link. A master that does not answer delays no other's.
pub(super) async fn keep_leased(system: SystemStore, mut links: Links) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut renewed, mut failing) = (Instant::now(), Failing::default());
    loop {
        metrics::lease_age(renewed.elapsed());
        let linked = links.now().all();
        let renewals = linked.iter().map(|link| within(renew_leases(&system, link)));
        let (mut granted, mut failed) = (0, None);
        for renewal in join_all(renewals).await {
            match renewal {
                Ok(count) => granted += count,
                Err(error) => failed = Some(error),
            }
        }
        if granted == BUCKETS {
            renewed = Instant::now();
        }
        match failed {
            None => failing.succeeded(),
            Some(error) => {
                failing.failed(&error, "leases were not renewed");
                // A link may be over, and the next one not be there yet.
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
        metrics::lease_age(renewed.elapsed());
        tokio::select! { _ = tick.tick() => {}, () = links.changed() => {} }
    }
}

/// Reads Redis's clock first, then asks PostgreSQL, then grants: a relay that freezes anywhere between grants nothing
/// that reaches beyond what it saw.
pub(super) async fn renew_leases(system: &SystemStore, link: &Link) -> Result<u8, Failure> {
    let before = link.time().await?;
    let (tenants, ids): (Vec<Uuid>, Vec<i64>) = link.waiting_elsewhere().iter().copied().unzip();
    let rows: Vec<(i16, bool, bool)> = sqlx::query_as(
        "WITH tenants_late AS MATERIALIZED (
             SELECT FROM outbox
             WHERE access_epoch IS NOT NULL AND applied_at IS NULL AND coalesce(bucket, -1) = -1
               AND created_at NOT BETWEEN clock_timestamp() - interval '1 s' AND clock_timestamp() + interval '1 s'
               AND (tenant_id, outbox_id) NOT IN (SELECT * FROM unnest($4::uuid[], $5::bigint[]))
             LIMIT 1
         )
         SELECT b.bucket, b.gen = ours.gen AND b.redis_incarnation = $3 AND b.pg_incarnation = pg_incarnation(),
                NOT EXISTS (SELECT FROM tenants_late) AND NOT EXISTS (
                    SELECT FROM outbox AS o
                    WHERE o.access_epoch IS NOT NULL AND o.applied_at IS NULL AND coalesce(o.bucket, -1) = b.bucket
                      AND o.created_at NOT BETWEEN clock_timestamp() - interval '1 s' AND clock_timestamp() + interval '1 s'
                    OFFSET 0)
         FROM access_bucket AS b JOIN unnest($1::smallint[], $2::bigint[]) AS ours (bucket, gen) USING (bucket)
         WHERE NOT pg_is_in_recovery()",
    )
    .bind(link.gens.keys().map(|bucket| i16::from(*bucket)).collect::<Vec<_>>())
    .bind(link.gens.values().copied().collect::<Vec<_>>())
    .bind(&link.incarnation)
    .bind(&tenants)
    .bind(&ids)
    .fetch_all(&mut *system.connection().await?)
    .await?;
    failpoint("lease::checked");
    let before = if is_removed("lease-order") {
        link.time().await?
    } else {
        before
    };
    if rows.iter().any(|(_, ours, _)| !ours) && !is_removed("lease-generation") {
        return Err(link.lose(None).into());
    }
    let clean: Vec<u8> = rows
        .into_iter()
        .filter(|(_, _, clean)| *clean || is_removed("backlog"))
        .filter_map(|(bucket, ..)| u8::try_from(bucket).ok())
        .collect();
    let not_granted = link.grant(&clean, before + LEASE_MS.cast_signed()).await?;
    if !ids.is_empty() {
        forget_marked(system, link, tenants, ids).await?;
    }
    Ok(u8::try_from(clean.len() - not_granted.len())?)
}

/// Changes of whole tenants that wait no longer: another core may have marked them, so this relay never claims them again.
async fn forget_marked(system: &SystemStore, link: &Link, tenants: Vec<Uuid>, ids: Vec<i64>) -> Result<(), Failure> {
    let marked: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT w.tenant_id, w.outbox_id FROM unnest($1::uuid[], $2::bigint[]) AS w (tenant_id, outbox_id)
         WHERE NOT EXISTS (SELECT FROM outbox AS o
                           WHERE o.tenant_id = w.tenant_id AND o.outbox_id = w.outbox_id AND o.applied_at IS NULL)",
    )
    .bind(tenants)
    .bind(ids)
    .fetch_all(&mut *system.connection().await?)
    .await?;
    let mut waiting = link.waiting_elsewhere();
    for one in &marked {
        waiting.remove(one);
    }
    Ok(())
}
