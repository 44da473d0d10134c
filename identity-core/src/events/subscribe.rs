//! A stream of events: pages as they are asked for, then a wait without a connection to the database. Whoever reads slowly slows
//! only itself, as nothing is read before it is wanted.

use std::collections::vec_deque::VecDeque;

use futures_util::stream::{Stream, try_unfold};
use identity_proto::identity::v1::{ErrorReason, Event};
use runtime::Shutdown;
use uuid::Uuid;

use super::Events;
use super::page::{Limit, Page, Start, read};
use super::subscribers::Seat;
use crate::Error;
use crate::store::TenantStore;

/// What one subscription holds at most: less than an answer may, as there are many that hold it for long.
const LIMIT: Limit = Limit {
    events: 100,
    bytes: 256 << 10,
};

/// A subscription that began.
pub struct Subscription {
    store: TenantStore,
    seat: Seat,
    shutdown: Shutdown,
    /// What was read and not asked for yet.
    read: VecDeque<Event>,
    /// The number to read next.
    next: i64,
    /// The id of the event before that: a database that failed over meanwhile may give its number to another.
    after: Option<Uuid>,
}

impl Events {
    /// Begins a subscription. Where it cannot begin there is told here, and not in the stream.
    #[tracing::instrument(skip_all, fields(tenant.id = %store.tenant()))]
    pub async fn subscribe(&self, store: TenantStore, start: &Start) -> Result<Subscription, Error> {
        let mut seat = self.subscribers.seat(store.tenant())?;
        seat.last.mark_unchanged();
        let page = read(&store, start, LIMIT).await?;
        let mut subscription = Subscription {
            store,
            seat,
            shutdown: self.shutdown.clone(),
            read: VecDeque::new(),
            next: start.from,
            after: start.after,
        };
        subscription.take(page);
        Ok(subscription)
    }
}

impl Subscription {
    /// What there is, then what comes. Ends with an error, the shutdown's at the latest.
    pub fn stream(self) -> impl Stream<Item = Result<Event, Error>> + Send {
        try_unfold(self, async |mut subscription| {
            let event = subscription.event().await?;
            Ok(Some((event, subscription)))
        })
    }

    fn take(&mut self, page: Page) {
        if let Some(last) = page.events.last() {
            self.after = last.event_id.parse().ok();
        }
        (self.read, self.next) = (page.events.into(), page.next);
    }

    async fn event(&mut self) -> Result<Event, Error> {
        loop {
            if self.shutdown.is_requested() {
                return Err(stopping());
            }
            if let Some(event) = self.read.pop_front() {
                return Ok(event);
            }
            // Before the page is read: what is told from here on may not be in it.
            self.seat.last.mark_unchanged();
            let start = Start {
                from: self.next,
                after: self.after,
                ..Start::default()
            };
            let page = read(&self.store, &start, LIMIT).await?;
            self.take(page);
            if self.read.is_empty() {
                tokio::select! {
                    () = self.shutdown.requested() => {}
                    told = self.seat.last.changed() => told.map_err(Error::internal)?,
                }
            }
        }
    }
}

fn stopping() -> Error {
    let message = "this core stops; subscribe at another, from the number after the last that you have";
    Error::new(ErrorReason::Unavailable, message)
}
