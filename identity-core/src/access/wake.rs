//! Tells the relay that a change of access was committed, so that it need not wait for its next poll.

use std::sync::Arc;

use tokio::sync::Notify;

/// Held by every operation that may change access; clones wake the same relay.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// To be called after the commit. Never waits; several calls before the relay looks are one.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Resolves after the next [`Wake::now`].
    pub async fn called(&self) {
        self.0.notified().await;
    }
}
