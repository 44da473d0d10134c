//! The core's relay as a state machine: each step is a point where it may freeze, or where anything else may happen
//! before the next.

use super::postgres::{Bucket, Unapplied};
use super::script::{Answer, Call, Register};
use super::world::World;
use super::{LEASE, Mutation, STALE};

/// After how many ticks another relay may take over a claimed row: 2 s.
const CLAIM: u64 = 40;

#[derive(Clone, Copy, Debug)]
enum At {
    Connect,
    ReadBucket,
    Compare(Bucket),
    /// PostgreSQL has the new generation, Redis not yet.
    Adopt {
        stood: Option<u64>,
        generation: u64,
    },
    Serve {
        left: u64,
    },
    /// A row is claimed.
    Claimed(Unapplied),
    /// The current access row was read.
    Read(Unapplied, Register),
    /// Redis has it.
    Applied(Unapplied, u64),
    /// Redis's clock was read.
    Clock(u64),
    /// PostgreSQL has said that nothing old waits and that the generation counts.
    Checked(u64),
}

/// One relay of two.
#[derive(Clone, Debug)]
pub struct Relay {
    name: usize,
    node: usize,
    generation: u64,
    left: u64,
    frozen_until: u64,
    at: At,
}

impl Relay {
    pub fn new(name: usize) -> Self {
        Relay {
            name,
            node: 0,
            generation: 0,
            left: 0,
            frozen_until: 0,
            at: At::Connect,
        }
    }

    /// One step, unless it is frozen.
    pub fn step(&mut self, world: &mut World) {
        if self.frozen_until > world.now {
            return;
        }
        if !world.nodes[self.node].alive {
            self.lose_connection(world);
        }
        self.at = self.next(world);
        if world.rng.chance(200) {
            self.frozen_until = world.now + world.rng.pick(&[5, 40, 200]);
        }
    }

    fn lose_connection(&mut self, world: &World) {
        if world.without == Some(Mutation::ReconnectUnnoticed) {
            self.node = world.master;
        } else {
            self.at = At::Connect;
        }
    }

    fn next(&mut self, world: &mut World) -> At {
        match self.at {
            At::Connect => {
                self.node = world.reachable(6_000);
                if world.nodes[self.node].alive {
                    At::ReadBucket
                } else {
                    At::Connect
                }
            }
            At::ReadBucket if world.without == Some(Mutation::NoHandshake) => self.trust_redis(world),
            At::ReadBucket => At::Compare(world.postgres.bucket),
            At::Compare(bucket) => self.compare(world, bucket),
            At::Adopt { stood, generation } => match world.call(self.node, Call::Adopt { stood, generation }) {
                Answer::Done => self.serve(world, generation),
                _ => At::Connect,
            },
            At::Serve { left: 0 } => At::Connect,
            At::Serve { left } => {
                self.left = left - 1;
                self.choose(world)
            }
            At::Claimed(row) => At::Read(row, world.postgres.access(row.subject).register),
            At::Read(row, to) => {
                let call = Call::Apply {
                    generation: self.generation,
                    subject: row.subject,
                    to,
                };
                match world.call(self.node, call) {
                    Answer::Moved(_) => At::Applied(row, to.epoch),
                    _ => At::Connect,
                }
            }
            At::Applied(row, epoch) => {
                world.postgres.mark(row, self.generation, epoch, world.without);
                self.again()
            }
            At::Clock(time) => self.check(world, time),
            At::Checked(time) => {
                let time = match world.without {
                    Some(Mutation::LeaseAfterCheck) => world.now,
                    _ => time,
                };
                let call = Call::Grant {
                    generation: self.generation,
                    until: time + LEASE,
                };
                world.call(self.node, call);
                self.again()
            }
        }
    }

    /// What a relay without a handshake does: the generation is whatever Redis says.
    fn trust_redis(&mut self, world: &mut World) -> At {
        let known = world.nodes[self.node].contents.generation;
        let generation = known.unwrap_or_else(|| world.draw_generation());
        if known.is_none() {
            let stood = None;
            world.call(self.node, Call::Adopt { stood, generation });
        }
        world.postgres.bucket = self.claim_of(world, generation);
        self.serve(world, generation)
    }

    fn compare(&mut self, world: &mut World, read: Bucket) -> At {
        let node = &world.nodes[self.node];
        let agrees = read.redis == Some(node.incarnation)
            && node.contents.generation == Some(read.generation)
            && (read.postgres == world.postgres.incarnation || world.without == Some(Mutation::RestoreUnnoticed));
        if agrees {
            return self.serve(world, read.generation);
        }
        // The orchestrator has named another master: this one is not to be adopted. Then the compare-and-set.
        if world.old == Some(self.node) || world.postgres.bucket != read {
            return At::Connect;
        }
        let stood = world.nodes[self.node].contents.generation;
        let generation = world.draw_generation();
        world.postgres.bucket = self.claim_of(world, generation);
        At::Adopt { stood, generation }
    }

    fn claim_of(&self, world: &World, generation: u64) -> Bucket {
        Bucket {
            generation,
            redis: Some(world.nodes[self.node].incarnation),
            postgres: world.postgres.incarnation,
        }
    }

    fn serve(&mut self, world: &mut World, generation: u64) -> At {
        self.generation = generation;
        At::Serve {
            left: 1 + world.rng.below(59),
        }
    }

    fn again(&self) -> At {
        At::Serve { left: self.left }
    }

    fn choose(&mut self, world: &mut World) -> At {
        let now = world.now;
        if world.rng.chance(5_000) {
            return At::Clock(now);
        }
        let free = |row: &&mut Unapplied| row.claim.is_none_or(|(_, since)| now - since > CLAIM);
        match world.postgres.unapplied.iter_mut().find(free) {
            Some(row) => {
                row.claim = Some((self.name, now));
                At::Claimed(*row)
            }
            None => self.again(),
        }
    }

    /// One statement: whether the generation counts and nothing old waits.
    fn check(&self, world: &World, time: u64) -> At {
        let backlog = world.postgres.unapplied.iter().any(|row| world.now - row.since > STALE);
        let clean = !backlog || world.without == Some(Mutation::LeaseDespiteBacklog);
        let counts = world.postgres.confirms(self.generation, world.without)
            || world.without == Some(Mutation::LeaseWithoutGenerationCheck);
        if clean && counts {
            At::Checked(time)
        } else {
            self.again()
        }
    }
}
