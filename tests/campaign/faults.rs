//! The table of faults: what is broken, how it is healed, and what must hold. docs/access-ends.md says the same in words.

use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::processes::{freeze, thaw};
use e2e::proxy::Way;
use identity_proto::access::{buckets, prefix, stream};
use local_stack::programs;
use redis::streams::StreamRangeReply;

use crate::world::{World, copy};

/// Breaks or heals; what breaks again and again takes the time that it is given.
type Act<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;
type Do = for<'a> fn(&'a mut World, Duration) -> Act<'a>;

/// One row.
pub struct Fault {
    pub name: &'static str,
    /// For the table.
    pub what: &'static str,
    /// For how many seconds it lasts, in the short form (0: not in it) and in the long one.
    pub seconds: (u64, u64),
    pub inject: Do,
    pub heal: Do,
    pub expect: Expect,
    pub also: Also,
    /// What the machine must have.
    pub needs: fn() -> Result<()>,
}

/// What must hold, or need not, beside what always must.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expect {
    /// Ends of access by SCIM are answered with success, at once.
    pub scim_goes_on: bool,
    /// What may be unavailable.
    pub answers: Answers,
    /// Redis lost sessions: those of active users may be gone.
    pub sessions_may_go: bool,
    /// There are two Redis masters at once: one refuses what the other lets in, up to the bound.
    pub may_flap: bool,
    /// PostgreSQL is put back to the beginning of the fault.
    pub undone: bool,
    /// Ended sessions are gone from Redis soon after.
    pub pruned: bool,
}

/// Whether clients may be told that something is unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    #[default]
    Any,
    /// Nothing is broken, so all is answered, if the machine has the time.
    UnlessBusy,
    All,
}

/// What is done beside the usual load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Also {
    Nothing,
    /// Many logins race each end and each reactivation.
    Racers,
    /// Another tenant with so many users (short, long) is suspended.
    Suspend(u32, u32),
    /// Another tenant's clients ask for far more than can be answered.
    Flood,
    /// Validations go to whichever session service answers.
    Anywhere,
}

const NONE: Expect = Expect {
    scim_goes_on: false,
    answers: Answers::Any,
    sessions_may_go: false,
    may_flap: false,
    undone: false,
    pruned: false,
};
const WITHOUT_REDIS: Expect = Expect {
    scim_goes_on: true,
    ..NONE
};
const SESSIONS_LOST: Expect = Expect {
    sessions_may_go: true,
    ..WITHOUT_REDIS
};

const USUAL: Fault = Fault {
    name: "healthy",
    what: "nothing is broken",
    seconds: (5, 60),
    inject: |_, _| Box::pin(async { Ok(()) }),
    heal: |_, _| Box::pin(async { Ok(()) }),
    expect: NONE,
    also: Also::Nothing,
    needs: || Ok(()),
};

