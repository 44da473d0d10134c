//! What a fault is: how it is injected and healed, what may be unavailable meanwhile, and what must hold.

use std::time::Duration;

use anyhow::Result;

use crate::acts::{self, Act};
use crate::redis_kinds::Kind;
use crate::world::World;

type Do = for<'a> fn(&'a mut World, Duration) -> Act<'a>;

/// One row.
#[derive(Clone, Copy)]
pub struct Fault {
    pub name: &'static str,
    /// For `--list`.
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

impl Fault {
    /// In the long form or the short one; not at all if it is not in it.
    pub fn lasts(&self, long: bool) -> Duration {
        Duration::from_secs(if long { self.seconds.1 } else { self.seconds.0 })
    }
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Also {
    Nothing,
    /// Many logins race each end and each reactivation.
    Racers,
    /// Another tenant with so many users (short, long) is suspended.
    Suspend(u32, u32),
    /// Another tenant's clients ask for so many times what can be answered.
    Overload(f64),
    /// They ask so often a second, and ended sessions are settled soon: for many endings.
    Steady(f64),
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
