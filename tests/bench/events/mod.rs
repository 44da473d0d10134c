//! Events: two consumers follow while users change at a steady pace, and what there is already is read as fast as it goes.

mod backlog;
mod changes;
mod consumers;
mod report;

use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::grpc::{Connection, connect};
use identity_proto::identity::v1::ListEventsRequest;
use identity_proto::identity::v1::event_service_client::EventServiceClient;

use crate::data::Data;
use crate::options::Options;
use crate::stage::Stage;

use changes::Changes;
use consumers::Way;
pub use report::{Backlog, Followed, tables};

/// How long events may take to come after the last change.
const LATEST: Duration = Duration::from_secs(30);

type Events = EventServiceClient<Connection>;

/// Reads what there is, then follows.
pub async fn measure(stage: &mut Stage, data: &mut Data, options: &Options) -> Result<(Vec<Backlog>, Vec<Followed>)> {
    let Some(rate) = options.events else {
        return Ok((Vec::new(), Vec::new()));
    };
    for users in options.sizes() {
        if data.users < users.into() {
            eprintln!("{users} users: filling");
            crate::fill::grow(stage, data, users.into()).await?;
        }
    }
    let backlog = backlog::measure(stage, options).await?;
    let followed = follow(stage, data, rate, options).await?;
    Ok((backlog, followed))
}

/// Users change at this rate while both consumers follow.
async fn follow(stage: &mut Stage, data: &Data, rate: u32, options: &Options) -> Result<Vec<Followed>> {
    let (target, processes) = (stage.target(), stage.processes());
    let last = last_sequence(&mut client(stage), stage).await?;
    let seconds = options.seconds_of_events();
    let changes = Changes::new(data, rate, seconds, last + 1);
    eprintln!("{rate} changes a second for {seconds} s");
    let consumers = Way::BOTH.map(|way| consumers::follow(way, client(stage), stage.tenant.id.clone(), &changes));
    let before = processes.ticks();
    let making = async {
        let made = changes.make(&target, data).await;
        let (used, waiting) = (processes.ticks().since(before), changes.waiting());
        let until = Instant::now() + LATEST;
        while changes.waiting() != [0, 0] && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (made, used, waiting)
    };
    let [subscribe, list] = consumers;
    let (mut made, used, waiting) = tokio::select! {
        biased;
        ended = subscribe => return ended.map(|()| Vec::new()),
        ended = list => return ended.map(|()| Vec::new()),
        done = making => done,
    };
    let rows = changes.followed(&mut made, waiting, used);
    if options.json {
        for row in &rows {
            println!("{}", row.json());
        }
    }
    Ok(rows)
}

fn client(stage: &Stage) -> Events {
    let description = stage.system().description();
    EventServiceClient::new(connect(&description.identity_grpc, &description.service_key))
}

async fn last_sequence(events: &mut Events, stage: &Stage) -> Result<i64> {
    let request = ListEventsRequest {
        tenant_id: stage.tenant.id.clone(),
        from_sequence: 1,
        page_size: 1,
        ..Default::default()
    };
    Ok(events.list_events(request).await?.into_inner().last_sequence)
}
