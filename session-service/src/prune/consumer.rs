//! Reads the streams of all buckets in one consumer group and prunes as told.
//!
//! Delivery is at-least-once: an entry that was not finished is taken over by whoever lives, and after five tries it goes
//! to the bucket's dead letters, so that it delays nobody. One that cannot be understood is handed on at once, so that its five tries
//! take seconds. Its register moved before it was ever announced.

use std::time::Duration;

use identity_proto::access::{CONSUMER_GROUP, stream};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::streams::{
    StreamId, StreamInfoConsumer, StreamInfoConsumersReply, StreamPendingCountReply, StreamReadOptions, StreamReadReply,
};
use redis::{AsyncCommands, AsyncConnectionConfig, RedisError, RedisResult};
use redis_topology::{Master, Topology};
use runtime::trace;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;
use uuid::Uuid;

use super::Prune;
use super::announcement::Announcement;
use crate::metrics;

/// How long one read waits for news.
const BLOCK: Duration = Duration::from_secs(2);
/// How often a master of a Cluster is asked for news: it takes no read of several streams.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many entries a read takes from each bucket.
const COUNT: usize = 100;
/// After how long an unfinished entry is taken over, and how often that is looked for.
const IDLE_MS: usize = 10_000;
const TAKE_OVER_EVERY: Duration = Duration::from_secs(1);
const TRIM_EVERY: Duration = Duration::from_secs(5);
/// After how long without a sign a consumer without entries is one of a former life.
const FORGOTTEN_MS: usize = 3_600_000;
/// How often an entry is tried.
const TRIES: usize = 5;

/// Consumes for ever: at each master what its buckets' streams hold.
pub(super) async fn consume(prune: Prune, topology: Topology) {
    let name = Uuid::new_v4().simple().to_string();
    let (_reading, linking) = redis_topology::links(topology, move |master| begin(prune.clone(), master, name.clone()));
    linking.await;
}

/// One connection's life.
struct Reading {
    over: CancellationToken,
    /// Nobody reads on when this is forgotten.
    _end: DropGuard,
}

impl redis_topology::Link for Reading {
    fn over(&self) -> &CancellationToken {
        &self.over
    }
}

/// A blocking read needs a connection of its own.
async fn begin(prune: Prune, master: Master, name: String) -> RedisResult<Reading> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_millis(250)))
        .set_response_timeout(Some(BLOCK + Duration::from_secs(1)));
    let mut connection = master
        .client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    make_groups(&mut connection, &master.buckets).await?;
    forget_consumers(&mut connection, &master.buckets).await?;
    let over = CancellationToken::new();
    let (reading, ended) = (over.clone(), over.clone());
    tokio::spawn(async move {
        let Some(Err(error)) = reading
            .run_until_cancelled(read(&prune, connection, &master, &name))
            .await
        else {
            return;
        };
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the streams cannot be read; trying again"
        );
        reading.cancel();
    });
    Ok(Reading {
        over,
        _end: ended.drop_guard(),
    })
}

async fn read(
    prune: &Prune,
    mut connection: MultiplexedConnection,
    master: &Master,
    name: &str,
) -> RedisResult<std::convert::Infallible> {
    let (mut looked, mut trimmed) = (tokio::time::Instant::now(), tokio::time::Instant::now());
    loop {
        for (bucket, id) in news(&mut connection, master, name).await? {
            finish(prune, &mut connection, name, (bucket, &id, 1)).await?;
        }
        if looked.elapsed() > TAKE_OVER_EVERY {
            looked = tokio::time::Instant::now();
            take_over(prune, &mut connection, &master.buckets, name).await?;
        }
        if trimmed.elapsed() > TRIM_EVERY {
            trimmed = tokio::time::Instant::now();
            trim(&mut connection, &master.buckets).await?;
        }
    }
}

