//! Agrees with PostgreSQL which Redis process holds the registers of a master's buckets, each time that a connection is made.
//!
//! PostgreSQL holds for each bucket its generation, the Redis process that it lives in, and its own incarnation. Any
//! difference — another process, a generation that Redis lost or never had, a PostgreSQL that restarted or was restored —
//! draws a new generation: first in PostgreSQL by compare-and-set, then in Redis. Its registers are blank.

use redis::aio::MultiplexedConnection;
use redis_topology::Master;
use runtime::sabotage::failpoint;

use super::link::{Generations, Link, begin_generations, connect, read_generations, who};
use crate::metrics;
use crate::store::SystemStore;

/// Why no link could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLink {
    #[error("Redis cannot be reached")]
    Redis(#[from] redis::RedisError),
    #[error("PostgreSQL cannot be reached")]
    Database(#[from] sqlx::Error),
    #[error("PostgreSQL cannot be reached")]
    Store(#[from] crate::Error),
    #[error("this Redis is a replica; the relay needs the master")]
    Replica,
    #[error("another relay agreed on other generations meanwhile")]
    Raced,
    #[error("PostgreSQL or Redis did not answer in time")]
    Timeout,
}

#[derive(sqlx::FromRow)]
struct BucketRow {
    #[sqlx(rename = "gen")]
    generation: i64,
    redis_incarnation: String,
    pg_incarnation: String,
    pg_incarnation_now: String,
}

/// Connects, compares, and draws new generations where needed.
pub(super) async fn agree(master: &Master, system: &SystemStore) -> Result<Link, NoLink> {
    let mut connection = connect(&master.client).await?;
    let (redis, _) = who(&mut connection).await?;
    if !redis.master {
        return Err(NoLink::Replica);
    }
    let in_redis = read_generations(&mut connection, &master.buckets).await?;
    let in_postgres = read_buckets(system, &master.buckets).await?;

    let mut gens = Generations::new();
    let mut stale = Vec::new();
    for ((bucket, row), standing) in master.buckets.iter().zip(&in_postgres).zip(&in_redis) {
        gens.insert(*bucket, row.generation);
        let agreed = row.generation != 0
            && *standing == Some(row.generation)
            && row.redis_incarnation == redis.id
            && row.pg_incarnation == row.pg_incarnation_now;
        if !agreed {
            stale.push((*bucket, row, *standing));
        }
    }
    if !stale.is_empty() {
        renew(system, &mut connection, &redis.id, &stale, &mut gens).await?;
        metrics::generations_drawn(stale.len());
        tracing::warn!(
            buckets = stale.len(),
            "new generations: registers are blank and fill from PostgreSQL"
        );
    }
    Ok(Link::new(connection, redis.id, gens))
}

/// In the order of `buckets`, which rise.
async fn read_buckets(system: &SystemStore, buckets: &[u8]) -> Result<Vec<BucketRow>, NoLink> {
    Ok(sqlx::query_as(
        "SELECT gen, redis_incarnation, pg_incarnation, pg_incarnation() AS pg_incarnation_now
         FROM access_bucket WHERE bucket = ANY ($1::smallint[]) ORDER BY bucket",
    )
    .bind(buckets.iter().map(|bucket| i16::from(*bucket)).collect::<Vec<_>>())
    .fetch_all(&mut *system.connection().await?)
    .await?)
}

/// Draws generations for the stale buckets: compare-and-set in PostgreSQL, then in Redis. If another relay was faster
/// in any of them, the whole agreement is tried again.
async fn renew(
    system: &SystemStore,
    connection: &mut MultiplexedConnection,
    redis_incarnation: &str,
    stale: &[(u8, &BucketRow, Option<i64>)],
    gens: &mut Generations,
) -> Result<(), NoLink> {
    let drawn: Vec<(i16, i64)> = sqlx::query_as(
        "UPDATE access_bucket AS b
         SET gen = next_epoch(b.gen), redis_incarnation = $1, pg_incarnation = pg_incarnation()
         FROM unnest($2::smallint[], $3::bigint[], $4::text[], $5::text[]) AS seen (bucket, gen, redis, pg)
         WHERE b.bucket = seen.bucket AND b.gen = seen.gen
           AND b.redis_incarnation = seen.redis AND b.pg_incarnation = seen.pg
         RETURNING b.bucket, b.gen",
    )
    .bind(redis_incarnation)
    .bind(stale.iter().map(|(bucket, ..)| i16::from(*bucket)).collect::<Vec<_>>())
    .bind(stale.iter().map(|(_, row, _)| row.generation).collect::<Vec<_>>())
    .bind(
        stale
            .iter()
            .map(|(_, row, _)| row.redis_incarnation.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        stale
            .iter()
            .map(|(_, row, _)| row.pg_incarnation.as_str())
            .collect::<Vec<_>>(),
    )
    .fetch_all(&mut *system.connection().await?)
    .await?;

    failpoint("generation::drawn");
    let mut changes = Vec::with_capacity(stale.len());
    for (bucket, _, standing) in stale {
        let new = drawn
            .iter()
            .find(|(number, _)| *number == i16::from(*bucket))
            .map(|(_, new)| *new);
        let new = new.ok_or(NoLink::Raced)?;
        gens.insert(*bucket, new);
        changes.push((*bucket, *standing, new));
    }
    let begun = begin_generations(connection, &changes).await?;
    if begun.contains(&false) {
        Err(NoLink::Raced)
    } else {
        Ok(())
    }
}