/// All of them.
pub const FAULTS: [Fault; 32] = [
    Fault {
        expect: Expect {
            scim_goes_on: true,
            answers: Answers::UnlessBusy,
            pruned: true,
            ..NONE
        },
        ..USUAL
    },
    Fault {
        name: "redis-killed",
        what: "Redis is killed and comes back",
        seconds: (3, 10),
        inject: |world, _| Box::pin(async { Ok(world.redis.process().kill().map(drop)?) }),
        heal: |world, _| Box::pin(async { world.restart_redis(|_| Ok(())) }),
        // What was written in the last second may not be on its disk.
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-killed-60s",
        what: "the same for a minute",
        seconds: (0, 60),
        inject: |world, _| Box::pin(async { Ok(world.redis.process().kill().map(drop)?) }),
        heal: |world, _| Box::pin(async { world.restart_redis(|_| Ok(())) }),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-frozen",
        what: "Redis is frozen (SIGSTOP)",
        seconds: (3, 10),
        inject: |world, _| Box::pin(async { froze(world.redis.process().pid()) }),
        heal: |world, _| Box::pin(async { thawed(world.redis.process().pid()) }),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-frozen-60s",
        what: "the same for a minute",
        seconds: (0, 60),
        inject: |world, _| Box::pin(async { froze(world.redis.process().pid()) }),
        heal: |world, _| Box::pin(async { thawed(world.redis.process().pid()) }),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-cut",
        what: "every connection to Redis is cut",
        seconds: (3, 10),
        inject: |world, _| Box::pin(async { redis_is(world, Way::Cut) }),
        heal: |world, _| Box::pin(async { redis_is(world, Way::Open) }),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-cut-60s",
        what: "the same for a minute",
        seconds: (0, 60),
        inject: |world, _| Box::pin(async { redis_is(world, Way::Cut) }),
        heal: |world, _| Box::pin(async { redis_is(world, Way::Open) }),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-swallowed",
        what: "the network to Redis swallows all, and delivers it late",
        seconds: (3, 10),
        inject: |world, _| Box::pin(async { redis_is(world, Way::Swallow) }),
        heal: |world, _| Box::pin(async { redis_is(world, Way::Open) }),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-slow",
        what: "the network to Redis takes 40 ms each way",
        seconds: (0, 10),
        inject: |world, _| Box::pin(async { redis_is(world, Way::Late(Duration::from_millis(40))) }),
        heal: |world, _| Box::pin(async { redis_is(world, Way::Open) }),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-flushed",
        what: "Redis loses everything (FLUSHALL)",
        seconds: (1, 10),
        inject: |world, _| Box::pin(flushed(world)),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-empty",
        what: "Redis restarts without its files",
        seconds: (1, 10),
        inject: |world, _| {
            Box::pin(async { world.restart_redis(|folder| Ok(std::fs::remove_dir_all(folder.join(AOF))?)) })
        },
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-old-file",
        what: "Redis restarts from an old file",
        seconds: (3, 30),
        inject: |world, _| Box::pin(redis_is_copied(world)),
        heal: |world, _| Box::pin(async { world.restart_redis(|folder| copy(&folder.join(COPY), &folder.join(AOF))) }),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-fail-over",
        what: "the master dies, and a replica without the last writes takes over",
        seconds: (2, 10),
        inject: |world, _| Box::pin(replica_lags(world)),
        heal: |world, _| Box::pin(fails_over(world)),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-split",
        what: "half of the processes see a replica that took over, half the old master",
        seconds: (4, 20),
        inject: |world, _| Box::pin(split(world)),
        heal: |world, _| Box::pin(joined(world)),
        expect: Expect {
            may_flap: true,
            ..SESSIONS_LOST
        },
        ..USUAL
    },
    Fault {
        name: "core-killed",
        what: "an identity-core is killed at any instant, again and again",
        seconds: (4, 60),
        inject: |world, lasts| Box::pin(cores_die(world, lasts)),
        heal: |world, _| Box::pin(all_run(world)),
        ..USUAL
    },
    Fault {
        name: "cores-killed",
        what: "both are killed, and come back",
        seconds: (2, 10),
        inject: |world, _| Box::pin(async { each(&mut world.cores, e2e::cluster::Member::kill) }),
        heal: |world, _| Box::pin(all_run(world)),
        ..USUAL
    },
    Fault {
        name: "relay-frozen",
        what: "one identity-core is frozen (SIGSTOP) with what it claimed",
        seconds: (4, 10),
        inject: |world, _| Box::pin(async { froze(world.cores[0].pid().unwrap_or_default()) }),
        heal: |world, _| Box::pin(async { thawed(world.cores[0].pid().unwrap_or_default()) }),
        ..USUAL
    },
    Fault {
        name: "relay-stutters",
        what: "both freeze in turn between any two steps, on a slow way to Redis",
        seconds: (4, 60),
        inject: |world, lasts| Box::pin(stutters(world, lasts)),
        heal: |world, _| Box::pin(async { redis_is(world, Way::Open) }),
        ..USUAL
    },
    Fault {
        name: "relay-without-redis",
        what: "one identity-core's way to Redis swallows all, and delivers late what it sent",
        seconds: (4, 10),
        inject: |world, _| Box::pin(async { Ok(world.to_redis[0].turn(Way::Swallow)) }),
        heal: |world, _| Box::pin(async { Ok(world.to_redis[0].turn(Way::Open)) }),
        ..USUAL
    },
    Fault {
        name: "core-without-postgresql",
        what: "one identity-core's way to PostgreSQL swallows all",
        seconds: (0, 10),
        inject: |world, _| Box::pin(async { Ok(world.to_postgres[0].turn(Way::Swallow)) }),
        heal: |world, _| Box::pin(async { Ok(world.to_postgres[0].turn(Way::Open)) }),
        ..USUAL
    },
    Fault {
        name: "cores-cut",
        what: "the session services and edges cannot reach a core",
        seconds: (3, 10),
        inject: |world, _| Box::pin(async { cores_are(world, Way::Cut) }),
        heal: |world, _| Box::pin(async { cores_are(world, Way::Open) }),
        ..USUAL
    },
    Fault {
        name: "postgresql-killed",
        what: "PostgreSQL is killed and restarts",
        seconds: (2, 10),
        inject: |world, _| Box::pin(async { Ok(world.postgres.process().kill().map(drop)?) }),
        heal: |world, _| Box::pin(async { world.restart_postgres(|_| Ok(())) }),
        ..USUAL
    },
    Fault {
        name: "postgresql-frozen",
        what: "PostgreSQL is frozen (SIGSTOP)",
        seconds: (0, 10),
        inject: |world, _| Box::pin(async { froze(world.postgres.process().pid()) }),
        heal: |world, _| Box::pin(async { thawed(world.postgres.process().pid()) }),
        ..USUAL
    },
    Fault {
        name: "postgresql-restored",
        what: "PostgreSQL is put back to an earlier copy",
        seconds: (4, 30),
        inject: |world, _| {
            Box::pin(async { world.restart_postgres(|folder| copy(&folder.join(DATA), &folder.join(COPY))) })
        },
        heal: |world, _| Box::pin(async { world.restart_postgres(put_back) }),
        expect: Expect { undone: true, ..NONE },
        ..USUAL
    },
    Fault {
        name: "sessions-killed",
        what: "one session service is killed and comes back, then the other",
        seconds: (3, 10),
        inject: |world, lasts| Box::pin(sessions_die(world, lasts)),
        heal: |world, _| Box::pin(all_run(world)),
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "stream-trimmed",
        what: "all consumers are down, and the streams are cut meanwhile",
        seconds: (2, 10),
        inject: |world, _| Box::pin(async { each(&mut world.sessions, e2e::cluster::Member::kill) }),
        heal: |world, _| Box::pin(trimmed(world)),
        expect: Expect {
            pruned: true,
            ..WITHOUT_REDIS
        },
        ..USUAL
    },
    Fault {
        name: "events-poisoned",
        what: "events come twice, out of order, and unreadable",
        seconds: (3, 90),
        inject: |world, lasts| Box::pin(poisoned(world, lasts)),
        heal: |world, lasts| Box::pin(buried(world, lasts)),
        expect: Expect {
            answers: Answers::UnlessBusy,
            pruned: true,
            ..WITHOUT_REDIS
        },
        ..USUAL
    },
    Fault {
        name: "logins-race",
        what: "logins from before race the deactivation and the reactivation",
        seconds: (3, 30),
        expect: Expect {
            answers: Answers::UnlessBusy,
            ..WITHOUT_REDIS
        },
        also: Also::Racers,
        ..USUAL
    },
    Fault {
        name: "clocks-skewed",
        what: "each process has another time, an hour ahead or behind",
        seconds: (3, 30),
        inject: |world, _| Box::pin(skewed(world, &["+1h", "-1h"])),
        heal: |world, _| Box::pin(skewed(world, &[])),
        needs: || programs::libfaketime().map(drop),
        ..USUAL
    },
    Fault {
        name: "tenant-suspended",
        what: "another tenant with 100,000 users (5,000 in the short form) is suspended",
        seconds: (3, 30),
        expect: Expect {
            answers: Answers::UnlessBusy,
            ..WITHOUT_REDIS
        },
        also: Also::Suspend(5_000, 100_000),
        ..USUAL
    },
    Fault {
        name: "stopped-in-order",
        what: "each process is stopped in order and started again",
        seconds: (1, 10),
        inject: |world, _| Box::pin(stopped(world)),
        expect: Expect {
            answers: Answers::All,
            ..WITHOUT_REDIS
        },
        also: Also::Anywhere,
        ..USUAL
    },
    Fault {
        name: "overload",
        what: "another tenant's clients ask for several times what can be answered",
        seconds: (3, 30),
        also: Also::Flood,
        ..USUAL
    },
];