/// Waits for new entries: at one server for all streams together, in a Cluster by looking at each now and then.
async fn news(connection: &mut MultiplexedConnection, master: &Master, name: &str) -> RedisResult<Vec<(u8, StreamId)>> {
    let options = StreamReadOptions::default().group(CONSUMER_GROUP, name).count(COUNT);
    let keys: Vec<String> = master.buckets.iter().map(|bucket| stream(*bucket)).collect();
    let replies: Vec<Option<StreamReadReply>> = if master.is_one_of_many {
        tokio::time::sleep(LOOK_EVERY).await;
        let mut pipe = redis::pipe();
        for key in &keys {
            pipe.xread_options(&[key], &[">"], &options);
        }
        pipe.query_async(connection).await?
    } else {
        let options = options.block(usize::try_from(BLOCK.as_millis()).unwrap_or(usize::MAX));
        vec![
            connection
                .xread_options(&keys, &vec![">"; keys.len()], &options)
                .await?,
        ]
    };
    let streams = replies.into_iter().flatten().flat_map(|reply| reply.keys);
    let entries = streams.filter_map(|read| {
        let at = keys.iter().position(|key| *key == read.key)?;
        Some(read.ids.into_iter().map(move |id| (at, id)))
    });
    Ok(entries.flatten().map(|(at, id)| (master.buckets[at], id)).collect())
}

