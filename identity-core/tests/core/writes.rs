//! What a change leaves in the database: the epoch on every path, one event for each change, nothing for a no-op.

use identity_proto::identity::v1::*;

use crate::harness::*;

fn version(user: &User) -> i64 {
    user.meta.as_ref().unwrap().version
}

/// One way to change `active`.
#[derive(Clone, Copy, Debug)]
enum Path {
    PatchAlone,
    PatchWithMore,
    PatchIfMatch,
    Put,
}

async fn set_active(provider: &mut Provider, user: &User, active: bool, path: Path) -> User {
    let request = |operations, if_match| PatchUserRequest {
        id: user.id.clone(),
        operations,
        if_match,
        ..Default::default()
    };
    let operation = replace("active", active);
    let patch = match path {
        Path::PatchAlone => request(vec![operation], vec![]),
        Path::PatchWithMore => request(vec![replace("title", format!("{active}")), operation], vec![]),
        Path::PatchIfMatch => request(vec![operation], vec![version(user)]),
        Path::Put => {
            let user = User {
                active: Some(active),
                ..user.clone()
            };
            return provider.put(user).await.unwrap();
        }
    };
    provider.users.patch_user(patch).await.unwrap().into_inner()
}

#[tokio::test]
async fn every_path_that_changes_active_moves_the_epoch_once() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    for path in [Path::PatchAlone, Path::PatchWithMore, Path::PatchIfMatch, Path::Put] {
        let mut user = provider.create(named(&format!("{path:?}"))).await.unwrap();
        let mut last = provider.trace(&user.id).await;
        for active in [false, true, false] {
            user = set_active(&mut provider, &user, active, path).await;
            assert_eq!(user.active, Some(active), "{path:?}");
            let trace = provider.trace(&user.id).await;
            assert!(trace.epoch > last.epoch, "{path:?}: {trace:?} after {last:?}");
            assert_eq!(trace.state, if active { "active" } else { "inactive" }, "{path:?}");
            assert_eq!(trace.events.len(), last.events.len() + 1, "{path:?}");
            assert!(trace.events.last().unwrap().1, "{path:?} must move the register");
            last = trace;
        }
        assert_eq!(version(&user), 4, "{path:?}");
    }
}

#[tokio::test]
async fn taking_active_away_ends_access_until_it_is_set() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let created = provider.create(named("ann")).await.unwrap();
    let before = provider.trace(&created.id).await;
    let gone = provider.patch(&created.id, vec![remove("active")]).await.unwrap();
    assert_eq!(gone.active, None);
    let after = provider.trace(&created.id).await;
    assert!(after.epoch > before.epoch, "{after:?} after {before:?}");
    assert_eq!(after.state, "inactive");
    assert!(after.events.last().unwrap().1, "the register must move");
    for silent in [gone.clone(), provider.get(&created.id).await.unwrap()] {
        assert_eq!(
            provider.put(silent).await.unwrap(),
            gone,
            "an omission gives nothing back"
        );
    }
    assert_eq!(provider.trace(&created.id).await, after);
    for active in [true, false] {
        let set = set_active(&mut provider, &gone, active, Path::PatchAlone).await;
        assert_eq!(set.active, Some(active));
        let trace = provider.trace(&created.id).await;
        assert_eq!(trace.state, if active { "active" } else { "inactive" });
        provider.patch(&created.id, vec![remove("active")]).await.unwrap();
        assert_eq!(provider.trace(&created.id).await.state, "inactive");
    }
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = User {
        title: Some("Gatekeeper".into()),
        ..named("ann")
    };
    let user = provider.create(user).await.unwrap();
    let before = provider.trace(&user.id).await;
    for path in [Path::PatchAlone, Path::PatchIfMatch, Path::Put] {
        assert_eq!(set_active(&mut provider, &user, true, path).await, user, "{path:?}");
    }
    let silent = User {
        active: None,
        ..user.clone()
    };
    assert_eq!(provider.put(silent).await.unwrap(), user);
    assert_eq!(provider.patch(&user.id, vec![remove("password")]).await.unwrap(), user);
    let same = vec![replace("title", "Other"), replace("title", "Gatekeeper")];
    assert_eq!(provider.patch(&user.id, same).await.unwrap(), user);
    assert_eq!(provider.get(&user.id).await.unwrap(), user);
    assert_eq!(provider.trace(&user.id).await, before);
}

#[tokio::test]
async fn a_change_of_other_attributes_does_not_touch_access() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = provider.create(named("ann")).await.unwrap();
    let before = provider.trace(&user.id).await;
    provider.patch(&user.id, vec![replace("title", "x")]).await.unwrap();
    provider
        .put(User {
            title: Some("y".into()),
            ..user.clone()
        })
        .await
        .unwrap();
    let after = provider.trace(&user.id).await;
    assert_eq!((after.epoch, after.state), (before.epoch, before.state));
    let expect = [
        ("prov:create:full", false),
        ("prov:patch:full", false),
        ("prov:put:full", false),
    ];
    assert_eq!(after.events, expect.map(|(kind, moves)| (kind.to_owned(), moves)));
}

