//! The rows that need a build with the feature `sabotage`: what happens at a step that no signal from outside would hit.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::proxy::Way;

use crate::acts;
use crate::fault::{Also, Expect, Fault, NONE, SESSIONS_LOST, USUAL, WITHOUT_REDIS};
use crate::world::World;

/// The steps of an identity-core from a commit on, and between the two halves of whatever has two.
const STEPS: [&str; 6] = [
    "relay::committed",
    "relay::claimed",
    "relay::applied",
    "lease::checked",
    "answer::read",
    "generation::drawn",
];
/// How long a step may take to be reached.
const REACHED: Duration = Duration::from_secs(15);
/// How often generations are made to be drawn.
const LOST_AGAIN: Duration = Duration::from_millis(1_500);

const ARMED: Fault = Fault {
    heal: |world, _| {
        world.disarm();
        acts::nothing_more()
    },
    needs: || {
        ensure!(cfg!(feature = "sabotage"), "needs a build with --features sabotage");
        Ok(())
    },
    ..USUAL
};

pub const FAULTS: [Fault; 8] = [
    Fault {
        name: "killed-at-each-step",
        what: "an identity-core is killed between commit, claim, apply and done, before a grant, within an answer and between the halves of a new generation",
        seconds: (10, 60),
        inject: |world, lasts| Box::pin(killed_at_each_step(world, lasts)),
        expect: NONE,
        ..ARMED
    },
    Fault {
        name: "claim-frozen",
        what: "one relay is frozen with what it claimed",
        seconds: (0, 10),
        inject: |world, _| acts::now(world.arm(0, "relay::claimed=freeze:10000")),
        expect: WITHOUT_REDIS,
        ..ARMED
    },
    Fault {
        name: "claims-frozen",
        what: "both relays are",
        seconds: (0, 10),
        inject: |world, _| acts::now((0..2).try_for_each(|core| world.arm(core, "relay::claimed=freeze:8000"))),
        expect: WITHOUT_REDIS,
        ..ARMED
    },
    Fault {
        name: "grant-frozen",
        what: "one relay is frozen between its look at PostgreSQL and its grant of leases",
        seconds: (0, 10),
        inject: |world, _| acts::now(world.arm(0, "lease::checked=freeze:10000")),
        expect: WITHOUT_REDIS,
        ..ARMED
    },
    // Three faults at once: what only the order of clock and check stands against.
    Fault {
        name: "grant-frozen-alone",
        what: "the same, while the other relay is without Redis, changes are not applied, and nobody can ask",
        seconds: (0, 10),
        inject: |world, _| {
            acts::turn(&world.to_redis[1..2], Way::Swallow);
            acts::turn(&world.to_cores, Way::Cut);
            acts::now(world.arm(0, "lease::checked=freeze:2800\nrelay::claimed=freeze:6000"))
        },
        heal: |world, _| {
            acts::turn(&world.to_redis[1..2], Way::Open);
            acts::turn(&world.to_cores, Way::Open);
            world.disarm();
            acts::nothing_more()
        },
        expect: NONE,
        ..ARMED
    },
    Fault {
        name: "answers-late",
        what: "what an identity-core read for a login reaches the registers 0.7 s later",
        seconds: (0, 10),
        inject: |world, _| acts::now((0..2).try_for_each(|core| world.arm(core, "answer::read=freeze:700"))),
        expect: NONE,
        also: Also::Racers,
        ..ARMED
    },
    // Half of the time there is no lease and the cores are asked, and what is granted then rests on a look from before.
    Fault {
        name: "leases-late",
        what: "one relay grants leases 2 s after its look, the other none, and changes and answers reach the registers 1 s late",
        seconds: (0, 10),
        inject: |world, _| {
            let late = "relay::claimed=freeze:1000\nanswer::read=freeze:1000";
            let armed = [(0, 2_000), (1, 10_000)];
            acts::now(
                armed
                    .into_iter()
                    .try_for_each(|(core, millis)| world.arm(core, &format!("lease::checked=freeze:{millis}\n{late}"))),
            )
        },
        expect: WITHOUT_REDIS,
        ..ARMED
    },
    Fault {
        name: "redis-split-unnoticed",
        what: "half of the processes see a replica that took over, and the relay at the old master does not look for 10 s",
        seconds: (0, 10),
        inject: |world, _| Box::pin(split_unnoticed(world)),
        heal: |world, _| {
            world.disarm();
            acts::now(acts::joined(world))
        },
        expect: Expect {
            may_flap: true,
            ..SESSIONS_LOST
        },
        ..ARMED
    },
];

/// One core after the other, each step in turn, as long as there is time; each step at least once.
async fn killed_at_each_step(world: &mut World, lasts: Duration) -> Result<()> {
    let since = Instant::now();
    for turn in 0.. {
        if turn >= STEPS.len() && since.elapsed() > lasts {
            break;
        }
        let (step, core) = (STEPS[turn % STEPS.len()], turn % 2);
        world.arm(core, &format!("{step}=kill"))?;
        let (armed, mut lost) = (Instant::now(), None::<Instant>);
        while world.cores[core].ended().is_none() {
            ensure!(armed.elapsed() < REACHED, "{step} was not reached");
            // Again, if it was the other core that drew them.
            if step == "generation::drawn" && lost.is_none_or(|lost| lost.elapsed() > LOST_AGAIN) {
                world.psql("UPDATE access_bucket SET redis_incarnation = 'another'")?;
                lost = Some(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.disarm();
        tokio::time::sleep(world.random.millis(0, 300)).await;
        world.cores[core].kill();
        world.cores[core].start();
        world.cores[core].ready().await;
    }
    Ok(())
}

async fn split_unnoticed(world: &mut World) -> Result<()> {
    world.arm(0, "lease::checked=freeze:10000")?;
    // Until its look at the leases is frozen.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    acts::split(world).await
}
