//! Everything there is in a history, the faults that befall it, and the judgement.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::postgres::Postgres;
use super::relay::Relay;
use super::rng::Rng;
use super::script::{Answer, Call, Contents, Session};
use super::session_service::{Late, Login};
use super::{BOUND, Mutation, Subject, TICKS, USERS};

/// How far back snapshots are kept, in ticks.
const MEMORY: usize = 201;
/// When PostgreSQL's backup is taken.
const BACKUP: u64 = 300;

/// One Redis process.
#[derive(Debug)]
pub struct Node {
    pub incarnation: u32,
    pub alive: bool,
    pub contents: Rc<Contents>,
}

/// What happened to a Redis process, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// A script ran at the tick `now` and answered.
    Script {
        node: usize,
        now: u64,
        call: Call,
        answer: Answer,
    },
    /// The tick `tick` begins; this is what its snapshot holds.
    Tick { tick: u64, master: usize },
    /// A process began with what the master of a tick had at its beginning.
    Began { node: usize, tick: Option<u64> },
    /// A process lost everything.
    Flushed { node: usize },
}

/// The outcome of one history.
#[derive(Debug)]
pub struct History {
    /// Validations and creations that were accepted.
    pub accepted: u64,
    /// Validations for which the core was asked.
    pub asked: u64,
    /// Validations that nobody could answer.
    pub unavailable: u64,
    /// What must not have happened.
    pub violations: Vec<String>,
    /// Everything that reached a Redis process, when it was asked for.
    pub events: Vec<Event>,
}

/// A session that someone was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub session: Session,
    /// The moment at which its login began.
    pub begun: u64,
}

/// An end of someone's access.
#[derive(Clone, Copy, Debug)]
struct End {
    moment: u64,
    tick: u64,
    of: Option<Subject>,
}

#[derive(Debug)]
pub(super) struct World {
    pub rng: Rng,
    pub now: u64,
    pub without: Option<Mutation>,
    pub postgres: Postgres,
    pub nodes: Vec<Node>,
    pub master: usize,
    /// A deposed master that some still reach.
    pub old: Option<usize>,
    pub logins: Vec<Login>,
    pub late: Vec<Late>,
    pub sessions: BTreeMap<u32, Held>,
    pub consumed: BTreeSet<(u32, u32)>,
    pub next_session: u32,
    pub next_login: u32,
    pub accepted: u64,
    pub asked: u64,
    pub unavailable: u64,
    pub violations: Vec<String>,
    /// Counts logins, ends and restores, so that their order is known within a tick.
    moment: u64,
    ends: Vec<End>,
    restores: Vec<(u64, Postgres)>,
    snapshots: VecDeque<(u64, Rc<Contents>)>,
    lag: usize,
    /// When a dead master is started again from an old file.
    back_at: u64,
    backup: Option<Postgres>,
    events: Option<Vec<Event>>,
}

/// Plays the history of `seed`.
pub fn run(seed: u64, without: Option<Mutation>) -> History {
    World::new(seed, without, None).play()
}

/// Plays the history of `seed` as designed and records what reached Redis.
pub fn run_recorded(seed: u64) -> History {
    World::new(seed, None, Some(Vec::new())).play()
}

impl World {
    fn new(seed: u64, without: Option<Mutation>, events: Option<Vec<Event>>) -> Self {
        let mut rng = Rng::new(seed);
        let lag = rng.pick(&[0, 0, 2, 10, 40, 200]);
        let mut world = World {
            rng,
            now: 0,
            without,
            postgres: Postgres::fresh(),
            nodes: Vec::new(),
            master: 0,
            old: None,
            logins: Vec::new(),
            late: Vec::new(),
            sessions: BTreeMap::new(),
            consumed: BTreeSet::new(),
            next_session: 0,
            next_login: 0,
            accepted: 0,
            asked: 0,
            unavailable: 0,
            violations: Vec::new(),
            moment: 0,
            ends: Vec::new(),
            restores: Vec::new(),
            snapshots: VecDeque::new(),
            lag,
            back_at: 0,
            backup: None,
            events,
        };
        world.begin((None, Rc::default()));
        world
    }

    fn play(mut self) -> History {
        let mut relays = [Relay::new(0), Relay::new(1)];
        for now in 0..TICKS {
            self.now = now;
            self.remember();
            self.people();
            self.advance_logins();
            for relay in &mut relays {
                relay.step(&mut self);
            }
            self.apply_late();
            self.faults();
            if self.rng.chance(50) {
                self.prune();
            }
            self.validate_some();
        }
        History {
            accepted: self.accepted,
            asked: self.asked,
            unavailable: self.unavailable,
            violations: self.violations,
            events: self.events.unwrap_or_default(),
        }
    }

    /// Runs a script on a node.
    pub fn call(&mut self, node: usize, call: Call) -> Answer {
        let answer = Rc::make_mut(&mut self.nodes[node].contents).call(self.now, call, self.without);
        if let Some(events) = &mut self.events {
            let now = self.now;
            events.push(Event::Script {
                node,
                now,
                call,
                answer,
            });
        }
        answer
    }

