//! The access fence as a random, deterministic simulation: epochs in PostgreSQL, registers named by generation in
//! Redis, leases, two relays, two session services, logins that take their time, fail-over to a replica that lags,
//! split brain, flush, a restart from an old file, freezes, PostgreSQL restored to an earlier state.
//!
//! One [`run`] is one history of [`TICKS`] ticks of 50 ms, made from a seed. It counts every validation and creation
//! that was accepted later than [`BOUND`] after an end of the access it rests on. The design must have none. Each
//! [`Mutation`] takes one guard away, and then the model must find one: a guard that nothing misses is no guard.
//!
//! The scripts that run inside Redis are [`script::Contents::call`], a twin of the Lua files. A history can be recorded
//! and played to the real scripts, which must give the same answers.
//!
//! No mutation takes these away, because no answer rests on them: the claim token when a row is marked (registers never
//! go back, so a second mark of an applied row is true), the generation that `apply` compares (nobody reads a register
//! that is named by another one), and prune (safety never waits for it).

pub mod postgres;
mod relay;
pub mod rng;
pub mod script;
mod session_service;
mod world;

pub use world::{Event, History, run, run_recorded};

/// How long a history is.
pub const TICKS: u64 = 1_600;
/// How long a lease lasts: 3 s.
pub const LEASE: u64 = 60;
/// How old an unapplied change may be while leases are granted: 1 s.
pub const STALE: u64 = 20;
/// When an ended session may validate last: 4.2 s after the end, which leaves 0.8 s of the published 5 s to transport.
pub const BOUND: u64 = 84;
/// How many users there are, all of one tenant and in one bucket.
pub const USERS: u8 = 2;

/// Who has an epoch and a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Tenant,
    User(u8),
}

impl Subject {
    /// The tenant and all its users.
    pub fn all() -> impl Iterator<Item = Subject> {
        std::iter::once(Subject::Tenant).chain((0..USERS).map(Subject::User))
    }

    fn index(self) -> usize {
        match self {
            Subject::Tenant => 0,
            Subject::User(number) => 1 + usize::from(number),
        }
    }
}

/// A guard that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Validation and creation do not look at the lease.
    NoLease,
    /// Creation alone does not look at the lease.
    CreateWithoutLease,
    /// The relay reads the clock after it has asked PostgreSQL, not before.
    LeaseAfterCheck,
    /// Leases are granted while old changes wait to be applied.
    LeaseDespiteBacklog,
    /// Leases are granted without asking PostgreSQL whether the generation still counts.
    LeaseWithoutGenerationCheck,
    /// Registers survive a change of generation.
    RegistersWithoutGeneration,
    /// A missing register counts as active.
    MissingIsActive,
    /// A lower epoch overwrites a higher one.
    NoEpochOrder,
    /// Epochs count up and do not follow PostgreSQL's clock.
    EpochWithoutClock,
    /// The relay adopts whatever generation Redis claims to be in.
    NoHandshake,
    /// A connection that broke comes back to another Redis process without a new handshake.
    ReconnectUnnoticed,
    /// Nobody notices that PostgreSQL was restored.
    RestoreUnnoticed,
    /// New generations count up and are not drawn.
    GenerationsCount,
    /// A row is marked applied although the generation has changed since.
    MarkInAnyGeneration,
    /// The core names the generation when it applies what it read for a validation, not before it read.
    GenerationAfterRead,
    /// The core does not ask whether access changed since the login began.
    NoLoginCheck,
    /// A login that began before PostgreSQL was restored is compared with the transactions after it.
    LoginAcrossRestore,
    /// Creation does not compare the login's epochs and states with the registers.
    CreateWithoutRegisters,
    /// A login token may be used twice.
    LoginTokenReused,
}

impl Mutation {
    /// Every one of them.
    pub const ALL: [Mutation; 19] = [
        Mutation::NoLease,
        Mutation::CreateWithoutLease,
        Mutation::LeaseAfterCheck,
        Mutation::LeaseDespiteBacklog,
        Mutation::LeaseWithoutGenerationCheck,
        Mutation::ReconnectUnnoticed,
        Mutation::RegistersWithoutGeneration,
        Mutation::MissingIsActive,
        Mutation::NoEpochOrder,
        Mutation::EpochWithoutClock,
        Mutation::NoHandshake,
        Mutation::RestoreUnnoticed,
        Mutation::GenerationsCount,
        Mutation::MarkInAnyGeneration,
        Mutation::GenerationAfterRead,
        Mutation::NoLoginCheck,
        Mutation::LoginAcrossRestore,
        Mutation::CreateWithoutRegisters,
        Mutation::LoginTokenReused,
    ];
}
