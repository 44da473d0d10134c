//! What one Redis process holds of a bucket, and the scripts that run in it: a twin of the Lua files, line for line in
//! meaning. `gen` in Redis is absent, or the generation whose registers count.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mutation, Subject};

/// A register's or an access row's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    pub epoch: u64,
    pub active: bool,
}

/// A session as Redis holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub user: u8,
    pub tenant_epoch: u64,
    pub user_epoch: u64,
}

/// One call of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Relay: registers of `generation` count from now on and the lease of before is void, if `stood` still stands.
    Adopt { stood: Option<u64>, generation: u64 },
    /// Relay and core: moves a register, never back.
    Apply {
        generation: u64,
        subject: Subject,
        to: Register,
    },
    /// Relay: the registers are known to be no older than the bound until the tick `until`.
    Grant { generation: u64, until: u64 },
    /// Session service: makes a session and consumes the login token.
    Create {
        id: u32,
        session: Session,
        login: u32,
        /// How many sessions a user may have.
        cap: usize,
    },
    /// Session service: whether a session may be used now.
    Validate { id: u32, user: u8 },
    /// Session service: removes the sessions of `user` that are older than these epochs; without one, the register's.
    Prune {
        user: u8,
        user_epoch: Option<u64>,
        tenant_epoch: Option<u64>,
    },
}

/// What a script answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done as asked.
    Done,
    /// The bucket is of another generation.
    OtherGeneration,
    /// Of this generation, but another relay was faster, or a lease that is over or no longer than the one that stands.
    Refused,
    /// Whether the register moved.
    Moved(bool),
    /// The session exists and may be used.
    Valid,
    /// There is no such session.
    Unknown,
    /// The tenant's register says that access ended.
    TenantEnded,
    /// The user's register says so; for a creation, either register.
    Ended,
    /// The registers cannot say: the core must be asked. With the session's own epochs.
    Ask { tenant_epoch: u64, user_epoch: u64 },
    /// The registers cannot say whether a session may be created.
    Later,
    /// The login token was used before.
    Used,
    /// So many sessions were removed.
    Pruned(u32),
}

/// The keys of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub generation: Option<u64>,
    /// The tick at which the lease is over.
    pub lease: Option<u64>,
    pub registers: BTreeMap<(u64, Subject), Register>,
    pub sessions: BTreeMap<u32, Session>,
    /// Login tokens that were used.
    pub logins: BTreeSet<u32>,
}

impl Contents {
    /// Runs one script at the tick `now`.
    pub fn call(&mut self, now: u64, call: Call, without: Option<Mutation>) -> Answer {
        match call {
            Call::Adopt { stood, generation } => self.adopt(stood, generation),
            Call::Apply {
                generation,
                subject,
                to,
            } => self.apply(generation, subject, to, without),
            Call::Grant { generation, until } => self.grant(now, generation, until),
            Call::Create {
                id,
                session,
                login,
                cap,
            } => {
                let answer = self.admit(now, session, login, without);
                if answer == Answer::Done {
                    self.insert(id, session, login, cap);
                }
                answer
            }
            Call::Validate { id, user } => self.validate(now, id, user, without),
            Call::Prune {
                user,
                user_epoch,
                tenant_epoch,
            } => {
                let of_user = user_epoch.unwrap_or_else(|| self.floor(Subject::User(user)));
                let of_tenant = tenant_epoch.unwrap_or_else(|| self.floor(Subject::Tenant));
                self.prune(user, of_user, of_tenant)
            }
        }
    }

    fn adopt(&mut self, stood: Option<u64>, generation: u64) -> Answer {
        if self.generation != stood {
            return Answer::Refused;
        }
        self.generation = Some(generation);
        self.lease = None;
        Answer::Done
    }

    fn apply(&mut self, generation: u64, subject: Subject, to: Register, without: Option<Mutation>) -> Answer {
        if self.generation != Some(generation) {
            return Answer::OtherGeneration;
        }
        let key = (name(generation, without), subject);
        let moves = match self.registers.get(&key) {
            None => true,
            Some(_) if without == Some(Mutation::NoEpochOrder) => true,
            Some(now) => to.epoch > now.epoch || (to.epoch == now.epoch && now.active && !to.active),
        };
        if moves {
            self.registers.insert(key, to);
        }
        Answer::Moved(moves)
    }

    fn grant(&mut self, now: u64, generation: u64, until: u64) -> Answer {
        if self.generation != Some(generation) {
            return Answer::OtherGeneration;
        }
        if until <= now || self.lease(now).is_some_and(|standing| until <= standing) {
            return Answer::Refused;
        }
        self.lease = Some(until);
        Answer::Done
    }

