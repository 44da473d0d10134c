//! The consumers: one is sent events, the other asks for them.

use std::time::Duration;

use anyhow::{Result, bail};
use identity_proto::identity::v1::{ListEventsRequest, SubscribeRequest};
use tonic::{Code, Status};

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

/// Follows for ever, from the first event that is not there yet. A call that fails because there is too much to do is made
/// again, and counted.
pub async fn follow(way: Way, mut events: Events, tenant: String, changes: &Changes) -> Result<()> {
    loop {
        let ended = match way {
            Way::Subscribe => subscribe(&mut events, &tenant, changes).await,
            Way::List => list(&mut events, &tenant, changes).await,
        };
        match ended {
            Err(status) if status.code() == Code::Unavailable => changes.failed(way),
            ended => bail!("{} ended: {ended:?}", way.name()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn subscribe(events: &mut Events, tenant: &str, changes: &Changes) -> Result<(), Status> {
    let request = SubscribeRequest {
        tenant_id: tenant.to_owned(),
        from_sequence: changes.next(Way::Subscribe),
        ..Default::default()
    };
    let mut stream = events.subscribe(request).await?.into_inner();
    while let Some(event) = stream.message().await? {
        changes.arrived(Way::Subscribe, &event);
    }
    Ok(())
}

async fn list(events: &mut Events, tenant: &str, changes: &Changes) -> Result<(), Status> {
    loop {
        let request = ListEventsRequest {
            tenant_id: tenant.to_owned(),
            from_sequence: changes.next(Way::List),
            page_size: PAGE,
            ..Default::default()
        };
        let page = events.list_events(request).await?.into_inner();
        for event in &page.events {
            changes.arrived(Way::List, event);
        }
        if page.events.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
