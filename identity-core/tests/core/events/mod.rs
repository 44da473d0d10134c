//! Events as the platform's services get them: in order, without gaps, to those alone who may have them, for as long as they are
//! kept.

mod consumers;
mod reading;
mod retention;
mod subscriptions;

use std::time::Duration;

use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::*;
use identity_proto::status::metadata;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::harness::*;

/// Within which what is committed must be numbered and told.
const SOON: Duration = Duration::from_secs(10);

async fn database() -> String {
    let migrate = async |url: &str| identity_core::migrate(&runtime::Secret::new(url)).await;
    local_stack::test::Postgres::shared().database("core", migrate).await
}

fn from(tenant: Uuid, from_sequence: i64) -> ListEventsRequest {
    ListEventsRequest {
        tenant_id: tenant.to_string(),
        from_sequence,
        page_size: 1_000,
        ..Default::default()
    }
}

async fn list(core: &Core, request: ListEventsRequest) -> Result<ListEventsResponse, Status> {
    let answer = core.events(PLATFORM).list_events(request).await;
    answer.map(tonic::Response::into_inner)
}

/// All events of a tenant, once there are so many.
async fn all(core: &Core, tenant: Uuid, expect: usize) -> Vec<Event> {
    let reading = async {
        loop {
            let mut events = Vec::new();
            loop {
                let next = i64::try_from(events.len()).unwrap() + 1;
                let page = list(core, from(tenant, next)).await.unwrap();
                events.extend(page.events);
                if page.next_sequence > page.last_sequence {
                    break;
                }
            }
            if events.len() >= expect {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let events = timeout(SOON, reading).await.expect("they are numbered soon");
    assert_eq!(events.len(), expect);
    assert_gapless(&events);
    events
}

#[track_caller]
fn assert_gapless(events: &[Event]) {
    let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..).take(events.len()).collect::<Vec<i64>>());
}

fn user_of(event: &Event) -> &User {
    match event.payload.as_ref().unwrap() {
        Payload::UserCreated(UserCreated { user }) => user.as_ref().unwrap(),
        Payload::UserReplaced(UserReplaced { user, .. }) | Payload::UserPatched(UserPatched { user, .. }) => {
            user.as_ref().unwrap()
        }
        other => panic!("no user in {other:?}"),
    }
}

async fn subscribe(core: &Core, tenant: Uuid, from_sequence: i64, consumer: &str) -> Result<Streaming<Event>, Status> {
    let request = SubscribeRequest {
        tenant_id: tenant.to_string(),
        from_sequence,
        consumer: consumer.to_owned(),
        ..Default::default()
    };
    let answer = core.events(PLATFORM).subscribe(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn acknowledge(core: &Core, tenant: Uuid, consumer: &str, sequence: i64) -> Result<EventConsumer, Status> {
    let request = AcknowledgeEventsRequest {
        tenant_id: tenant.to_string(),
        consumer: consumer.to_owned(),
        sequence,
    };
    let answer = core.events(PLATFORM).acknowledge_events(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn consumers(core: &Core, tenant: Uuid) -> Result<Vec<EventConsumer>, Status> {
    let request = ListEventConsumersRequest {
        tenant_id: tenant.to_string(),
    };
    let answer = core.events(PLATFORM).list_event_consumers(request).await;
    answer.map(|answer| answer.into_inner().consumers)
}

/// Two cores on one database, and the same identity provider at each.
async fn two_cores() -> ([Core; 2], [Provider; 2]) {
    let url = database().await;
    let cores = [Core::on(&url).await, Core::on(&url).await];
    let provider = cores[0].provider("acme").await;
    let secret = cores[0].token("acme").await.secret;
    let mut other = provider.clone();
    other.users = cores[1].users(As::scim(&secret));
    (cores, [provider, other])
}

/// Makes events look older.
async fn age(database: &PgPool, sequences: std::ops::RangeInclusive<i64>, days: i32) {
    sqlx::query(
        "UPDATE outbox AS o SET created_at = created_at - make_interval(days => $3)
         FROM event_sequence AS e
         WHERE e.tenant_id = o.tenant_id AND e.outbox_id = o.outbox_id AND e.sequence BETWEEN $1 AND $2",
    )
    .bind(*sequences.start())
    .bind(*sequences.end())
    .bind(days)
    .execute(database)
    .await
    .unwrap();
}

async fn count(database: &PgPool, table: &str) -> i64 {
    let statement = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(statement).fetch_one(database).await.unwrap()
}
