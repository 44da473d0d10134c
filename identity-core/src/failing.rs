//! Rounds of background tasks that are tried again for ever: how long one may take, and how often a failure is told.

use std::time::Duration;

/// What a round failed with.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long what a round waits for may take altogether. A connection that was cut off silently would wait for minutes; it is
/// given up, and what was claimed with it ends by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Gives a round up after [`PATIENCE`].
pub(crate) async fn within<T>(round: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(PATIENCE, round)
        .await
        .unwrap_or_else(|_| Err("no answer in time".into()))
}

/// Which failures of a round that is tried again and again are told: the first in a row, and then one in [`Failing::TOLD`].
#[derive(Default)]
pub(crate) struct Failing(u32);

impl Failing {
    const TOLD: u32 = 60;
    /// A pipeline tells what each of its commands failed with.
    const LONGEST: usize = 300;

    pub(crate) fn succeeded(&mut self) {
        self.0 = 0;
    }

    pub(crate) fn failed(&mut self, error: &Failure, what: &str) {
        if self.0.is_multiple_of(Self::TOLD) {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            let cause: String = format!("{error}{source}").chars().take(Self::LONGEST).collect();
            tracing::warn!(cause, times = self.0 + 1, "{what}");
        }
        self.0 = self.0.saturating_add(1);
    }
}