    /// A node that a client reaches: the master, or a deposed one while it lives. `master` of 10,000 reach the master.
    pub fn reachable(&mut self, master: u64) -> usize {
        match self.old {
            Some(old) if self.nodes[old].alive && !self.rng.chance(master) => old,
            _ => self.master,
        }
    }

    /// A generation that no other has.
    pub fn draw_generation(&mut self) -> u64 {
        match self.without {
            Some(Mutation::GenerationsCount) => self.postgres.bucket.generation + 1,
            _ => self.rng.bits(),
        }
    }

    /// The next point in the order of things.
    pub fn moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// Judges one acceptance: access may not have ended longer ago than the bound since the login began. A session
    /// that agrees with the truth that PostgreSQL was restored to counts as begun then.
    pub fn accept(&mut self, id: u32) {
        self.accepted += 1;
        let Held { session, begun } = self.sessions[&id];
        let agreed = self.restores.iter().rev().find(|(_, truth)| truth.agrees(session));
        let begun = agreed.map_or(begun, |(moment, _)| begun.max(*moment));
        let user = Subject::User(session.user);
        let concerns = |end: &&End| end.moment > begun && end.of.is_none_or(|of| of == Subject::Tenant || of == user);
        if let Some(end) = self.ends.iter().find(concerns)
            && self.now > end.tick + BOUND
        {
            let violation = format!("tick {}: session {id} was accepted after {end:?}", self.now);
            self.violations.push(violation);
        }
    }

    fn remember(&mut self) {
        let (tick, master) = (self.now, self.master);
        self.record(Event::Tick { tick, master });
        self.snapshots
            .push_back((tick, Rc::clone(&self.nodes[master].contents)));
        if self.snapshots.len() > MEMORY {
            self.snapshots.pop_front();
        }
    }

    fn people(&mut self) {
        for user in 0..USERS {
            if self.rng.chance(60) {
                self.change(Subject::User(user));
            }
            if self.rng.chance(200) {
                self.begin_login(user);
            }
        }
        // A tenant is rarely suspended, and not for long.
        let active = self.postgres.access(Subject::Tenant).register.active;
        if self.rng.chance(if active { 12 } else { 200 }) {
            self.change(Subject::Tenant);
        }
    }

    /// Ends access, gives it back, or ends all sessions of one who stays active.
    fn change(&mut self, subject: Subject) {
        let active = self.postgres.access(subject).register.active;
        let next = !active || self.rng.chance(2_500);
        self.postgres.change(self.now, subject, next, self.without);
        self.end(Some(subject));
    }

    fn end(&mut self, of: Option<Subject>) {
        let (moment, tick) = (self.moment(), self.now);
        self.ends.push(End { moment, tick, of });
    }

    fn faults(&mut self) {
        if self.now == BACKUP {
            self.backup = Some(self.postgres.clone());
        }
        match self.rng.below(10_000) {
            0..20 => self.fail_over(),
            20..25 => self.flush(),
            25..30 => {
                self.nodes[self.master].alive = false;
                self.back_at = self.now + self.rng.pick(&[0, 5, 40, 200]);
            }
            30..34 => self.restore(),
            _ => {}
        }
        if !self.nodes[self.master].alive && self.now >= self.back_at {
            self.master = self.begin(self.snapshot(100));
        }
        if let Some(old) = self.old
            && self.rng.chance(100)
        {
            self.nodes[old].alive = false;
        }
    }

    /// A replica that lags takes over; half of the time the deposed master lives on for a while.
    fn fail_over(&mut self) {
        let lost = self.snapshot(self.lag);
        self.old = Some(self.master);
        if self.rng.chance(5_000) {
            self.nodes[self.master].alive = false;
        }
        self.master = self.begin(lost);
        self.lag = self.rng.pick(&[0, 2, 10, 40, 200]);
    }

    fn flush(&mut self) {
        let (node, incarnation) = (self.master, self.nodes[self.master].incarnation);
        self.nodes[node].contents = Rc::default();
        self.consumed.retain(|(of, _)| *of != incarnation);
        self.record(Event::Flushed { node });
    }

    /// PostgreSQL goes back. Every session of before must end, unless it agrees with the restored truth.
    fn restore(&mut self) {
        let Some(backup) = &self.backup else { return };
        self.postgres.restore(backup);
        self.end(None);
        self.restores.push((self.moment, self.postgres.clone()));
    }

    fn validate_some(&mut self) {
        let Ok(count) = u64::try_from(self.sessions.len()) else {
            return;
        };
        for _ in 0..count.min(6) {
            let nth = usize::try_from(self.rng.below(count)).unwrap_or(0);
            if let Some(&id) = self.sessions.keys().nth(nth) {
                self.validate(id);
            }
        }
    }

    fn snapshot(&self, ago: usize) -> (Option<u64>, Rc<Contents>) {
        let last = self.snapshots.len() - 1;
        let (tick, contents) = &self.snapshots[last.saturating_sub(ago)];
        (Some(*tick), Rc::clone(contents))
    }

    fn begin(&mut self, (tick, contents): (Option<u64>, Rc<Contents>)) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node {
            incarnation: u32::try_from(node).unwrap_or(u32::MAX) + 1,
            alive: true,
            contents,
        });
        self.record(Event::Began { node, tick });
        node
    }

    fn record(&mut self, event: Event) {
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }
}
