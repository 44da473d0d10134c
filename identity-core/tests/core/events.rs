//! Events as the platform's services get them: in order, without gaps, to those alone who may have them, for as long as they are
//! kept.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::*;
use identity_proto::status::metadata;
use prost::Message;
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

#[tokio::test(flavor = "multi_thread")]
async fn parallel_writers_of_two_cores_leave_no_gap_and_keep_each_users_order() {
    let (cores, mut providers) = two_cores().await;
    let shared = providers[0].create(named("shared")).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|number: usize| {
            let (mut provider, shared) = (providers[number % 2].clone(), shared.id.clone());
            tokio::spawn(async move {
                let own = provider.create(named(&format!("own{number}"))).await.unwrap();
                for turn in 0..15 {
                    let title = replace("title", format!("{number}-{turn}"));
                    provider.patch(&own.id, vec![title.clone()]).await.unwrap();
                    provider.patch(&shared, vec![title]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let events = all(&cores[0], providers[0].tenant, 1 + 8 * 31).await;
    assert_eq!(
        all(&cores[1], providers[0].tenant, 1 + 8 * 31).await,
        events,
        "every core tells the same"
    );
    let mut versions: HashMap<&str, i64> = HashMap::new();
    for event in &events {
        let user = user_of(event);
        let (version, last) = (
            user.meta.as_ref().unwrap().version,
            versions.entry(&user.id).or_default(),
        );
        assert_eq!(version, *last + 1, "{user:?} out of order");
        *last = version;
    }
    assert_eq!(versions[shared.id.as_str()], 121);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_is_cut_off_again_and_again_gets_each_event_once_in_order() {
    let (cores, [mut provider, _]) = two_cores().await;
    let tenant = provider.tenant;
    let writing = tokio::spawn(async move {
        let ann = provider.create(named("ann")).await.unwrap();
        for turn in 0..199 {
            let title = replace("title", format!("{turn}"));
            provider.patch(&ann.id, vec![title]).await.unwrap();
        }
    });
    let mut seen = Vec::new();
    for round in 0.. {
        let next = i64::try_from(seen.len()).unwrap() + 1;
        let mut stream = subscribe(&cores[round % 2], tenant, next, "").await.unwrap();
        for _ in 0..=round * 5 {
            let event = timeout(SOON, stream.message()).await.expect("events go on").unwrap();
            seen.push(event.expect("the stream does not end"));
            if seen.len() == 200 {
                break;
            }
        }
        if seen.len() == 200 {
            break;
        }
    }
    writing.await.unwrap();
    assert_gapless(&seen);
    assert_eq!(seen, all(&cores[0], tenant, 200).await);
}

#[tokio::test]
async fn an_event_says_what_happened() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    provider.patch(&ann.id, vec![replace("active", false)]).await.unwrap();
    let mut again = ann.clone();
    again.active = Some(true);
    provider.put(again).await.unwrap();
    let end = EndAccessRequest {
        tenant_id: provider.tenant.to_string(),
        user_id: ann.id.clone(),
    };
    core.access().end_access(end).await.unwrap();
    let epoch = provider.trace(&ann.id).await.epoch;
    provider.delete(&ann.id).await.unwrap();

    let events = all(&core, provider.tenant, 5).await;
    let types: Vec<Vec<&str>> = events
        .iter()
        .map(|event| {
            event
                .types
                .iter()
                .map(|name| name.rsplit("event:").next().unwrap())
                .collect()
        })
        .collect();
    let expect: [&[&str]; 5] = [
        &["prov:create:full"],
        &["prov:patch:full", "prov:deactivate"],
        &["prov:put:full", "prov:activate"],
        &["access:ended"],
        &["prov:delete"],
    ];
    assert_eq!(types, expect);
    assert_eq!(user_of(&events[0]).user_name, "ann");
    let Some(Payload::UserPatched(patched)) = &events[1].payload else {
        panic!("{:?}", events[1]);
    };
    assert_eq!(patched.user.as_ref().unwrap().active, Some(false));
    let off = patched.access.as_ref().unwrap();
    assert_eq!(off.state(), AccessState::AccessInactive);
    let Some(Payload::UserDeleted(deleted)) = &events[4].payload else {
        panic!("{:?}", events[4]);
    };
    let gone = deleted.access.as_ref().unwrap();
    assert!(
        off.epoch > 0 && off.epoch < epoch && epoch < gone.epoch,
        "{off:?} {epoch} {gone:?}"
    );
    assert!(
        events
            .iter()
            .all(|event| event.occur_time.is_some() && !event.request_id.is_empty())
    );
    assert!(
        events
            .iter()
            .all(|event| event.tenant_id == provider.tenant.to_string())
    );
}

#[tokio::test]
async fn events_are_seen_by_those_who_may_see_their_tenant() {
    let url = database().await;
    let first = Core::on(&url).await;
    let (mut acme, mut other) = (first.provider("acme").await, first.provider("other").await);
    let key = format!(
        ",l:platform:limited-key-0123456789:{},s:sessions:sessions-key-0123456789",
        acme.tenant
    );
    let core = Core::with_key(&url, &key).await;
    acme.create(named("ann")).await.unwrap();
    for name in ["eve", "mallory"] {
        other.create(named(name)).await.unwrap();
    }
    assert_eq!(user_of(&all(&core, acme.tenant, 1).await[0]).user_name, "ann");
    all(&core, other.tenant, 2).await;

    let mut limited = core.events("limited-key-0123456789");
    let mine = limited.list_events(from(acme.tenant, 0)).await.unwrap().into_inner();
    assert_eq!(mine.events.len(), 1);
    refused(limited.list_events(from(other.tenant, 0)).await, ErrorReason::NotFound);
    let foreign = SubscribeRequest {
        tenant_id: other.tenant.to_string(),
        ..Default::default()
    };
    refused(limited.subscribe(foreign).await.map(|_| ()), ErrorReason::NotFound);
    for key in [EDGE, "sessions-key-0123456789"] {
        let answer = core.events(key).list_events(from(acme.tenant, 0)).await;
        refused(answer, ErrorReason::MethodNotAllowed);
    }
    let nobody = Uuid::from_u128(7);
    refused(list(&core, from(nobody, 0)).await, ErrorReason::NotFound);
    refused(subscribe(&core, nobody, 0, "").await.map(|_| ()), ErrorReason::NotFound);
    refused(acknowledge(&core, nobody, "portal", 0).await, ErrorReason::NotFound);
    refused(consumers(&core, nobody).await, ErrorReason::NotFound);
}

#[tokio::test]
async fn where_to_begin_is_checked_and_told() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    let empty = list(&core, from(tenant, 0)).await.unwrap();
    assert_eq!(
        (empty.events.len(), empty.next_sequence, empty.last_sequence),
        (0, 1, 0)
    );
    for name in ["a", "b", "c"] {
        provider.create(named(name)).await.unwrap();
    }
    all(&core, tenant, 3).await;
    let waiting = list(&core, from(tenant, 4)).await.unwrap();
    assert_eq!(
        (waiting.events.len(), waiting.next_sequence, waiting.last_sequence),
        (0, 4, 3)
    );
    for wrong in [-1, 5] {
        let status = refused(list(&core, from(tenant, wrong)).await, ErrorReason::InvalidValue);
        let last = (wrong > 0).then(|| "3".to_owned());
        assert_eq!(metadata(&status, "last_sequence"), last, "{status:?}");
        refused(
            subscribe(&core, tenant, wrong, "").await.map(|_| ()),
            ErrorReason::InvalidValue,
        );
    }
    let two = ListEventsRequest {
        page_size: 2,
        ..from(tenant, 0)
    };
    let page = list(&core, two).await.unwrap();
    assert_eq!((page.events.len(), page.next_sequence, page.last_sequence), (2, 3, 3));

    acknowledge(&core, tenant, "portal", 2).await.unwrap();
    let for_portal = ListEventsRequest {
        consumer: "portal".to_owned(),
        ..from(tenant, 0)
    };
    assert_eq!(list(&core, for_portal).await.unwrap().events[0].sequence, 3);
    let mut stream = subscribe(&core, tenant, 0, "portal").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 3);
    let mut stream = subscribe(&core, tenant, 0, "unknown").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 1);
    refused(
        subscribe(&core, tenant, 0, "No Name").await.map(|_| ()),
        ErrorReason::InvalidValue,
    );
}

#[tokio::test]
async fn what_a_consumer_acknowledged_never_goes_back() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    for name in ["a", "b", "c"] {
        provider.create(named(name)).await.unwrap();
    }
    all(&core, tenant, 3).await;
    let check = |consumer: &EventConsumer, sequence, waiting| {
        assert_eq!((consumer.acknowledged_sequence, consumer.waiting), (sequence, waiting));
        assert!(consumer.acknowledge_time.is_some());
    };
    check(&acknowledge(&core, tenant, "portal", 0).await.unwrap(), 0, 3);
    check(&acknowledge(&core, tenant, "portal", 2).await.unwrap(), 2, 1);
    check(&acknowledge(&core, tenant, "portal", 1).await.unwrap(), 2, 1);
    let beyond = refused(acknowledge(&core, tenant, "portal", 4).await, ErrorReason::InvalidValue);
    assert_eq!(metadata(&beyond, "last_sequence").as_deref(), Some("3"));
    for (name, sequence) in [("portal", -1), ("", 1), ("Portal", 1)] {
        refused(
            acknowledge(&core, tenant, name, sequence).await,
            ErrorReason::InvalidValue,
        );
    }
    for number in 1..100 {
        acknowledge(&core, tenant, &format!("c{number:02}"), 1).await.unwrap();
    }
    refused(acknowledge(&core, tenant, "one-more", 1).await, ErrorReason::TooMany);
    acknowledge(&core, tenant, "portal", 3).await.unwrap();
    let listed = consumers(&core, tenant).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].name.as_str(), listed[99].name.as_str()),
        (100, "c01", "portal")
    );
    check(&listed[99], 3, 0);

    let forget = DeleteEventConsumerRequest {
        tenant_id: tenant.to_string(),
        consumer: "c01".to_owned(),
    };
    core.events(PLATFORM)
        .delete_event_consumer(forget.clone())
        .await
        .unwrap();
    refused(
        core.events(PLATFORM).delete_event_consumer(forget).await,
        ErrorReason::NotFound,
    );
    assert_eq!(consumers(&core, tenant).await.unwrap()[0].name, "c02");
    let other = core.provider("other").await.tenant;
    assert!(consumers(&core, other).await.unwrap().is_empty());
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

