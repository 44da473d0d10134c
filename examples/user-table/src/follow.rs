//! Follows the events of a tenant: copies the users where it must, applies events one by one, acknowledges now and then.

use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::status::{metadata, reason};
use tonic::Status;

use crate::source::Source;
use crate::table::{Noted, Table};

/// How often what took effect is acknowledged. It only lets events go: where to begin is noted in the table.
const ACKNOWLEDGED_EVERY: Duration = Duration::from_secs(1);

/// Follows until something fails.
pub async fn follow(source: &mut Source, table: &Table) -> anyhow::Result<()> {
    let mut noted = match table.noted().await? {
        Some(noted) => noted,
        None => copy(source, table).await?,
    };
    let mut events = match source.subscribe(&noted).await {
        Ok(events) => events,
        Err(refused) if must_copy(&refused) => {
            println!("user-table: {}", refused.message());
            noted = copy(source, table).await?;
            source.subscribe(&noted).await?
        }
        Err(failed) => return Err(failed.into()),
    };
    let mut done = noted.sequence;
    let mut acknowledged = None;
    let mut tick = tokio::time::interval(ACKNOWLEDGED_EVERY);
    loop {
        tokio::select! {
            event = events.message() => {
                let Some(event) = event? else { return Ok(()) };
                done = event.sequence;
                let told = table.apply(event).await?;
                println!("{done:>8} {told}");
            }
            _ = tick.tick() => {
                if acknowledged != Some(done) {
                    source.acknowledge(done).await?;
                    acknowledged = Some(done);
                }
            }
        }
    }
}

/// Copies all users. The number is asked for first: what changes while they are read comes again as an event, and to apply it
/// twice does no harm.
async fn copy(source: &mut Source, table: &Table) -> anyhow::Result<Noted> {
    let last = source.last_sequence().await?;
    let mut copying = table.copy().await?;
    let (mut count, mut token) = (0, String::new());
    loop {
        let (users, next) = source.users(token).await?;
        for user in &users {
            copying.add(user).await?;
        }
        count += users.len();
        token = next;
        if token.is_empty() {
            break;
        }
    }
    copying.finish(last).await?;
    println!("user-table: copied {count} users as of event {last}");
    Ok(Noted {
        sequence: last,
        event_id: None,
    })
}

/// Whether events are missing that are no longer kept, or are others now, or the last one is before ours, as after a restore.
fn must_copy(refused: &Status) -> bool {
    match reason(refused) {
        Some(ErrorReason::EventsGone) => true,
        Some(ErrorReason::InvalidValue) => metadata(refused, "last_sequence").is_some(),
        _ => false,
    }
}