#[tokio::test]
async fn a_deletion_ends_access_for_ever() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = provider.create(named("ann")).await.unwrap();
    let before = provider.trace(&user.id).await;
    provider.delete(&user.id).await.unwrap();
    let after = provider.trace(&user.id).await;
    assert!(after.epoch > before.epoch);
    assert_eq!(after.state, "deleted");
    assert_eq!(after.events.last().unwrap(), &("prov:delete".to_owned(), true));
    refused(provider.delete(&user.id).await, ErrorReason::NotFound);
    assert_eq!(
        provider.trace(&user.id).await,
        after,
        "what was not there is not deleted again"
    );
}

#[tokio::test]
async fn a_refused_change_leaves_nothing() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    provider.create(named("bob")).await.unwrap();
    let user = provider.create(named("ann")).await.unwrap();
    let before = provider.trace(&user.id).await;
    let operations = vec![replace("active", false), replace("userName", "BOB")];
    refused(provider.patch(&user.id, operations).await, ErrorReason::Uniqueness);
    let operations = vec![replace("active", false), replace("noSuchAttribute", "x")];
    provider.patch(&user.id, operations).await.unwrap_err();
    assert_eq!(provider.trace(&user.id).await, before);
    assert_eq!(provider.get(&user.id).await.unwrap(), user);
}

#[tokio::test]
async fn an_event_says_what_was_written_and_to_which_bucket() {
    use prost::Message;

    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = provider.create(named("ann")).await.unwrap();
    provider
        .put(User {
            active: Some(false),
            ..user.clone()
        })
        .await
        .unwrap();
    let rows: Vec<(Vec<u8>, i16, uuid::Uuid, Option<i64>)> =
        sqlx::query_as("SELECT body, bucket, event_id, access_epoch FROM outbox ORDER BY outbox_id")
            .fetch_all(&core.database)
            .await
            .unwrap();
    let bucket = identity_proto::access::bucket(provider.tenant, user.id.parse().unwrap());
    for (body, row_bucket, event_id, _) in &rows {
        let event = Event::decode(body.as_slice()).unwrap();
        assert_eq!(event.event_id, event_id.to_string());
        assert_eq!(event.tenant_id, provider.tenant.to_string());
        assert_eq!(*row_bucket, i16::from(bucket));
    }
    assert_eq!(rows[1].3, Some(provider.trace(&user.id).await.epoch));
    let Some(event::Payload::UserReplaced(replaced)) = Event::decode(rows[1].0.as_slice()).unwrap().payload else {
        panic!("the second event tells of the PUT");
    };
    assert_eq!(replaced.access.unwrap().state(), AccessState::AccessInactive);
    let told = replaced.user.unwrap();
    assert_eq!((told.user_name.as_str(), told.active), ("ann", Some(false)));
    assert_eq!((told.id, told.meta.unwrap().version), (user.id, 2));
}

/// Deactivations and reactivations at the same time: each that changed something is one epoch, one version, one event.
#[tokio::test]
async fn changes_at_the_same_time_are_counted_one_by_one() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = provider.create(named("ann")).await.unwrap();
    let changes: Vec<_> = (0..40)
        .map(|number| {
            let (mut provider, user) = (provider.clone(), user.clone());
            tokio::spawn(async move {
                let active = number % 2 == 0;
                let operations = match number % 4 {
                    0 | 1 => vec![replace("active", active)],
                    _ => vec![replace("active", active), replace("nickName", format!("{number}"))],
                };
                let answered = provider.patch(&user.id, operations).await.unwrap();
                assert!(answered.active.is_some());
            })
        })
        .collect();
    for change in changes {
        change.await.unwrap();
    }
    let now = provider.get(&user.id).await.unwrap();
    let trace = provider.trace(&user.id).await;
    assert_eq!(i64::try_from(trace.events.len()).unwrap(), version(&now));
    assert_eq!(
        trace.state,
        if now.active == Some(true) { "active" } else { "inactive" }
    );
    let last_epoch: i64 = sqlx::query_scalar("SELECT max(access_epoch) FROM outbox")
        .fetch_one(&core.database)
        .await
        .unwrap();
    assert_eq!(trace.epoch, last_epoch);
}

#[tokio::test]
async fn postgresql_and_the_event_know_the_request() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let user = provider.create(named("ann")).await.unwrap();
    let mut request = tonic::Request::new(identity_proto::identity::v1::PatchUserRequest {
        id: user.id.clone(),
        operations: vec![replace("active", false)],
        ..Default::default()
    });
    request
        .metadata_mut()
        .insert("x-request-id", "walk-7f3a.B_c".parse().unwrap());
    provider.users.patch_user(request).await.unwrap();
    let told: Option<String> = sqlx::query_scalar("SELECT request_id FROM outbox WHERE kind LIKE 'prov:patch%'")
        .fetch_one(&core.database)
        .await
        .unwrap();
    assert_eq!(told.as_deref(), Some("walk-7f3a.B_c"));
    let shown: Vec<String> =
        sqlx::query_scalar("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
            .fetch_all(&core.database)
            .await
            .unwrap();
    assert!(shown.iter().any(|name| name == "portcullis walk-7f3a.B_c"), "{shown:?}");
}
