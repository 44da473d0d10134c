//! What breaks, and what heals.

use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::processes::{freeze, thaw};
use e2e::proxy::{Proxy, Way};
use identity_proto::access::{buckets, prefix, stream};
use local_stack::process::Environment;
use local_stack::{Process, programs};
use redis::streams::{StreamId, StreamRangeReply};

use crate::world::{World, copy};

/// Breaks or heals; what breaks again and again takes the time that it is given.
pub type Act<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

pub const AOF: &str = "appendonlydir";
pub const DATA: &str = "data";
pub const COPY: &str = "copy";

/// How often events are played again.
const POISON_EVERY: Duration = Duration::from_secs(1);
/// How many of a bucket's events.
const REPLAYED: usize = 5;
/// Five tries of ten seconds each, and looks in between.
const BURIED_AFTER: Duration = Duration::from_secs(30);

/// By when session services believe the leases of a Redis that took over: those that it inherited have lapsed.
const LEASED_ANEW: Duration = Duration::from_secs(4);

/// Of what was done at once.
pub fn now(result: Result<()>) -> Act<'static> {
    Box::pin(std::future::ready(result))
}

pub fn nothing_more() -> Act<'static> {
    now(Ok(()))
}

pub fn killed(process: &mut Process) -> Result<()> {
    process.kill()?;
    Ok(())
}

pub fn turn(proxies: &[Proxy], way: Way) {
    for proxy in proxies {
        proxy.turn(way);
    }
}

pub async fn flushed(world: &World) -> Result<()> {
    let mut connection = world.registers().await?;
    Ok(redis::cmd("FLUSHALL").query_async(&mut connection).await?)
}

/// A prefix of what is written: Redis appends, and reads as far as it is whole.
pub fn redis_is_copied(world: &World) -> Result<()> {
    let folder = world.redis_folder()?;
    copy(&folder.join(AOF), &folder.join(COPY))
}

pub async fn replica_lags(world: &World) -> Result<()> {
    world.replica_is_up_to_date().await?;
    world.to_master.turn(Way::Swallow);
    Ok(())
}

pub fn fails_over(world: &mut World) -> Result<()> {
    world.redis.process().kill()?;
    world.fail_over()?;
    world.follow()
}

/// Early enough for leases to be believed again before anybody can ask a core: what is asked about is refused, and its sessions
/// deleted, before what the registers say is looked at.
pub async fn fails_over_unasked(world: &mut World, lasts: Duration) -> Result<()> {
    replica_lags(world).await?;
    tokio::time::sleep(lasts.saturating_sub(LEASED_ANEW)).await;
    turn(&world.to_cores, Way::Cut);
    fails_over(world)
}

/// The first core and the first session service stay with the old master.
pub async fn split(world: &mut World) -> Result<()> {
    world.replica_is_up_to_date().await?;
    world.to_master.turn(Way::Cut);
    world.replica.promote()?;
    let new = std::net::SocketAddr::from(([127, 0, 0, 1], world.replica.port()));
    world.to_redis[1].redirect(new);
    world.to_redis[3].redirect(new);
    Ok(())
}

pub fn joined(world: &mut World) -> Result<()> {
    world.fail_over()?;
    world.follow()
}

pub fn all_run(world: &mut World) {
    for member in world.members() {
        if member.pid().is_none() {
            member.start();
        }
    }
}

/// One after the other, so that one of them always serves or comes to.
pub async fn cores_die(world: &mut World, lasts: Duration) -> Result<()> {
    let since = Instant::now();
    for turn in 0.. {
        if since.elapsed() > lasts {
            break;
        }
        let pause = world.random.millis(20, 400);
        tokio::time::sleep(pause).await;
        let core = &mut world.cores[turn % 2];
        core.kill();
        core.start();
        core.ready().await;
    }
    Ok(())
}

pub async fn stutters(world: &mut World, lasts: Duration) -> Result<()> {
    world.to_redis[..2]
        .iter()
        .for_each(|proxy| proxy.turn(Way::Late(Duration::from_millis(15))));
    let since = Instant::now();
    for turn in 0.. {
        if since.elapsed() > lasts {
            break;
        }
        let pid = world.cores[turn % 2].pid().unwrap_or_default();
        freeze(pid);
        tokio::time::sleep(world.random.millis(50, 1_500)).await;
        thaw(pid);
        tokio::time::sleep(world.random.millis(0, 100)).await;
    }
    Ok(())
}

pub async fn sessions_die(world: &mut World, lasts: Duration) -> Result<()> {
    for turn in 0..2 {
        world.sessions[turn].kill();
        tokio::time::sleep(lasts / 2).await;
        world.sessions[turn].start();
        world.sessions[turn].ready().await;
    }
    Ok(())
}

pub fn put_back(folder: &Path) -> Result<()> {
    copy(&folder.join(COPY), &folder.join(DATA))
}

