//! The end of access is one fact with many ways in: a table of ways, a table of states that a session may be in, and each
//! with each. Sessions end, logins that began before land nowhere, not even after reactivation, and reactivation opens new
//! logins only.

mod complete;
mod states;
mod ways;

use std::time::{Duration, Instant};

use e2e::Tenant;
use futures_util::StreamExt;
use identity_proto::identity::v1::{ErrorReason, GetAccessRequest};
use identity_proto::status::reason;
use serde_json::json;
use tonic::Status;

use self::states::{STATES, State};
use self::ways::{BIRTHS, Back, WAYS, Way, activate};
use crate::system;

/// How many rows are tried at a time.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn every_way_ends_sessions_in_every_state() {
    let rows = WAYS.iter().flat_map(|way| STATES.map(|state| (*way, state)));
    futures_util::stream::iter(rows)
        .for_each_concurrent(AT_ONCE, |((way, back), state)| row(way, back, state))
        .await;
}

async fn row(way: Way, back: Back, state: State) {
    let about = format!("{way:?}, {state:?}");
    let tenant = Tenant::create(system()).await;
    let (id, bystander) = (tenant.user().await, tenant.user().await);
    let other = tenant.log_in(&bystander).await.expect("a session");

    let held = state.meets(way, &tenant, &id).await;
    let ended = Instant::now();
    let known = !held.sessions.is_empty() && state != State::SameInstant;
    if state == State::Idle && !way.is_of_tenant() {
        pruned(&about, &tenant, &id, true).await;
        assert!(
            !tenant.validate(&held.sessions[0]).await.expect("an answer").valid,
            "{about}"
        );
    }
    for session in &held.sessions {
        let last = tenant.last_valid(session, ended).await;
        println!("{about}: E = {:.1} ms", last.as_secs_f64() * 1_000.0);
    }
    if !way.is_of_tenant() {
        pruned(&about, &tenant, &id, known).await;
    }
    land_nowhere(&about, &tenant, &id, &held.logins).await;

    // A suspended tenant need not even begin one.
    let meanwhile: Vec<String> = match back {
        Back::Nothing => Vec::new(),
        _ => tenant.begin_login().await.into_iter().collect(),
    };
    land_nowhere(&about, &tenant, &id, &meanwhile).await;
    let given = back.give(&tenant, &id).await;
    land_nowhere(&about, &tenant, &id, &held.logins).await;
    land_nowhere(&about, &tenant, &id, &meanwhile).await;
    if given || back == Back::Nothing {
        let new = tenant.log_in(&id).await.expect("a new login is let in");
        assert!(tenant.validate(&new).await.expect("an answer").valid, "{about}");
    }
    for session in &held.sessions {
        assert!(
            !tenant.validate(session).await.expect("an answer").valid,
            "{about}: it came back"
        );
    }
    let others = tenant.validate(&other).await.expect("an answer").valid;
    assert_eq!(others, !way.is_of_tenant(), "{about}: another user's session");
}

#[tokio::test]
async fn a_user_that_is_created_inactive_gets_no_session() {
    for birth in BIRTHS {
        let (about, tenant) = (format!("{birth:?}"), Tenant::create(system()).await);
        let before = tenant.begin_login().await.expect("a login");
        let id = birth.give(&tenant).await;
        let after = tenant.begin_login().await.expect("a login");
        let logins = [before, after];
        land_nowhere(&about, &tenant, &id, &logins).await;
        activate(&tenant, &id).await;
        land_nowhere(&about, &tenant, &id, &logins).await;
        tenant.log_in(&id).await.expect("a new login is let in");
    }
}

/// Refusals say that access ended or changed, not that something is broken.
async fn land_nowhere(about: &str, tenant: &Tenant, id: &str, logins: &[String]) {
    let allowed = [
        Some(ErrorReason::LoginStale),
        Some(ErrorReason::AccessEnded),
        Some(ErrorReason::TenantSuspended),
        Some(ErrorReason::NotFound),
    ];
    for login in logins {
        let made: Result<String, Status> = tenant.create_session(login, id).await;
        let status = made.expect_err(&format!("{about}: a login from before made a session"));
        assert!(allowed.contains(&reason(&status)), "{about}: {status:?}");
    }
}

/// The register moved, and what there was is pruned, soon: one session if it is `known` that there was one.
async fn pruned(about: &str, tenant: &Tenant, id: &str, known: bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let request = GetAccessRequest {
            tenant_id: tenant.id.clone(),
            user_id: id.to_owned(),
        };
        let answer = tenant.grpc.access().get_access(request).await;
        let access = answer.expect("access").into_inner();
        if access.apply_time.is_some() && (access.pruned == 1 || !known) {
            return;
        }
        assert!(Instant::now() < deadline, "{about}: {access:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_login_makes_one_session_and_the_user_must_be_of_its_tenant() {
    let (tenant, foreign) = (Tenant::create(system()).await, Tenant::create(system()).await);
    let (id, stranger) = (tenant.user().await, foreign.user().await);
    let login = tenant.begin_login().await.expect("a login");
    tenant
        .create_session(&login, &stranger)
        .await
        .expect_err("another tenant's user");
    tenant.create_session(&login, &id).await.expect("a session");
    let again = tenant
        .create_session(&login, &id)
        .await
        .expect_err("the login was used");
    assert_eq!(reason(&again), Some(ErrorReason::LoginInvalid), "{again:?}");
}

#[tokio::test]
async fn what_changes_nothing_ends_nothing() {
    let tenant = Tenant::create(system()).await;
    let id = tenant.user().await;
    let path = format!("/Users/{id}");
    let session = tenant.log_in(&id).await.expect("a session");
    let before = tenant.scim.get(&path).await;
    for operations in [
        json!([{"op": "replace", "path": "active", "value": true}]),
        json!([{"op": "replace", "path": "displayName", "value": "Renamed"}]),
    ] {
        assert_eq!(tenant.scim.patch(&path, &operations).await.status, 200);
        assert!(
            tenant.validate(&session).await.expect("an answer").valid,
            "{operations}"
        );
    }
    let after = tenant.scim.get(&path).await;
    assert_ne!(
        before.header("etag"),
        after.header("etag"),
        "the second one was a change"
    );
    let same = json!([{"op": "replace", "path": "displayName", "value": "Renamed"}]);
    let again = tenant.scim.patch(&path, &same).await;
    assert_eq!(
        again.header("etag"),
        after.header("etag"),
        "a change to the same is none"
    );
    assert_eq!(again.json["meta"]["lastModified"], after.json["meta"]["lastModified"]);
}