/// What the task does once a minute, under its role. How many events went.
async fn trim(database: &PgPool) -> i64 {
    let mut connection = database.acquire().await.unwrap();
    let as_system = "SET ROLE portcullis_system";
    sqlx::query(as_system).execute(&mut *connection).await.unwrap();
    let trimmed = sqlx::query_scalar("SELECT trim_events('30 days', '90 days', 1000)")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    sqlx::query("RESET ROLE").execute(&mut *connection).await.unwrap();
    trimmed
}

async fn count(database: &PgPool, table: &str) -> i64 {
    let statement = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(statement).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn old_events_go_once_they_are_acknowledged_and_the_oldest_in_any_case() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let mut other = core.provider("other").await;
    let tenant = provider.tenant;
    for number in 1..=6 {
        provider.create(named(&format!("u{number}"))).await.unwrap();
    }
    other.create(named("eve")).await.unwrap();
    all(&core, tenant, 6).await;
    all(&core, other.tenant, 1).await;
    assert_eq!(trim(&core.database).await, 0, "all are new");
    // The third is new: what comes after it stays with it, so that nothing is missing in between.
    age(&core.database, 1..=2, 31).await;
    age(&core.database, 4..=4, 31).await;
    acknowledge(&core, tenant, "portal", 1).await.unwrap();
    assert_eq!(trim(&core.database).await, 2, "one of each tenant");
    assert_eq!(trim(&core.database).await, 0, "the second is not acknowledged");
    age(&core.database, 2..=2, 60).await;
    assert_eq!(trim(&core.database).await, 1, "91 days are too long for anyone");
    assert_eq!(count(&core.database, "outbox").await, 4);

    let gone = refused(list(&core, from(tenant, 2)).await, ErrorReason::EventsGone);
    assert_eq!(metadata(&gone, "oldest_sequence").as_deref(), Some("3"));
    assert_eq!(metadata(&gone, "last_sequence").as_deref(), Some("6"));
    refused(
        subscribe(&core, tenant, 0, "portal").await.map(|_| ()),
        ErrorReason::EventsGone,
    );
    let kept = list(&core, from(tenant, 0)).await.unwrap();
    assert_eq!((kept.events.len(), kept.events[0].sequence), (4, 3));
    assert_eq!(list(&core, from(other.tenant, 0)).await.unwrap().next_sequence, 2);
    provider.create(named("u7")).await.unwrap();
    let mut stream = subscribe(&core, tenant, 7, "").await.unwrap();
    let next = timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.sequence, 7, "a removed number is not given again");
}

