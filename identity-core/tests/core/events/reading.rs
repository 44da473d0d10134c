//! What events say, in which order they come, who may read them and from where.

use std::collections::HashMap;

use futures_util::StreamExt;
use prost::Message;

use super::*;

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

fn after(tenant: Uuid, from_sequence: i64, event_id: &str) -> ListEventsRequest {
    ListEventsRequest {
        after_event_id: event_id.to_owned(),
        ..from(tenant, from_sequence)
    }
}

#[tokio::test]
async fn a_number_that_another_event_has_now_is_refused() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    for name in ["a", "b", "c"] {
        provider.create(named(name)).await.unwrap();
    }
    let lost: Vec<String> = all(&core, tenant, 3)
        .await
        .into_iter()
        .map(|one| one.event_id)
        .collect();
    let page = list(&core, after(tenant, 3, &lost[1])).await.unwrap();
    assert_eq!(page.events[0].sequence, 3);
    assert_eq!(list(&core, after(tenant, 4, &lost[2])).await.unwrap().next_sequence, 4);
    for (wrong, id) in [(0, lost[1].as_str()), (1, &lost[1]), (3, "b")] {
        refused(list(&core, after(tenant, wrong, id)).await, ErrorReason::InvalidValue);
    }
    for (another, id) in [(3, &lost[0]), (5, &lost[2])] {
        let gone = refused(list(&core, after(tenant, another, id)).await, ErrorReason::EventsGone);
        assert_eq!(metadata(&gone, "last_sequence").as_deref(), Some("3"));
        assert!(gone.message().contains("restored"), "{gone:?}");
    }

    // A standby takes over that lacks the last two, and others happen there.
    let mut open = subscribe(&core, tenant, 3, "").await.unwrap();
    assert_eq!(open.message().await.unwrap().unwrap().event_id, lost[2]);
    let mut standby = core.database.begin().await.unwrap();
    for lose in [
        "DELETE FROM outbox AS o USING event_sequence AS e WHERE e.outbox_id = o.outbox_id AND e.sequence > 1",
        "DELETE FROM event_sequence WHERE sequence > 1",
        "UPDATE event_stream SET last_sequence = 1",
    ] {
        sqlx::query(lose).execute(&mut *standby).await.unwrap();
    }
    standby.commit().await.unwrap();
    for name in ["d", "e", "f"] {
        provider.create(named(name)).await.unwrap();
    }
    let now = all(&core, tenant, 4).await;
    let ended = timeout(SOON, open.message()).await.expect("it ends");
    refused(ended, ErrorReason::EventsGone);
    refused(list(&core, after(tenant, 4, &lost[2])).await, ErrorReason::EventsGone);
    let request = SubscribeRequest {
        tenant_id: tenant.to_string(),
        from_sequence: 4,
        after_event_id: lost[2].clone(),
        ..Default::default()
    };
    let subscribed = core.events(PLATFORM).subscribe(request).await.map(|_| ());
    refused(subscribed, ErrorReason::EventsGone);
    let first = list(&core, after(tenant, 2, &lost[0])).await.unwrap();
    assert_eq!(first.events, now[1..], "up to the first nothing was lost");
}
