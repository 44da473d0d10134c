//! The consumers: one is sent events, the other asks for them.

use std::time::Duration;

use anyhow::{Result, bail};
use identity_proto::identity::v1::{ListEventsRequest, SubscribeRequest};

use super::Events;
use super::changes::Changes;

/// How long who asks waits when there was nothing.
const PAUSE: Duration = Duration::from_millis(20);
/// The largest page.
const PAGE: i32 = 1_000;

/// By which call events are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Subscribe,
    List,
}

impl Way {
    pub const BOTH: [Way; 2] = [Way::Subscribe, Way::List];

    pub fn name(self) -> &'static str {
        match self {
            Way::Subscribe => "Subscribe",
            Way::List => "ListEvents",
        }
    }

    pub fn index(self) -> usize {
        match self {
            Way::Subscribe => 0,
            Way::List => 1,
        }
    }
}

/// Follows for ever.
pub async fn follow(way: Way, events: Events, tenant: String, from: i64, changes: &Changes) -> Result<()> {
    match way {
        Way::Subscribe => subscribe(events, tenant, from, changes).await,
        Way::List => list(events, tenant, from, changes).await,
    }
}

async fn subscribe(mut events: Events, tenant: String, from: i64, changes: &Changes) -> Result<()> {
    let request = SubscribeRequest {
        tenant_id: tenant,
        from_sequence: from,
        ..Default::default()
    };
    let mut stream = events.subscribe(request).await?.into_inner();
    while let Some(event) = stream.message().await? {
        changes.arrived(Way::Subscribe, &event);
    }
    bail!("the stream is over")
}

async fn list(mut events: Events, tenant: String, mut from: i64, changes: &Changes) -> Result<()> {
    loop {
        let request = ListEventsRequest {
            tenant_id: tenant.clone(),
            from_sequence: from,
            page_size: PAGE,
            ..Default::default()
        };
        let page = events.list_events(request).await?.into_inner();
        for event in &page.events {
            changes.arrived(Way::List, event);
        }
        from = page.next_sequence;
        if page.events.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
