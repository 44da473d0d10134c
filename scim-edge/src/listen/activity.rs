//! What a connection does: whether requests are open on it, since when none is, and whether their caller is known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What one connection does.
#[derive(Debug)]
pub struct Activity {
    stranger: Duration,
    known: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    open: usize,
    idle_since: Instant,
    is_known: bool,
    is_http2: bool,
    closing: Option<Duration>,
}

/// An open request; over when dropped.
pub struct Open(Arc<Activity>);

impl Activity {
    /// A connection that begins now; it lasts for so long while its caller is a stranger, and may be idle for so long
    /// afterwards.
    pub fn new(stranger: Duration, known: Duration) -> Self {
        let state = State {
            open: 0,
            idle_since: Instant::now(),
            is_known: false,
            is_http2: false,
            closing: None,
        };
        Activity {
            stranger,
            known,
            state: Mutex::new(state),
        }
    }

    /// A request begins.
    pub fn open(activity: &Arc<Self>, is_http2: bool) -> Open {
        let mut state = activity.state();
        state.open += 1;
        state.is_http2 = is_http2;
        drop(state);
        Open(Arc::clone(activity))
    }

    /// Whether requests on it are known to come by HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.state().is_http2
    }

    /// A request on it carried a valid token.
    pub fn mark_known(&self) {
        let mut state = self.state();
        state.is_known = true;
        state.idle_since = Instant::now();
    }

    /// It is being closed: from now on it may be idle for this long, whoever the caller is.
    pub fn close(&self, within: Duration) {
        let mut state = self.state();
        state.closing = Some(within);
        state.idle_since = Instant::now();
    }

    /// Resolves when no request was open for as long as it may be.
    pub async fn idles(&self) {
        loop {
            let until = self.idles_at();
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// When it idled for long enough, unless something happens until then.
    fn idles_at(&self) -> Instant {
        let state = self.state();
        let since = if state.open > 0 {
            Instant::now()
        } else {
            state.idle_since
        };
        let allowed = if state.is_known { self.known } else { self.stranger };
        since + state.closing.unwrap_or(allowed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open -= 1;
        // A stranger's requests buy no time: the connection's first seconds are all that it has.
        if state.is_known {
            state.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: Duration = Duration::from_secs(10);
    const KNOWN: Duration = Duration::from_secs(75);

    async fn check(activity: &Activity, expect: Duration) {
        let began = Instant::now();
        activity.idles().await;
        let passed = began.elapsed();
        assert!(
            passed >= expect && passed < expect + Duration::from_secs(1),
            "{passed:?}, not {expect:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn time_depends_on_who_calls() {
        let activity = Arc::new(Activity::new(STRANGER, KNOWN));
        tokio::time::sleep(STRANGER / 2).await;
        drop(Activity::open(&activity, false));
        check(&activity, STRANGER / 2).await;
        activity.mark_known();
        drop(Activity::open(&activity, false));
        check(&activity, KNOWN).await;
        activity.close(Duration::from_secs(3));
        check(&activity, Duration::from_secs(3)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_request_is_waited_for() {
        let activity = Arc::new(Activity::new(STRANGER, KNOWN));
        let (first, second) = (Activity::open(&activity, false), Activity::open(&activity, false));
        tokio::spawn(async move {
            drop(first);
            tokio::time::sleep(Duration::from_secs(25)).await;
            drop(second);
        });
        // Looked at again every ten seconds while it was open.
        check(&activity, 3 * STRANGER).await;
    }
}
