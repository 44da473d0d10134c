//! What callers see of users.

use identity_proto::identity::v1::*;
use identity_proto::status::metadata;

use crate::harness::*;

fn version(user: &User) -> i64 {
    user.meta.as_ref().unwrap().version
}

fn full(user_name: &str) -> User {
    let user = serde_json::json!({
        "userName": user_name, "externalId": "X-1", "displayName": "Ann Bee", "active": true,
        "name": {"givenName": "Ann", "familyName": "Bee"},
        "emails": [{"value": "Ann@Example.org", "type": "work", "primary": true}],
        "phoneNumbers": [{"value": "+4912345", "type": "mobile"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Gates", "manager": {"value": "9"}},
    });
    serde_json::from_value(user).unwrap()
}

#[tokio::test]
async fn a_user_comes_back_as_it_was_sent() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let created = provider.create(full("Ann@Example.org")).await.unwrap();
    let meta = created.meta.unwrap();
    assert_eq!((meta.version, meta.created), (1, meta.last_modified));
    let sent = User {
        id: created.id.clone(),
        meta: created.meta,
        ..full("Ann@Example.org")
    };
    assert_eq!(created, sent);
    assert_eq!(provider.get(&created.id).await.unwrap(), sent);
}

#[tokio::test]
async fn a_user_is_active_unless_it_says_otherwise() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let check = async |provider: &mut Provider, name: &str, given, expect: (bool, &str)| {
        let user = User {
            active: given,
            ..named(name)
        };
        let created = provider.create(user).await.unwrap();
        assert_eq!(created.active, Some(expect.0));
        let trace = provider.trace(&created.id).await;
        assert_eq!(trace.state, expect.1);
        assert_eq!(trace.events, [("prov:create:full".to_owned(), false)]);
    };
    check(&mut provider, "a", None, (true, "active")).await;
    check(&mut provider, "b", Some(true), (true, "active")).await;
    check(&mut provider, "c", Some(false), (false, "inactive")).await;
}

#[tokio::test]
async fn a_user_name_is_taken_in_every_case_and_on_every_path() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("Ann@Example.org")).await.unwrap();
    let bob = provider.create(named("bob")).await.unwrap();
    let taken = "aNN@example.ORG";
    let status = refused(provider.create(named(taken)).await, ErrorReason::Uniqueness);
    assert_eq!(metadata(&status, "attribute").as_deref(), Some("userName"));
    let put = User {
        id: bob.id.clone(),
        ..named(taken)
    };
    refused(provider.put(put).await, ErrorReason::Uniqueness);
    refused(
        provider.patch(&bob.id, vec![replace("userName", taken)]).await,
        ErrorReason::Uniqueness,
    );
    assert_eq!(provider.get(&bob.id).await.unwrap(), bob);

    // Its own name in another case is free to a user, and so is any name in another tenant.
    let renamed = provider.patch(&ann.id, vec![replace("userName", taken)]).await.unwrap();
    assert_eq!((renamed.user_name.as_str(), version(&renamed)), (taken, 2));
    core.provider("other").await.create(named(taken)).await.unwrap();
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_its_name_is_free_for_another_id() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let first = provider.create(full("ann")).await.unwrap();
    provider.delete(&first.id).await.unwrap();
    refused(provider.get(&first.id).await, ErrorReason::NotFound);
    refused(provider.delete(&first.id).await, ErrorReason::NotFound);
    refused(
        provider.patch(&first.id, vec![replace("active", true)]).await,
        ErrorReason::NotFound,
    );
    let put = User {
        id: first.id.clone(),
        ..named("ann")
    };
    refused(provider.put(put).await, ErrorReason::NotFound);
    let second = provider.create(full("ann")).await.unwrap();
    assert_ne!(first.id, second.id);
    let mut owner = core.database.acquire().await.unwrap();
    let set = "SELECT set_config('portcullis.tenant_id', $1, false)";
    sqlx::query(set)
        .bind(provider.tenant.to_string())
        .execute(&mut *owner)
        .await
        .unwrap();
    let found: Vec<(String, i64)> = sqlx::query_as("SELECT user_id::text, count(*) FROM user_value GROUP BY user_id")
        .fetch_all(&mut *owner)
        .await
        .unwrap();
    assert_eq!(found, [(second.id, 3)], "the searchable values of the first are gone");
}