async fn mark_applied(database: &PgPool) {
    let statement = "UPDATE outbox SET applied_at = clock_timestamp() WHERE access_epoch IS NOT NULL";
    sqlx::query(statement).execute(database).await.unwrap();
}

/// The session service acknowledges what it pruned for the user's access as it is.
async fn prune(core: &Core, provider: &Provider, user: &str) {
    let prune = AcknowledgePruneRequest {
        tenant_id: provider.tenant.to_string(),
        user_id: user.to_owned(),
        epoch: provider.trace(user).await.epoch,
        bucket: 1,
        pruned: 3,
    };
    core.access().acknowledge_prune(prune).await.unwrap();
}

#[tokio::test]
async fn a_change_of_access_stays_until_it_is_applied_and_the_last_one_until_the_next() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    // There is no Redis here, so that changes of access wait.
    let ann = provider.create(named("ann")).await.unwrap();
    for active in [false, true, false] {
        provider.patch(&ann.id, vec![replace("active", active)]).await.unwrap();
        prune(&core, &provider, &ann.id).await;
    }
    all(&core, tenant, 4).await;
    age(&core.database, 1..=4, 91).await;
    assert_eq!(trim(&core.database).await, 1);
    assert_eq!(trim(&core.database).await, 0, "the first deactivation waits");
    mark_applied(&core.database).await;
    assert_eq!(trim(&core.database).await, 3);
    let gone = refused(list(&core, from(tenant, 4)).await, ErrorReason::EventsGone);
    assert_eq!(metadata(&gone, "oldest_sequence").as_deref(), Some("5"));

    let show = async || {
        let request = GetAccessRequest {
            tenant_id: tenant.to_string(),
            user_id: ann.id.clone(),
        };
        let access = core.access().get_access(request).await.unwrap().into_inner();
        (access.apply_time.is_some(), access.pruned)
    };
    let left = async || {
        (
            count(&core.database, "outbox").await,
            count(&core.database, "access_prune").await,
        )
    };
    assert_eq!(
        (left().await, show().await),
        ((1, 1), (true, 3)),
        "the last one is still told of"
    );

    provider.delete(&ann.id).await.unwrap();
    prune(&core, &provider, &ann.id).await;
    mark_applied(&core.database).await;
    timeout(SOON, async {
        while list(&core, from(tenant, 5)).await.unwrap().events.is_empty() {}
    })
    .await
    .unwrap();
    age(&core.database, 5..=5, 91).await;
    assert_eq!(trim(&core.database).await, 1);
    assert_eq!((left().await, show().await), ((1, 1), (true, 3)), "now the deletion is");
}

