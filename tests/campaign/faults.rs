//! The table of faults: what is broken, how it is healed, and what must hold. docs/access-ends.md says the same in words.

use std::time::Duration;

use anyhow::Result;
use e2e::cluster::Member;
use e2e::processes::{freeze, thaw};
use e2e::proxy::Way;
use local_stack::programs;

use crate::acts::{self, Act};
use crate::redis_kinds::{self, Kind};
use crate::world::{World, copy};

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
    /// What Redis it happens to.
    pub on: Kind,
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

pub const NONE: Expect = Expect {
    scim_goes_on: false,
    answers: Answers::Any,
    sessions_may_go: false,
    may_flap: false,
    undone: false,
    pruned: false,
};
pub const WITHOUT_REDIS: Expect = Expect {
    scim_goes_on: true,
    ..NONE
};
pub const SESSIONS_LOST: Expect = Expect {
    sessions_may_go: true,
    ..WITHOUT_REDIS
};

pub const USUAL: Fault = Fault {
    name: "healthy",
    what: "nothing is broken",
    seconds: (5, 60),
    inject: |_, _| acts::nothing_more(),
    heal: |_, _| acts::nothing_more(),
    expect: NONE,
    also: Also::Nothing,
    on: Kind::One,
    needs: || Ok(()),
};

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().chain(&redis_kinds::FAULTS)
}