pub async fn trimmed(world: &mut World) -> Result<()> {
    let mut connection = world.registers().await?;
    let mut pipe = redis::pipe();
    buckets().for_each(|bucket| {
        pipe.cmd("XTRIM").arg(stream(bucket)).arg("MAXLEN").arg(0).ignore();
    });
    pipe.query_async::<()>(&mut connection).await?;
    all_run(world);
    Ok(())
}

pub async fn poisoned(world: &mut World, lasts: Duration) -> Result<()> {
    let mut connection = world.registers().await?;
    let since = Instant::now();
    // What cannot be read is tried five times and holds nobody up: once is enough.
    for bucket in buckets() {
        let mut pipe = redis::pipe();
        pipe.cmd("XADD")
            .arg(stream(bucket))
            .arg("*")
            .arg("what")
            .arg(&b"\xff\0"[..])
            .ignore();
        pipe.cmd("XADD")
            .arg(stream(bucket))
            .arg("*")
            .arg("tenant")
            .arg("nobody")
            .arg("user");
        pipe.arg("nobody")
            .arg("epoch")
            .arg("never")
            .arg("state")
            .arg("?")
            .ignore();
        pipe.query_async::<()>(&mut connection).await?;
    }
    while since.elapsed() < lasts.min(Duration::from_secs(10)) {
        tokio::time::sleep(POISON_EVERY).await;
        for bucket in buckets() {
            let mut range = redis::cmd("XREVRANGE");
            range.arg(stream(bucket)).arg("+").arg("-").arg("COUNT").arg(REPLAYED);
            let known: StreamRangeReply = range.query_async(&mut connection).await?;
            let mut pipe = redis::pipe();
            // Those that were readable: of the others there are enough.
            let is_readable = |entry: &&StreamId| entry.get::<i64>("epoch").is_some();
            for entry in known.ids.iter().filter(is_readable) {
                pipe.cmd("XADD")
                    .arg(stream(bucket))
                    .arg("MAXLEN")
                    .arg("~")
                    .arg(10_000)
                    .arg("*");
                for (field, value) in &entry.map {
                    pipe.arg(field).arg(redis::from_redis_value_ref::<Vec<u8>>(value)?);
                }
                pipe.ignore();
            }
            if pipe.cmd_iter().next().is_some() {
                pipe.query_async::<()>(&mut connection).await?;
            }
        }
    }
    Ok(())
}

/// Both unreadable events of each bucket, in time.
pub async fn buried(world: &mut World, lasts: Duration) -> Result<()> {
    if lasts < BURIED_AFTER {
        return Ok(());
    }
    let mut connection = world.registers().await?;
    for bucket in buckets() {
        let mut length = redis::cmd("XLEN");
        length.arg(format!("{}:dead", prefix(bucket)));
        let dead: usize = length.query_async(&mut connection).await?;
        ensure!(dead >= 2, "bucket {bucket} has {dead} dead letters, not 2");
    }
    Ok(())
}

/// What shows a process another time; the monotonic clock stays true, as it does.
fn skew(time: Option<&str>) -> Result<Environment> {
    let Some(time) = time else {
        return Ok(Environment::new());
    };
    // libc's own malloc as well: Redis's asks for the time before libfaketime can tell it.
    let libraries = format!("{}:libc.so.6", programs::libfaketime()?.display());
    let settings = [
        ("LD_PRELOAD", libraries.as_str()),
        ("FAKETIME", time),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let settings = settings.into_iter().chain([("DONT_FAKE_MONOTONIC", "1")]);
    Ok(settings.map(|(name, value)| (name, value.to_owned())).collect())
}

pub fn postgres_at(world: &mut World, time: Option<&str>) -> Result<()> {
    world.restart_postgres_with(skew(time)?, |_| Ok(()))
}

pub fn redis_at(world: &mut World, time: Option<&str>) -> Result<()> {
    world.redis.set_environment(skew(time)?);
    world.restart_redis(|_| Ok(()))
}

/// Each process of a service another time.
pub async fn skewed(world: &mut World, times: &[&'static str]) -> Result<()> {
    for number in 0..2 {
        for members in [&mut world.cores, &mut world.sessions, &mut world.edges] {
            let (member, time) = (&mut members[number], times.get(number).copied());
            for (name, _) in skew(Some("+0"))? {
                member.set(name, None);
            }
            for (name, value) in skew(time)? {
                member.set(name, Some(&value));
            }
            member.stop().await;
            member.start();
            member.ready().await;
        }
    }
    Ok(())
}

/// The cores last, and reached without a proxy by then: that takes connections also for a core that takes none any more.
pub async fn stopped(world: &mut World) -> Result<()> {
    let cores = e2e::cluster::urls(&world.cores);
    for member in world.sessions.iter_mut().chain(&mut world.edges) {
        member.set("PORTCULLIS_CORE_URL", Some(&cores));
    }
    for member in world
        .sessions
        .iter_mut()
        .chain(&mut world.edges)
        .chain(&mut world.cores)
    {
        let code = member.stop().await;
        ensure!(code == 0, "{} stopped with {code}", member.name);
        member.start();
        member.ready().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