#[tokio::test]
async fn another_tenants_user_is_not_found_by_any_method() {
    let core = Core::start().await;
    let mut owner = core.provider("acme").await;
    let mut other = core.provider("other").await;
    let ann = owner.create(full("ann")).await.unwrap();
    refused(other.get(&ann.id).await, ErrorReason::NotFound);
    refused(other.put(ann.clone()).await, ErrorReason::NotFound);
    refused(
        other.patch(&ann.id, vec![replace("active", false)]).await,
        ErrorReason::NotFound,
    );
    refused(
        other.patch(&ann.id, vec![replace("title", "x")]).await,
        ErrorReason::NotFound,
    );
    refused(other.delete(&ann.id).await, ErrorReason::NotFound);
    let list = other
        .users
        .list_users(ListUsersRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((list.total_size, list.users.len()), (0, 0));
    assert_eq!(owner.get(&ann.id).await.unwrap(), ann);
}

#[tokio::test]
async fn an_id_has_one_spelling() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    for other in [
        ann.id.to_uppercase(),
        ann.id.replace('-', ""),
        format!("{{{}}}", ann.id),
        "ann".into(),
        String::new(),
    ] {
        refused(provider.get(&other).await, ErrorReason::NotFound);
        refused(provider.delete(&other).await, ErrorReason::NotFound);
    }
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    let check = async |provider: &mut Provider, if_match: Vec<i64>, fits: bool| {
        let patch = PatchUserRequest {
            id: ann.id.clone(),
            operations: vec![replace("active", true)],
            if_match: if_match.clone(),
            ..Default::default()
        };
        let put = UpdateUserRequest {
            user: Some(ann.clone()),
            if_match: if_match.clone(),
            ..Default::default()
        };
        if fits {
            provider.users.patch_user(patch).await.unwrap();
            provider.users.update_user(put).await.unwrap();
        } else {
            refused(provider.users.patch_user(patch).await, ErrorReason::VersionMismatch);
            refused(provider.users.update_user(put).await, ErrorReason::VersionMismatch);
            let delete = DeleteUserRequest {
                id: ann.id.clone(),
                if_match,
                ..Default::default()
            };
            refused(provider.users.delete_user(delete).await, ErrorReason::VersionMismatch);
        }
    };
    check(&mut provider, vec![1], true).await;
    check(&mut provider, vec![7, 1], true).await;
    check(&mut provider, vec![2], false).await;
    check(&mut provider, vec![0, -1], false).await;
    assert_eq!(provider.get(&ann.id).await.unwrap(), ann);
    let delete = DeleteUserRequest {
        id: ann.id.clone(),
        if_match: vec![1],
        ..Default::default()
    };
    provider.users.delete_user(delete).await.unwrap();
}

#[tokio::test]
async fn a_put_replaces_all_but_what_it_may_not() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(full("ann")).await.unwrap();
    let put = User {
        id: ann.id.clone(),
        title: Some("Gatekeeper".into()),
        ..named("ann")
    };
    let replaced = provider.put(put.clone()).await.unwrap();
    let expect = User {
        active: Some(true),
        meta: replaced.meta,
        ..put
    };
    assert_eq!(replaced, expect);
    assert_eq!(version(&replaced), 2);
    assert_eq!(replaced.meta.unwrap().created, ann.meta.unwrap().created);
    assert_eq!(
        provider.get(&ann.id).await.unwrap(),
        User {
            meta: provider.get(&ann.id).await.unwrap().meta,
            ..expect
        }
    );
}

#[tokio::test]
async fn a_put_that_is_silent_about_active_does_not_reactivate() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let ann = provider.create(named("ann")).await.unwrap();
    provider.patch(&ann.id, vec![replace("active", false)]).await.unwrap();
    let before = provider.trace(&ann.id).await;
    let put = User {
        id: ann.id.clone(),
        title: Some("x".into()),
        ..named("ann")
    };
    assert_eq!(provider.put(put).await.unwrap().active, Some(false));
    let removed = provider.patch(&ann.id, vec![remove("active")]).await.unwrap();
    assert_eq!(removed.active, None);
    let after = provider.trace(&ann.id).await;
    assert_eq!((after.epoch, after.state), (before.epoch, before.state));
}

#[tokio::test]
async fn passwords_are_kept_as_hashes_and_nowhere_else() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let request = CreateUserRequest {
        user: Some(named("ann")),
        password: Some("correct horse".into()),
        ..Default::default()
    };
    let ann = provider.users.create_user(request).await.unwrap().into_inner();
    let hash = async || -> Option<String> {
        sqlx::query_scalar("SELECT password_hash FROM users")
            .fetch_one(&core.database)
            .await
            .unwrap()
    };
    let first = hash().await.unwrap();
    assert!(first.starts_with("$argon2id$"), "{first}");

    provider
        .put(User {
            title: Some("x".into()),
            ..ann.clone()
        })
        .await
        .unwrap();
    assert_eq!(hash().await.as_ref(), Some(&first), "a PUT without a password keeps it");
    let patched = provider
        .patch(&ann.id, vec![replace("password", "battery staple")])
        .await
        .unwrap();
    assert_eq!(version(&patched), 3);
    assert_ne!(hash().await.unwrap(), first);

    for secret in ["correct horse", "battery staple"] {
        let leaked: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM users WHERE to_jsonb(users)::text LIKE '%' || $1 || '%')
                 OR EXISTS (SELECT FROM outbox WHERE position(convert_to($1, 'UTF8') IN body) > 0)",
        )
        .bind(secret)
        .fetch_one(&core.database)
        .await
        .unwrap();
        assert!(!leaked, "{secret}");
    }
}

#[tokio::test]
async fn of_fifty_creations_at_once_one_wins() {
    let core = Core::start().await;
    let provider = core.provider("acme").await;
    let attempts: Vec<_> = (0..50)
        .map(|number| {
            let mut provider = provider.clone();
            let name = if number % 2 == 0 { "Ann" } else { "aNN" };
            tokio::spawn(async move { provider.create(named(name)).await })
        })
        .collect();
    let mut won = Vec::new();
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(user) => won.push(user.id),
            error => drop(refused(error, ErrorReason::Uniqueness)),
        }
    }
    assert_eq!(won.len(), 1);
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM outbox), (SELECT count(*) FROM user_access)",
    )
    .fetch_one(&core.database)
    .await
    .unwrap();
    assert_eq!(counts, (1, 1, 1));
}