const AOF: &str = "appendonlydir";
const DATA: &str = "data";
const COPY: &str = "copy";

/// How often events are played again.
const POISON_EVERY: Duration = Duration::from_millis(300);
/// How many of a bucket's events.
const REPLAYED: usize = 20;
/// Five tries of ten seconds each, and looks in between.
const BURIED_AFTER: Duration = Duration::from_secs(80);

fn froze(pid: u32) -> Result<()> {
    freeze(pid);
    Ok(())
}

fn thawed(pid: u32) -> Result<()> {
    thaw(pid);
    Ok(())
}

fn redis_is(world: &World, way: Way) -> Result<()> {
    world.to_redis.iter().for_each(|proxy| proxy.turn(way));
    Ok(())
}

fn cores_are(world: &World, way: Way) -> Result<()> {
    world.to_cores.iter().for_each(|proxy| proxy.turn(way));
    Ok(())
}

fn each<T>(members: &mut [T], act: impl FnMut(&mut T)) -> Result<()> {
    members.iter_mut().for_each(act);
    Ok(())
}

async fn flushed(world: &World) -> Result<()> {
    let mut connection = world.registers().await?;
    Ok(redis::cmd("FLUSHALL").query_async(&mut connection).await?)
}

/// A prefix of what is written: Redis appends, and reads as far as it is whole.
async fn redis_is_copied(world: &World) -> Result<()> {
    let folder = world.redis_folder()?;
    copy(&folder.join(AOF), &folder.join(COPY))
}

