//! The table of faults: what is broken, how it is healed, and what must hold. docs/access-ends.md says the same in words.

use std::time::Duration;

use e2e::cluster::Member;
use e2e::processes::{freeze, thaw};
use e2e::proxy::Way;
use local_stack::programs;

use crate::acts;
use crate::failpoints;
use crate::fault::{Also, Answers, Expect, Fault, NONE, SESSIONS_LOST, USUAL, WITHOUT_REDIS};
use crate::redis_kinds;
use crate::world::copy;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().chain(&failpoints::FAULTS).chain(&redis_kinds::FAULTS)
}

const FAULTS: [Fault; 37] = [
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
        name: "healthy-10000",
        what: "the same for 10,000 endings, beside 180 requests a second",
        seconds: (0, 497),
        expect: Expect {
            scim_goes_on: true,
            answers: Answers::UnlessBusy,
            ..NONE
        },
        also: Also::Steady(180.0),
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
        seconds: (0, 10),
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
        seconds: (0, 10),
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
    // Two faults at once: what only the registers' names and their blanks stand against.
    Fault {
        name: "redis-fail-over-unasked",
        what: "the same, and for 4 s nobody can ask a core",
        seconds: (0, 10),
        inject: |world, lasts| Box::pin(acts::fails_over_unasked(world, lasts)),
        heal: |world, _| {
            acts::turn(&world.to_cores, Way::Open);
            acts::nothing_more()
        },
        expect: Expect {
            scim_goes_on: false,
            ..SESSIONS_LOST
        },
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
        seconds: (0, 10),
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
        seconds: (0, 10),
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
        name: "postgresql-skewed",
        what: "PostgreSQL restarts an hour ahead, and comes back to the right time",
        seconds: (0, 20),
        inject: |world, _| acts::now(acts::postgres_at(world, Some("+1h"))),
        heal: |world, _| acts::now(acts::postgres_at(world, None)),
        needs: || programs::libfaketime().map(drop),
        ..USUAL
    },
    Fault {
        name: "redis-skewed",
        what: "Redis restarts an hour ahead, and comes back to the right time",
        seconds: (0, 20),
        inject: |world, _| acts::now(acts::redis_at(world, Some("+1h"))),
        heal: |world, _| acts::now(acts::redis_at(world, None)),
        expect: SESSIONS_LOST,
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
        what: "another tenant's clients ask for three times what can be answered",
        seconds: (3, 30),
        also: Also::Overload(3.0),
        ..USUAL
    },
];