/// Makes the group at the stream's beginning, so that nothing announced before is missed.
async fn make_groups(connection: &mut MultiplexedConnection, buckets: &[u8]) -> RedisResult<()> {
    for bucket in buckets {
        let made: RedisResult<()> = connection
            .xgroup_create_mkstream(stream(*bucket), CONSUMER_GROUP, "0")
            .await;
        match made {
            Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Takes consumers of former lives off the groups, once nothing waits for them.
async fn forget_consumers(connection: &mut MultiplexedConnection, buckets: &[u8]) -> RedisResult<()> {
    for bucket in buckets.iter().copied() {
        let known: StreamInfoConsumersReply = connection.xinfo_consumers(stream(bucket), CONSUMER_GROUP).await?;
        let over = |one: &&StreamInfoConsumer| one.pending == 0 && one.idle > FORGOTTEN_MS;
        for one in known.consumers.iter().filter(over) {
            let _: i64 = connection
                .xgroup_delconsumer(stream(bucket), CONSUMER_GROUP, &one.name)
                .await?;
        }
    }
    Ok(())
}

/// An id as everyone else writes it.
fn hyphenated(id: &str) -> String {
    id.parse::<Uuid>().map_or_else(|_| id.to_owned(), |id| id.to_string())
}

/// Prunes as one entry says and takes it off the list; it is delivered for the `tries`th time.
async fn finish(
    prune: &Prune,
    connection: &mut MultiplexedConnection,
    name: &str,
    (bucket, id, tries): (u8, &StreamId, usize),
) -> RedisResult<()> {
    let announced = match Announcement::read(id) {
        Ok(announced) => announced,
        Err(why) if tries < TRIES => {
            tracing::warn!(
                bucket,
                entry = id.id,
                tries,
                why,
                "an entry of the stream cannot be understood"
            );
            return hand_on(connection, bucket, name, id).await;
        }
        Err(why) => return bury(prune, bucket, id, (&why, tries)).await,
    };
    let Announcement {
        tenant,
        user,
        epoch,
        request,
        trace,
    } = announced;
    // At the level of errors, so that its lines always have the request's id.
    let span = tracing::error_span!(
        "prune",
        request.id = request,
        tenant.id = hyphenated(&tenant),
        user.id = hyphenated(&user)
    );
    trace::follow(&span, &trace);
    let pruning = async {
        match user.as_str() {
            "" => prune.tenant(bucket, &tenant, &epoch).await,
            user => prune.user(bucket, &tenant, user, &epoch).await,
        }
    };
    let pruned = pruning.instrument(span.clone()).await;
    match pruned {
        Ok(sessions) => {
            metrics::pruned(sessions);
            span.in_scope(|| tracing::info!(epoch, sessions, "pruned"));
            connection.xack(stream(bucket), CONSUMER_GROUP, &[&id.id]).await
        }
        Err(error) => {
            let why = told(&error);
            span.in_scope(|| tracing::warn!(bucket, entry = id.id, tries, why, "not pruned yet"));
            match tries {
                ..TRIES => Ok(()),
                _ => bury(prune, bucket, id, (&why, tries)).await,
            }
        }
    }
}

fn told(error: &crate::error::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Counts an entry as long unfinished, so that whoever looks next tries it: perhaps a newer version, which understands it.
async fn hand_on(connection: &mut MultiplexedConnection, bucket: u8, name: &str, id: &StreamId) -> RedisResult<()> {
    let mut claim = redis::cmd("XCLAIM");
    claim
        .arg(stream(bucket))
        .arg(CONSUMER_GROUP)
        .arg(name)
        .arg(0)
        .arg(&id.id);
    claim.arg("IDLE").arg(IDLE_MS).arg("JUSTID");
    claim.exec_async(connection).await
}

/// It stays where it is, and is taken over again, if that fails.
async fn bury(prune: &Prune, bucket: u8, id: &StreamId, (why, tries): (&str, usize)) -> RedisResult<()> {
    if let Err(error) = prune.bury(bucket, &id.id, why, tries).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(bucket, entry = id.id, error, "a dead letter is not buried yet");
    }
    Ok(())
}

/// Takes over what another consumer, or an earlier life, left unfinished.
async fn take_over(
    prune: &Prune,
    connection: &mut MultiplexedConnection,
    buckets: &[u8],
    name: &str,
) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    for bucket in buckets.iter().copied() {
        pipe.cmd("XPENDING")
            .arg(stream(bucket))
            .arg(CONSUMER_GROUP)
            .arg("IDLE")
            .arg(IDLE_MS)
            .arg("-")
            .arg("+")
            .arg(COUNT);
    }
    let pending: Vec<StreamPendingCountReply> = pipe.query_async(connection).await?;
    for (bucket, reply) in buckets.iter().copied().zip(pending) {
        for waiting in reply.ids {
            let claimed: redis::streams::StreamClaimReply = connection
                .xclaim(stream(bucket), CONSUMER_GROUP, name, IDLE_MS, &[&waiting.id])
                .await?;
            for id in &claimed.ids {
                let tries = waiting.times_delivered;
                if tries >= TRIES {
                    bury(
                        prune,
                        bucket,
                        id,
                        ("it was not finished, and nobody came to say why", tries),
                    )
                    .await?;
                } else {
                    finish(prune, connection, name, (bucket, id, tries + 1)).await?;
                }
            }
        }
    }
    Ok(())
}

/// Cuts each stream below the oldest entry that is not finished, in whatever group.
async fn trim(connection: &mut MultiplexedConnection, buckets: &[u8]) -> RedisResult<()> {
    for bucket in buckets.iter().copied() {
        if let Some(oldest) = oldest_needed(connection, bucket).await? {
            let mut cut = redis::cmd("XTRIM");
            cut.arg(stream(bucket)).arg("MINID").arg(oldest);
            connection.req_packed_command(&cut).await?;
        }
    }
    Ok(())
}

async fn oldest_needed(connection: &mut MultiplexedConnection, bucket: u8) -> Result<Option<String>, RedisError> {
    let groups: redis::streams::StreamInfoGroupsReply = connection.xinfo_groups(stream(bucket)).await?;
    let mut oldest: Option<(u64, u64)> = None;
    for group in groups.groups {
        let mut needed = parse(&group.last_delivered_id);
        if group.pending > 0 {
            let reply: StreamPendingCountReply = connection
                .xpending_count(stream(bucket), &group.name, "-", "+", 1)
                .await?;
            needed = reply.ids.first().map_or(needed, |first| parse(&first.id));
        }
        oldest = Some(oldest.map_or(needed, |standing| standing.min(needed)));
    }
    Ok(oldest.map(|(ms, number)| format!("{ms}-{number}")))
}

fn parse(id: &str) -> (u64, u64) {
    let (ms, number) = id.split_once('-').unwrap_or((id, "0"));
    (ms.parse().unwrap_or(0), number.parse().unwrap_or(0))
}
