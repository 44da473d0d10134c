//! The session services: they hold no state, so two of them are two choices of the Redis node that they reach.

use super::postgres::Snapshot;
use super::script::{Answer, Call, Register, Session};
use super::world::{Held, World};
use super::{Mutation, Subject};

/// How many sessions a user may have.
const CAP: usize = 20;

/// A login between its beginning and its session.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    pub jti: u32,
    pub user: u8,
    pub begun: u64,
    pub snapshot: Snapshot,
    /// When the assertion comes back, and later when the next attempt is made.
    pub due: u64,
    /// From the core; absent until it was asked.
    pub epochs: Option<[u64; 2]>,
    pub attempts: u8,
}

/// Something that the core read for a session service and applies later.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    pub due: u64,
    generation: u64,
    subject: Subject,
    to: Register,
}

impl World {
    /// Someone is sent to the identity provider; the assertion comes back after some ticks.
    pub(super) fn begin_login(&mut self, user: u8) {
        self.next_login += 1;
        let login = Login {
            jti: self.next_login,
            user,
            begun: self.moment(),
            snapshot: self.postgres.snapshot(),
            due: self.now + self.rng.pick(&[1, 5, 40, 120]),
            epochs: None,
            attempts: 0,
        };
        self.logins.push(login);
    }

    /// Takes every due login one step on: asks the core, then creates; a caller may repeat its call.
    pub(super) fn advance_logins(&mut self) {
        let (due, later) = self.logins.drain(..).partition(|login| login.due <= self.now);
        self.logins = later;
        for mut login in due {
            let Some(epochs) = login.epochs else {
                login.epochs = self.postgres.check_login(login.user, login.snapshot, self.without);
                if login.epochs.is_some() {
                    login.due = self.now + self.rng.pick(&[0, 0, 1, 5, 40, 120]);
                    self.logins.push(login);
                }
                continue;
            };
            self.create(login, epochs);
        }
    }

    fn create(&mut self, mut login: Login, [tenant_epoch, user_epoch]: [u64; 2]) {
        let node = self.reachable(5_000);
        let session = Session {
            user: login.user,
            tenant_epoch,
            user_epoch,
        };
        let id = self.next_session;
        self.next_session += 1;
        let call = Call::Create {
            id,
            session,
            login: login.jti,
            cap: CAP,
        };
        let again = match self.nodes[node].alive.then(|| self.call(node, call)) {
            None => true,
            Some(Answer::Later) => {
                self.resolve(login.user);
                true
            }
            Some(Answer::Done) => {
                self.created(node, id, &login, session);
                self.rng.chance(2_000)
            }
            Some(_) => false,
        };
        login.attempts += 1;
        if again && login.attempts < 4 {
            login.due = self.now + self.rng.pick(&[1, 5, 20]);
            self.logins.push(login);
        }
    }

    fn created(&mut self, node: usize, id: u32, login: &Login, session: Session) {
        if !self.consumed.insert((self.nodes[node].incarnation, login.jti)) {
            self.violations
                .push(format!("tick {}: login {} made two sessions", self.now, login.jti));
        }
        self.sessions.insert(
            id,
            Held {
                session,
                begun: login.begun,
            },
        );
        self.accept(id);
    }

    /// ValidateSession.
    pub(super) fn validate(&mut self, id: u32) {
        let user = self.sessions[&id].session.user;
        let node = self.reachable(5_000);
        if !self.nodes[node].alive {
            self.unavailable += 1;
            return;
        }
        match self.call(node, Call::Validate { id, user }) {
            Answer::Valid => self.accept(id),
            Answer::Ask {
                tenant_epoch,
                user_epoch,
            } => {
                self.asked += 1;
                let [tenant, of_user] = self.resolve(user);
                let equal = tenant.epoch == tenant_epoch && of_user.epoch == user_epoch;
                if equal && tenant.active && of_user.active {
                    self.accept(id);
                }
            }
            _ => {}
        }
    }

    /// ResolveAccess: the truth from PostgreSQL. The core may move the registers later, to what it read now, under the
    /// generation that counted before it read.
    fn resolve(&mut self, user: u8) -> [Register; 2] {
        let generation = self.postgres.bucket.generation;
        let subjects = [Subject::Tenant, Subject::User(user)];
        let read = subjects.map(|subject| self.postgres.access(subject).register);
        if self.rng.chance(5_000) {
            let due = self.now + self.rng.pick(&[0, 1, 5, 40]);
            self.late
                .extend(subjects.into_iter().zip(read).map(|(subject, to)| Late {
                    due,
                    generation,
                    subject,
                    to,
                }));
        }
        read
    }

    /// Applies what is due.
    pub(super) fn apply_late(&mut self) {
        let (due, later): (Vec<Late>, _) = self.late.drain(..).partition(|late| late.due <= self.now);
        self.late = later;
        for late in due {
            let node = self.reachable(6_000);
            let generation = match self.without {
                Some(Mutation::GenerationAfterRead) => self.postgres.bucket.generation,
                _ => late.generation,
            };
            if self.nodes[node].alive {
                let (subject, to) = (late.subject, late.to);
                self.call(
                    node,
                    Call::Apply {
                        generation,
                        subject,
                        to,
                    },
                );
            }
        }
    }

    /// What an event of the user or of the tenant sets off, or the sweep.
    pub(super) fn prune(&mut self) {
        let user = self.rng.pick(&[0, 1]);
        let [tenant_epoch, user_epoch] = [Subject::Tenant, Subject::User(user)].map(|subject| {
            let event = self.rng.chance(5_000);
            event.then(|| self.postgres.access(subject).register.epoch)
        });
        let node = self.reachable(5_000);
        if self.nodes[node].alive {
            let call = Call::Prune {
                user,
                user_epoch,
                tenant_epoch,
            };
            self.call(node, call);
        }
    }
}