const FAULTS: [Fault; 33] = [
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
        inject: |world, _| acts::now(acts::killed(world.redis.process())),
        heal: |world, _| acts::now(world.restart_redis(|_| Ok(()))),
        // What was written in the last second may not be on its disk.
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-killed-60s",
        what: "the same for a minute",
        seconds: (0, 60),
        inject: |world, _| acts::now(acts::killed(world.redis.process())),
        heal: |world, _| acts::now(world.restart_redis(|_| Ok(()))),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-frozen",
        what: "Redis is frozen (SIGSTOP)",
        seconds: (3, 10),
        inject: |world, _| {
            freeze(world.redis.process().pid());
            acts::nothing_more()
        },
        heal: |world, _| {
            thaw(world.redis.process().pid());
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-frozen-60s",
        what: "the same for a minute",
        seconds: (0, 60),
        inject: |world, _| {
            freeze(world.redis.process().pid());
            acts::nothing_more()
        },
        heal: |world, _| {
            thaw(world.redis.process().pid());
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-cut",
        what: "every connection to Redis is cut",
        seconds: (3, 10),
        inject: |world, _| {
            acts::turn(&world.to_redis, Way::Cut);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_redis, Way::Open);
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-cut-60s",
        what: "the same for a minute",
        seconds: (0, 60),
        inject: |world, _| {
            acts::turn(&world.to_redis, Way::Cut);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_redis, Way::Open);
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-swallowed",
        what: "the network to Redis swallows all, and delivers it late",
        seconds: (3, 10),
        inject: |world, _| {
            acts::turn(&world.to_redis, Way::Swallow);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_redis, Way::Open);
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-slow",
        what: "the network to Redis takes 40 ms each way",
        seconds: (0, 10),
        inject: |world, _| {
            acts::turn(&world.to_redis, Way::Late(Duration::from_millis(40)));
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_redis, Way::Open);
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "redis-flushed",
        what: "Redis loses everything (FLUSHALL)",
        seconds: (1, 10),
        inject: |world, _| Box::pin(acts::flushed(world)),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-empty",
        what: "Redis restarts without its files",
        seconds: (1, 10),
        inject: |world, _| {
            acts::now(world.restart_redis(|folder| Ok(std::fs::remove_dir_all(folder.join(acts::AOF))?)))
        },
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-old-file",
        what: "Redis restarts from an old file",
        seconds: (3, 30),
        inject: |world, _| acts::now(acts::redis_is_copied(world)),
        heal: |world, _| {
            acts::now(world.restart_redis(|folder| copy(&folder.join(acts::COPY), &folder.join(acts::AOF))))
        },
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-fail-over",
        what: "the master dies, and a replica without the last writes takes over",
        seconds: (2, 10),
        inject: |world, _| Box::pin(acts::replica_lags(world)),
        heal: |world, _| acts::now(acts::fails_over(world)),
        expect: SESSIONS_LOST,
        ..USUAL
    },
    Fault {
        name: "redis-split",
        what: "half of the processes see a replica that took over, half the old master",
        seconds: (4, 20),
        inject: |world, _| Box::pin(acts::split(world)),
        heal: |world, _| acts::now(acts::joined(world)),
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
        inject: |world, lasts| Box::pin(acts::cores_die(world, lasts)),
        heal: |world, _| {
            acts::all_run(world);
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "cores-killed",
        what: "both are killed, and come back",
        seconds: (2, 10),
        inject: |world, _| {
            world.cores.iter_mut().for_each(Member::kill);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::all_run(world);
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "relay-frozen",
        what: "one identity-core is frozen (SIGSTOP) with what it claimed",
        seconds: (4, 10),
        inject: |world, _| {
            freeze(world.cores[0].pid().unwrap_or_default());
            acts::nothing_more()
        },
        heal: |world, _| {
            thaw(world.cores[0].pid().unwrap_or_default());
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "relay-stutters",
        what: "both freeze in turn between any two steps, on a slow way to Redis",
        seconds: (4, 60),
        inject: |world, lasts| Box::pin(acts::stutters(world, lasts)),
        heal: |world, _| {
            acts::turn(&world.to_redis, Way::Open);
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "relay-without-redis",
        what: "one identity-core's way to Redis swallows all, and delivers late what it sent",
        seconds: (4, 10),
        inject: |world, _| {
            acts::turn(&world.to_redis[..1], Way::Swallow);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_redis[..1], Way::Open);
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "relays-without-redis",
        what: "no identity-core reaches Redis, the session services do: registers stand still",
        seconds: (6, 20),
        inject: |world, _| {
            acts::turn(&world.to_redis[..2], Way::Swallow);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_redis[..2], Way::Open);
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "core-without-postgresql",
        what: "one identity-core's way to PostgreSQL swallows all",
        seconds: (0, 10),
        inject: |world, _| {
            acts::turn(&world.to_postgres[..1], Way::Swallow);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_postgres[..1], Way::Open);
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "cores-cut",
        what: "the session services and edges cannot reach a core",
        seconds: (3, 10),
        inject: |world, _| {
            acts::turn(&world.to_cores, Way::Cut);
            acts::nothing_more()
        },
        heal: |world, _| {
            acts::turn(&world.to_cores, Way::Open);
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "postgresql-killed",
        what: "PostgreSQL is killed and restarts",
        seconds: (2, 10),
        inject: |world, _| acts::now(acts::killed(world.postgres.process())),
        heal: |world, _| acts::now(world.restart_postgres(|_| Ok(()))),
        ..USUAL
    },
    Fault {
        name: "postgresql-frozen",
        what: "PostgreSQL is frozen (SIGSTOP)",
        seconds: (0, 10),
        inject: |world, _| {
            freeze(world.postgres.process().pid());
            acts::nothing_more()
        },
        heal: |world, _| {
            thaw(world.postgres.process().pid());
            acts::nothing_more()
        },
        ..USUAL
    },
    Fault {
        name: "postgresql-restored",
        what: "PostgreSQL is put back to an earlier copy",
        seconds: (4, 30),
        inject: |world, _| {
            acts::now(world.restart_postgres(|folder| copy(&folder.join(acts::DATA), &folder.join(acts::COPY))))
        },
        heal: |world, _| acts::now(world.restart_postgres(acts::put_back)),
        expect: Expect { undone: true, ..NONE },
        ..USUAL
    },
    Fault {
        name: "sessions-killed",
        what: "one session service is killed and comes back, then the other",
        seconds: (3, 10),
        inject: |world, lasts| Box::pin(acts::sessions_die(world, lasts)),
        heal: |world, _| {
            acts::all_run(world);
            acts::nothing_more()
        },
        expect: WITHOUT_REDIS,
        ..USUAL
    },
    Fault {
        name: "stream-trimmed",
        what: "all consumers are down, and the streams are cut meanwhile",
        seconds: (2, 10),
        inject: |world, _| {
            world.sessions.iter_mut().for_each(Member::kill);
            acts::nothing_more()
        },
        heal: |world, _| Box::pin(acts::trimmed(world)),
        expect: Expect {
            pruned: true,
            ..WITHOUT_REDIS
        },
        ..USUAL
    },
    Fault {
        name: "events-poisoned",
        what: "events come twice, out of order, and unreadable",
        seconds: (3, 120),
        inject: |world, lasts| Box::pin(acts::poisoned(world, lasts)),
        heal: |world, lasts| Box::pin(acts::buried(world, lasts)),
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
        what: "each process of a service has another time, an hour ahead or behind",
        seconds: (3, 30),
        inject: |world, _| Box::pin(acts::skewed(world, &["+1h", "-1h"])),
        heal: |world, _| Box::pin(acts::skewed(world, &[])),
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
        inject: |world, _| Box::pin(acts::stopped(world)),
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
