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

    /// An answer came: so will those to others.
    pub(super) fn close(&self) {
        if self.late_since.load(Ordering::Relaxed) > 0 {
            self.late_since.store(0, Ordering::Relaxed);
            self.open_until.store(0, Ordering::Relaxed);
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

    use redis::parse_redis_value;

    use super::*;

    #[test]
    fn a_slot_that_is_moving_is_no_failure_of_the_link_and_one_that_has_moved_is() {
        let check = |said: &[u8], is_of_the_link: bool| {
            let answer = parse_redis_value(said).and_then(redis::Value::extract_error);
            let failure = Failure::of(&Error::Redis(answer.expect_err("an error")));
            let seen = matches!(failure, Failure::Link);
            assert_eq!(seen, is_of_the_link, "{}", String::from_utf8_lossy(said));
        };
        check(b"-ASK 3999 127.0.0.1:6381\r\n", false);
        check(b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", false);
        check(b"-MOVED 3999 127.0.0.1:6381\r\n", true);
        check(b"-CLUSTERDOWN The cluster is down\r\n", true);
        check(b"-READONLY You can't write against a read only replica.\r\n", true);
    }

    #[test]
    fn a_connection_is_given_up_when_nothing_comes_for_long() {
        let breaker = Breaker::new();
        assert!(!breaker.is_open());
        assert!(!breaker.opens_for_good());
        assert!(breaker.is_open(), "for a while");
        std::thread::sleep(Duration::from_millis(BREAK_MS + 10));
        assert!(!breaker.is_open());
        assert!(!breaker.opens_for_good());
        breaker.close();
        assert!(!breaker.is_open(), "an answer came");
        std::thread::sleep(Duration::from_millis(GIVE_UP_MS));
        assert!(!breaker.opens_for_good(), "an answer came meanwhile");
        std::thread::sleep(Duration::from_millis(GIVE_UP_MS + 10));
        assert!(breaker.opens_for_good());
    }
}