#[tokio::test]
async fn a_core_removes_old_events_by_itself() {
    let url = database().await;
    let core = Core::on(&url).await;
    let mut provider = core.provider("acme").await;
    provider.create(named("ann")).await.unwrap();
    all(&core, provider.tenant, 1).await;
    age(&core.database, 1..=1, 31).await;
    let another = Core::on(&url).await;
    let removed = async {
        while count(&another.database, "outbox").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, removed).await.expect("it looks when it starts");
}

#[tokio::test]
async fn a_page_is_cut_where_it_would_grow_too_large() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    for number in 0..6 {
        provider.create(named(&format!("u{number}"))).await.unwrap();
    }
    all(&core, tenant, 6).await;
    let large = Event {
        payload: Some(Payload::UserCreated(UserCreated {
            user: Some(named(&"x".repeat(900_000))),
        })),
        ..Event::default()
    };
    sqlx::query("UPDATE outbox SET body = $1")
        .bind(large.encode_to_vec())
        .execute(&core.database)
        .await
        .unwrap();
    let page = list(&core, from(tenant, 1)).await.unwrap();
    assert_eq!((page.events.len(), page.next_sequence), (3, 4));
    assert_eq!(list(&core, from(tenant, 4)).await.unwrap().events.len(), 3);
    let stream = subscribe(&core, tenant, 1, "").await.unwrap();
    let events: Vec<_> = timeout(SOON, stream.take(6).collect::<Vec<_>>()).await.unwrap();
    assert!(
        events.iter().all(Result::is_ok),
        "{:?}",
        events.iter().find(|event| event.is_err())
    );
}

