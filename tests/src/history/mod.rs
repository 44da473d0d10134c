//! What clients did and were answered, each operation with the instants of its call and of its answer, and what must be
//! true of it: the checker is pure, so that it can be shown to find what it is for.

mod check;
mod judgement;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

pub use check::{Rules, SUSPENDED, check};
pub use judgement::Judgement;

/// Microseconds since the history began.
pub type At = u64;

/// Whose access it is about: users are numbered.
pub type Subject = usize;

/// Sessions are numbered over all subjects.
pub type SessionNumber = usize;

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    pub subject: Subject,
    pub what: What,
    /// Which process was asked, where that was chosen.
    pub via: Option<usize>,
    pub called: At,
    pub answered: At,
    pub answer: Answer,
}

/// What was asked.
#[derive(Clone, Debug, Serialize)]
pub enum What {
    /// An end of access, and by which call.
    End(&'static str),
    Reactivate,
    /// A login that began (that is when BeginLogin was called and answered) becomes a session: of this number, if it does.
    LogIn {
        begun: (At, At),
        session: SessionNumber,
    },
    /// `last`: after everything, when each answer must be the final one.
    Validate {
        session: SessionNumber,
        last: bool,
    },
    /// Anything else that must be answered well or told to be unavailable.
    Other(&'static str),
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Answer {
    /// 2xx, a session, or valid.
    Yes,
    /// Refused, or not valid.
    No,
    /// The service said so, or nobody answered: a change may have been made or not.
    Unavailable,
    /// What must never be answered, whatever is broken.
    Wrong(String),
}

/// Clones write the same history.
#[derive(Clone)]
pub struct History {
    since: Instant,
    operations: Arc<Mutex<Vec<Operation>>>,
}

impl Default for History {
    fn default() -> Self {
        History {
            since: Instant::now(),
            operations: Arc::default(),
        }
    }
}

impl History {
    /// What time it is in this history.
    pub fn now(&self) -> At {
        u64::try_from(self.since.elapsed().as_micros()).unwrap_or(At::MAX)
    }

    /// Adds an operation that was just answered.
    pub fn add(&self, subject: Subject, what: What, via: Option<usize>, called: At, answer: Answer) {
        let answered = self.now();
        self.lock().push(Operation {
            subject,
            what,
            via,
            called,
            answered,
            answer,
        });
    }

    /// Leaves out what was unavailable so far: nothing had begun yet.
    pub fn forget_unavailable(&self) {
        self.lock().retain(|operation| operation.answer != Answer::Unavailable);
    }

    /// All of it so far, by the instant of the call.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = self.lock().clone();
        operations.sort_by_key(|operation| operation.called);
        operations
    }

    /// Writes it to a file, one JSON object a line.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        for operation in self.operations() {
            serde_json::to_writer(&mut file, &operation)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
