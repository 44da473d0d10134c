//! The truth: access rows, the outbox rows that are not yet applied, and which Redis process each bucket's generation
//! lives in. A restore brings back an earlier state under a new incarnation; transaction ids go back with it.

use super::script::{Register, Session};
use super::{Mutation, Subject};

/// `user_access` or `tenant_access`.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub register: Register,
    pub changed_xid: u64,
}

/// An outbox row that is to move a register.
#[derive(Clone, Copy, Debug)]
pub struct Unapplied {
    pub id: u64,
    pub subject: Subject,
    pub epoch: u64,
    pub since: u64,
    /// By whom and since when.
    pub claim: Option<(usize, u64)>,
}

/// `access_bucket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub generation: u64,
    pub redis: Option<u32>,
    pub postgres: u32,
}

/// What a login token carries besides its `jti`.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    xid: u64,
    incarnation: u32,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Postgres {
    pub incarnation: u32,
    pub bucket: Bucket,
    pub unapplied: Vec<Unapplied>,
    access: Vec<Access>,
    xid: u64,
}

impl Postgres {
    /// Everyone is active at epoch 1, nothing is in Redis.
    pub fn fresh() -> Self {
        let register = Register { epoch: 1, active: true };
        Postgres {
            incarnation: 1,
            bucket: Bucket {
                generation: 0,
                redis: None,
                postgres: 0,
            },
            unapplied: Vec::new(),
            access: Subject::all()
                .map(|_| Access {
                    register,
                    changed_xid: 0,
                })
                .collect(),
            xid: 0,
        }
    }

    /// The access row.
    pub fn access(&self, subject: Subject) -> Access {
        self.access[subject.index()]
    }

    /// Moves an epoch and writes the outbox row in the same transaction.
    pub fn change(&mut self, now: u64, subject: Subject, active: bool, without: Option<Mutation>) {
        self.xid += 1;
        let next = self.access(subject).register.epoch + 1;
        let epoch = match without {
            Some(Mutation::EpochWithoutClock) => next,
            _ => next.max(now * 1_000 + 1_000),
        };
        self.access[subject.index()] = Access {
            register: Register { epoch, active },
            changed_xid: self.xid,
        };
        self.unapplied.push(Unapplied {
            id: self.xid,
            subject,
            epoch,
            since: now,
            claim: None,
        });
    }

    /// BeginLogin.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            xid: self.xid,
            incarnation: self.incarnation,
        }
    }

    /// CheckLogin: the epochs for a session, unless access ended or changed since the login began.
    pub fn check_login(&self, user: u8, begun: Snapshot, without: Option<Mutation>) -> Option<[u64; 2]> {
        let same = begun.incarnation == self.incarnation || without == Some(Mutation::LoginAcrossRestore);
        let rows = [Subject::Tenant, Subject::User(user)].map(|subject| self.access(subject));
        let clean = same && rows.iter().all(|row| row.changed_xid <= begun.xid);
        let active = rows.iter().all(|row| row.register.active);
        (active && (clean || without == Some(Mutation::NoLoginCheck))).then(|| rows.map(|row| row.register.epoch))
    }

    /// Whether a session rests on the access that stands.
    pub fn agrees(&self, session: Session) -> bool {
        let pairs = [
            (Subject::Tenant, session.tenant_epoch),
            (Subject::User(session.user), session.user_epoch),
        ];
        pairs.iter().all(|(subject, epoch)| {
            let register = self.access(*subject).register;
            register.active && register.epoch == *epoch
        })
    }

    /// Whether registers of `generation` count: it is the bucket's, and this is still the database that said so.
    pub fn confirms(&self, generation: u64, without: Option<Mutation>) -> bool {
        let known = self.bucket.postgres == self.incarnation || without == Some(Mutation::RestoreUnnoticed);
        self.bucket.generation == generation && known
    }

    /// Marks a row applied, under the claim and the generation that it was applied under.
    pub fn mark(&mut self, row: Unapplied, generation: u64, applied_epoch: u64, without: Option<Mutation>) {
        if !self.confirms(generation, without) && without != Some(Mutation::MarkInAnyGeneration) {
            return;
        }
        self.unapplied
            .retain(|one| one.id != row.id || one.claim != row.claim || applied_epoch < one.epoch);
    }

    /// Goes back to an earlier state.
    pub fn restore(&mut self, saved: &Postgres) {
        let incarnation = self.incarnation + 1;
        *self = saved.clone();
        self.incarnation = incarnation;
    }
}
