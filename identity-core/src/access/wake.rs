//! Tells the relay and whoever numbers events that a change was committed, so that they need not wait for their next poll.

use std::sync::Arc;

use runtime::sabotage::failpoint;
use tokio::sync::Notify;

/// Held by every operation that may change access; clones wake the same tasks. Each task has a signal of its own, as it is the
/// first to look that a signal wakes.
#[derive(Clone, Default)]
pub struct Wake {
    relay: Arc<Notify>,
    events: Arc<Notify>,
}

impl Wake {
    /// To be called after the commit. Never waits; several calls before a task looks are one.
    pub fn now(&self) {
        failpoint("relay::committed");
        self.relay.notify_one();
        self.events.notify_one();
    }

    /// Resolves after the next [`Wake::now`]: for the relay.
    pub async fn called(&self) {
        self.relay.notified().await;
    }

    /// Resolves after the next [`Wake::now`]: for the task that numbers events.
    pub async fn called_for_events(&self) {
        self.events.notified().await;
    }
}