async fn replica_lags(world: &World) -> Result<()> {
    world.replica_is_up_to_date().await?;
    world.to_master.turn(Way::Swallow);
    Ok(())
}

async fn fails_over(world: &mut World) -> Result<()> {
    world.redis.process().kill()?;
    world.fail_over()?;
    world.follow()
}

/// The first core and the first session service stay with the old master.
async fn split(world: &mut World) -> Result<()> {
    world.replica_is_up_to_date().await?;
    world.to_master.turn(Way::Cut);
    world.replica.promote()?;
    let new = std::net::SocketAddr::from(([127, 0, 0, 1], world.replica.port()));
    world.to_redis[1].redirect(new);
    world.to_redis[3].redirect(new);
    Ok(())
}

async fn joined(world: &mut World) -> Result<()> {
    world.fail_over()?;
    world.follow()
}

async fn all_run(world: &mut World) -> Result<()> {
    for member in world.members() {
        if member.pid().is_none() {
            member.start();
        }
    }
    Ok(())
}

/// One after the other, so that one of them always serves or comes to.
async fn cores_die(world: &mut World, lasts: Duration) -> Result<()> {
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

async fn stutters(world: &mut World, lasts: Duration) -> Result<()> {
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

async fn sessions_die(world: &mut World, lasts: Duration) -> Result<()> {
    for turn in 0..2 {
        world.sessions[turn].kill();
        tokio::time::sleep(lasts / 2).await;
        world.sessions[turn].start();
        world.sessions[turn].ready().await;
    }
    Ok(())
}

fn put_back(folder: &Path) -> Result<()> {
    copy(&folder.join(COPY), &folder.join(DATA))
}

async fn trimmed(world: &mut World) -> Result<()> {
    let mut connection = world.registers().await?;
    let mut pipe = redis::pipe();
    buckets().for_each(|bucket| {
        pipe.cmd("XTRIM").arg(stream(bucket)).arg("MAXLEN").arg(0).ignore();
    });
    pipe.query_async::<()>(&mut connection).await?;
    all_run(world).await
}

async fn poisoned(world: &mut World, lasts: Duration) -> Result<()> {
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
            for entry in &known.ids {
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
            pipe.query_async::<()>(&mut connection).await?;
        }
    }
    Ok(())
}

/// Both unreadable events of each bucket, in time.
async fn buried(world: &mut World, lasts: Duration) -> Result<()> {
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

/// Each process of a service another time; the monotonic clock stays true, as it does.
async fn skewed(world: &mut World, times: &[&'static str]) -> Result<()> {
    let library = programs::libfaketime()?.display().to_string();
    for number in 0..2 {
        for members in [&mut world.cores, &mut world.sessions, &mut world.edges] {
            let (member, time) = (&mut members[number], times.get(number).copied());
            member.set("LD_PRELOAD", time.map(|_| library.as_str()));
            member.set("FAKETIME", time);
            member.set("FAKETIME_DONT_FAKE_MONOTONIC", time.map(|_| "1"));
            member.set("DONT_FAKE_MONOTONIC", time.map(|_| "1"));
            member.stop().await;
            member.start();
            member.ready().await;
        }
    }
    Ok(())
}

/// The cores last, and reached without a proxy by then: that takes connections also for a core that takes none any more.
async fn stopped(world: &mut World) -> Result<()> {
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