    fn admit(&self, now: u64, session: Session, login: u32, without: Option<Mutation>) -> Answer {
        if without != Some(Mutation::CreateWithoutRegisters) {
            let blind = matches!(without, Some(Mutation::CreateWithoutLease | Mutation::NoLease));
            if self.lease(now).is_none() && !blind {
                return Answer::Later;
            }
            match self.standing(session, session.user, without) {
                Standing::Agrees => {}
                Standing::CannotTell => return Answer::Later,
                Standing::Ended(_) => return Answer::Ended,
            }
        }
        if self.logins.contains(&login) && without != Some(Mutation::LoginTokenReused) {
            return Answer::Used;
        }
        Answer::Done
    }

    /// The user's oldest sessions beyond the cap go. Ids rise with time.
    fn insert(&mut self, id: u32, session: Session, login: u32, cap: usize) {
        self.logins.insert(login);
        self.sessions.insert(id, session);
        let of_user = |(id, one): (&u32, &Session)| (one.user == session.user).then_some(*id);
        let ids: Vec<u32> = self.sessions.iter().filter_map(of_user).collect();
        for oldest in &ids[..ids.len().saturating_sub(cap)] {
            self.sessions.remove(oldest);
        }
    }

    fn validate(&self, now: u64, id: u32, user: u8, without: Option<Mutation>) -> Answer {
        let Some(&session) = self.sessions.get(&id) else {
            return self.gone(user, without);
        };
        let Session {
            tenant_epoch,
            user_epoch,
            ..
        } = session;
        let leased = self.lease(now).is_some() || without == Some(Mutation::NoLease);
        match self.standing(session, user, without) {
            Standing::Agrees if leased => Answer::Valid,
            Standing::Ended(Subject::Tenant) if leased => Answer::TenantEnded,
            Standing::Ended(Subject::User(_)) if leased => Answer::Ended,
            _ => Answer::Ask {
                tenant_epoch,
                user_epoch,
            },
        }
    }

    /// Why a session may be gone: the registers, if they know.
    fn gone(&self, user: u8, without: Option<Mutation>) -> Answer {
        let over = |subject| {
            let generation = self.generation?;
            let register = self.registers.get(&(name(generation, without), subject))?;
            Some(!register.active)
        };
        match (over(Subject::Tenant), over(Subject::User(user))) {
            (Some(true), _) => Answer::TenantEnded,
            (_, Some(true)) => Answer::Ended,
            _ => Answer::Unknown,
        }
    }

    /// What the registers say of a session's epochs: the tenant's first.
    fn standing(&self, session: Session, user: u8, without: Option<Mutation>) -> Standing {
        let Some(generation) = self.generation else {
            return Standing::CannotTell;
        };
        let pairs = [
            (Subject::Tenant, session.tenant_epoch),
            (Subject::User(user), session.user_epoch),
        ];
        for (subject, epoch) in pairs {
            match self.registers.get(&(name(generation, without), subject)) {
                Some(register) if register.epoch < epoch => return Standing::CannotTell,
                Some(register) if register.epoch > epoch || !register.active => return Standing::Ended(subject),
                Some(_) => {}
                None if without == Some(Mutation::MissingIsActive) => {}
                None => return Standing::CannotTell,
            }
        }
        Standing::Agrees
    }

    fn prune(&mut self, user: u8, user_epoch: u64, tenant_epoch: u64) -> Answer {
        let before = self.sessions.len();
        let over = |one: &Session| one.user_epoch < user_epoch || one.tenant_epoch < tenant_epoch;
        self.sessions
            .retain(|_, session| session.user != user || !over(session));
        Answer::Pruned(u32::try_from(before - self.sessions.len()).expect("few sessions"))
    }

    fn floor(&self, subject: Subject) -> u64 {
        let register = self
            .generation
            .and_then(|generation| self.registers.get(&(generation, subject)));
        register.map_or(0, |register| register.epoch)
    }

    /// The lease, if it stands at `now`. Redis drops an expired key by itself.
    fn lease(&self, now: u64) -> Option<u64> {
        self.lease.filter(|until| *until > now)
    }
}

enum Standing {
    Agrees,
    Ended(Subject),
    /// A register is missing, or behind what the session was created under.
    CannotTell,
}

fn name(generation: u64, without: Option<Mutation>) -> u64 {
    if without == Some(Mutation::RegistersWithoutGeneration) {
        0
    } else {
        generation
    }
}
