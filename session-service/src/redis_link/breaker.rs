//! What is made of answers that do not come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use redis::{ErrorKind, ServerErrorKind};

use crate::error::Error;

/// How long after an answer that did not come in time callers are refused without a try.
const BREAK_MS: u64 = 100;
/// For how long none may come until the connection is given up. Before, another one would not be answered sooner.
const GIVE_UP_MS: u64 = 1_000;

/// Times are milliseconds after `since`.
pub(super) struct Breaker {
    since: Instant,
    open_until: AtomicU64,
    /// When the first of the answers was missed that have been missed since; 0: none.
    late_since: AtomicU64,
}

/// What a failure says of the connection.
pub(super) enum Failure {
    /// Redis answered and refused this command, for what it is or because its slot is moving: nothing.
    Command,
    /// Redis did not answer in time: not yet much.
    Late,
    /// Anything else: that it is cut, or that the process is no longer the bucket's master.
    Link,
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        use ServerErrorKind::{Ask, CrossSlot, ExecAbort, NoPerm, NoScript, ResponseError, TryAgain};
        let Error::Redis(error) = error else {
            return Failure::Late;
        };
        match error.kind() {
            ErrorKind::UnexpectedReturnType
            | ErrorKind::Extension
            | ErrorKind::Server(Ask | TryAgain | ResponseError | NoScript | ExecAbort | CrossSlot | NoPerm) => {
                Failure::Command
            }
            _ if error.is_timeout() => Failure::Late,
            _ => Failure::Link,
        }
    }
}

impl Breaker {
    pub(super) fn new() -> Self {
        Breaker {
            since: Instant::now(),
            open_until: AtomicU64::new(0),
            late_since: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether callers are refused without a try.
    pub(super) fn is_open(&self) -> bool {
        let until = self.open_until.load(Ordering::Relaxed);
        until > 0 && self.now() < until
    }

    /// An answer came.
    pub(super) fn close(&self) {
        if self.late_since.load(Ordering::Relaxed) > 0 {
            self.late_since.store(0, Ordering::Relaxed);
        }
    }

    /// Opens for a while; answers whether nothing has come for so long that it need not close any more.
    pub(super) fn opens_for_good(&self) -> bool {
        let now = self.now().max(1);
        self.open_until.store(now + BREAK_MS, Ordering::Relaxed);
        let late_since = self
            .late_since
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        late_since.is_err_and(|since| now.saturating_sub(since) > GIVE_UP_MS)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_is_given_up_when_nothing_comes_for_long() {
        let breaker = Breaker::new();
        assert!(!breaker.is_open());
        assert!(!breaker.opens_for_good());
        assert!(breaker.is_open(), "for a while");
        std::thread::sleep(Duration::from_millis(BREAK_MS + 10));
        assert!(!breaker.is_open());
        breaker.close();
        std::thread::sleep(Duration::from_millis(GIVE_UP_MS));
        assert!(!breaker.opens_for_good(), "an answer came meanwhile");
        std::thread::sleep(Duration::from_millis(GIVE_UP_MS + 10));
        assert!(breaker.opens_for_good());
    }
}
