//! Events for the platform's own services: what `outbox` holds, numbered for each tenant once it is committed, read page by
//! page or as a stream, and removed when it is old.
//!
//! The writers of events number nothing and wait for nobody. [`number`] does it afterwards, [`page`] reads, [`subscribe`] goes
//! on reading, [`consumers`] notes how far a service came, and [`trim`] removes what it came past.

mod consumers;
mod number;
mod page;
mod subscribe;
mod subscribers;
#[cfg(test)]
mod tests;
pub(crate) mod told;
mod trim;

use identity_proto::identity::v1::ErrorReason;
use runtime::{Health, Shutdown};

use crate::Error;
use crate::access::Wake;
use crate::store::{Store, SystemStore, Turns};

pub use page::{Page, Start};
pub use subscribe::Subscription;
pub(crate) use trim::Retention;

use subscribers::Subscribers;

/// The operations on events. Clones share the subscriptions.
#[derive(Clone)]
pub struct Events {
    system: SystemStore,
    subscribers: Subscribers,
    shutdown: Shutdown,
    /// To write of consumers.
    turns: Turns,
}

impl Events {
    /// Starts the tasks that number events and remove old ones, once the process is ready, so that there is a schema. They
    /// end with the shutdown, and so do subscriptions.
    pub(crate) fn start(
        store: &Store,
        wake: Wake,
        retention: Retention,
        (health, shutdown): (&Health, &Shutdown),
    ) -> Self {
        let subscribers = Subscribers::default();
        let numbering = number::keep_numbered(store.system(), subscribers.clone(), wake);
        let trimming = trim::keep_trimmed(store.system(), retention);
        let ready = health.clone();
        shutdown.spawn_endless("events", async move {
            ready.ready().await;
            numbering.await;
        });
        let ready = health.clone();
        shutdown.spawn_endless("event retention", async move {
            ready.ready().await;
            trimming.await;
        });
        Events {
            system: store.system(),
            subscribers,
            shutdown: shutdown.clone(),
            turns: Turns::new(consumers::WRITES, consumers::TOO_OFTEN),
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorReason::InvalidValue, message)
}