#[tokio::test]
async fn writers_that_give_up_or_are_late_leave_no_gap() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    let write =
        "INSERT INTO outbox (tenant_id, event_id, kind, body) VALUES ($1, gen_random_uuid(), 'prov:delete', $2)";
    let body = Event {
        tenant_id: tenant.to_string(),
        ..Event::default()
    };
    let [mut late, mut given_up] = [
        core.database.begin().await.unwrap(),
        core.database.begin().await.unwrap(),
    ];
    for writer in [&mut late, &mut given_up] {
        sqlx::query(write)
            .bind(tenant)
            .bind(body.encode_to_vec())
            .execute(&mut **writer)
            .await
            .unwrap();
    }
    for name in ["a", "b"] {
        provider.create(named(name)).await.unwrap();
    }
    all(&core, tenant, 2).await;
    given_up.rollback().await.unwrap();
    late.commit().await.unwrap();
    provider.create(named("c")).await.unwrap();
    let events = all(&core, tenant, 4).await;
    let last: Vec<_> = events[2..]
        .iter()
        .map(|event| event.types[0].rsplit("event:").next().unwrap())
        .collect();
    assert_eq!(
        last,
        ["prov:delete", "prov:create:full"],
        "the order of the numbers that PostgreSQL drew"
    );
    assert_eq!(count(&core.database, "event_unnumbered").await, 0);
}

#[tokio::test]
async fn a_core_that_stops_ends_its_subscriptions() {
    let mut core = Core::start().await;
    let mut provider = core.provider("acme").await;
    provider.create(named("ann")).await.unwrap();
    all(&core, provider.tenant, 1).await;
    let mut waits = subscribe(&core, provider.tenant, 2, "").await.unwrap();
    let mut reads = subscribe(&core, provider.tenant, 1, "").await.unwrap();
    assert_eq!(reads.message().await.unwrap().unwrap().sequence, 1);
    core.shutdown.start();
    for stream in [&mut waits, &mut reads] {
        let ended = timeout(SOON, stream.message()).await.expect("it ends");
        let status = refused(ended, ErrorReason::Unavailable);
        assert_eq!(status.code(), tonic::Code::Unavailable);
    }
    let ended = timeout(SOON, &mut core.serving).await;
    ended.expect("nothing keeps it").unwrap().unwrap();
}

#[tokio::test]
async fn a_tenant_has_so_many_subscriptions_and_a_seat_is_given_back() {
    let core = Core::start().await;
    let (tenant, other) = (core.provider("acme").await.tenant, core.provider("other").await.tenant);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(subscribe(&core, tenant, 0, "").await.unwrap());
    }
    refused(subscribe(&core, tenant, 0, "").await.map(|_| ()), ErrorReason::TooMany);
    subscribe(&core, other, 0, "").await.unwrap();
    let connections = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'portcullis%' AND state <> 'idle'";
    let busy: i64 = sqlx::query_scalar(connections).fetch_one(&core.database).await.unwrap();
    assert!(busy <= 2, "{busy} connections are in use while subscriptions wait");
    open.pop();
    let again = async {
        while subscribe(&core, tenant, 0, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, again).await.expect("a seat is given back");
}

#[tokio::test]
async fn a_subscription_outlives_the_time_that_a_call_may_take() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let mut stream = subscribe(&core, provider.tenant, 1, "").await.unwrap();
    // The caller gives a call 5 s, the server 10 s.
    tokio::time::sleep(Duration::from_secs(11)).await;
    provider.create(named("ann")).await.unwrap();
    let event = timeout(SOON, stream.message()).await.expect("it comes").unwrap();
    assert_eq!(event.unwrap().sequence, 1);
}
