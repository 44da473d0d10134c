//! The end of access is one fact with many ways in. For each way: a live session ends, a login that began before lands
//! nowhere, not even after reactivation, and reactivation opens new logins only.

use std::time::{Duration, Instant};

use e2e::Tenant;
use e2e::scim::user;
use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{
    AttributePath, DeleteTenantRequest, DeleteUserRequest, EndAccessRequest, ErrorReason, GetAccessRequest,
    PatchOperation, PatchUserRequest, ResumeTenantRequest, SuspendTenantRequest, Value,
};
use identity_proto::session::v1::RevokeUserSessionsRequest;
use identity_proto::status::reason;
use serde_json::json;
use tonic::Status;

use crate::system;

/// How access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    PatchWithPath,
    PatchWithoutPath,
    PatchWithString,
    PatchAdd,
    PatchAmongOthers,
    PatchRemove,
    Put,
    Delete,
    GrpcPatch,
    GrpcDelete,
    GrpcEndAccess,
    RevokeUserSessions,
    CliEndAccess,
    SuspendTenant,
    CliSuspendTenant,
    DeleteTenant,
}

/// What gives access back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    Activation,
    /// The user stayed active.
    Nothing,
    Resume,
    Never,
}

const WAYS: [(Way, Back); 16] = [
    (Way::PatchWithPath, Back::Activation),
    (Way::PatchWithoutPath, Back::Activation),
    (Way::PatchWithString, Back::Activation),
    (Way::PatchAdd, Back::Activation),
    (Way::PatchAmongOthers, Back::Activation),
    (Way::PatchRemove, Back::Activation),
    (Way::Put, Back::Activation),
    (Way::Delete, Back::Never),
    (Way::GrpcPatch, Back::Activation),
    (Way::GrpcDelete, Back::Never),
    (Way::GrpcEndAccess, Back::Nothing),
    (Way::RevokeUserSessions, Back::Nothing),
    (Way::CliEndAccess, Back::Nothing),
    (Way::SuspendTenant, Back::Resume),
    (Way::CliSuspendTenant, Back::Resume),
    (Way::DeleteTenant, Back::Never),
];

#[tokio::test]
async fn every_way_ends_a_live_session_and_a_login_that_began_before() {
    for (way, back) in WAYS {
        let tenant = Tenant::create(system()).await;
        let id = tenant.user().await;
        let bystander = tenant.user().await;
        let live = tenant.log_in(&id).await.expect("a session");
        let other = tenant.log_in(&bystander).await.expect("a session");
        let begun = tenant.begin_login().await.expect("a login");
        assert!(tenant.validate(&live).await.expect("an answer").valid, "{way:?}");

        end(way, &tenant, &id).await;
        let last = tenant.last_valid(&live, Instant::now()).await;
        println!("{way:?}: E = {:.1} ms", last.as_secs_f64() * 1_000.0);
        refused(way, tenant.create_session(&begun, &id).await);
        if back == Back::Nothing {
            assert!(
                tenant.log_in(&id).await.is_ok(),
                "{way:?}: an active user may log in again"
            );
        } else {
            // A suspended tenant need not even begin one.
            let meanwhile = tenant.begin_login().await;
            if let Ok(meanwhile) = &meanwhile {
                refused(way, tenant.create_session(meanwhile, &id).await);
            }
            if give_back(back, &tenant, &id).await {
                refused(way, tenant.create_session(&begun, &id).await);
                if let Ok(meanwhile) = &meanwhile {
                    refused(way, tenant.create_session(meanwhile, &id).await);
                }
                assert!(tenant.log_in(&id).await.is_ok(), "{way:?}: a new login must be let in");
            }
        }
        let still = tenant.validate(&live).await.expect("an answer");
        assert!(!still.valid, "{way:?}: a session came back");
        let of_tenant = matches!(way, Way::SuspendTenant | Way::CliSuspendTenant | Way::DeleteTenant);
        let others = tenant.validate(&other).await.expect("an answer").valid;
        assert_eq!(others, !of_tenant, "{way:?}: another user's session");
        if !of_tenant {
            pruned(way, &tenant, &id).await;
        }
    }
}

async fn end(way: Way, tenant: &Tenant, id: &str) {
    let path = format!("/Users/{id}");
    let patch = async |operation: serde_json::Value| {
        let answer = tenant.scim.patch(&path, &operation).await;
        assert_eq!(
            (answer.status, &answer.json["active"]),
            (200, &json!(false)),
            "{way:?}: {answer:?}"
        );
    };
    let (user_id, tenant_id) = (id.to_owned(), tenant.id.clone());
    match way {
        Way::PatchWithPath => patch(json!([{"op": "replace", "path": "active", "value": false}])).await,
        Way::PatchWithoutPath => patch(json!([{"op": "replace", "value": {"active": false}}])).await,
        Way::PatchWithString => patch(json!([{"op": "Replace", "path": "active", "value": "False"}])).await,
        Way::PatchAdd => patch(json!([{"op": "add", "path": "active", "value": false}])).await,
        Way::PatchAmongOthers => {
            let rename = json!({"op": "replace", "path": "displayName", "value": "On leave"});
            patch(json!([rename, {"op": "Replace", "value": {"active": "false", "title": "None"}}])).await;
        }
        Way::PatchRemove => {
            let answer = tenant
                .scim
                .patch(&path, &json!([{"op": "remove", "path": "active"}]))
                .await;
            assert_eq!(
                (answer.status, &answer.json["active"]),
                (200, &json!(null)),
                "{answer:?}"
            );
        }
        Way::Put => {
            let name = tenant.scim.get(&path).await.json["userName"].clone();
            let mut body = user(name.as_str().expect("a name"));
            body["active"] = json!(false);
            let answer = tenant.scim.put(&path, &body).await;
            assert_eq!(
                (answer.status, &answer.json["active"]),
                (200, &json!(false)),
                "{answer:?}"
            );
        }
        Way::Delete => assert_eq!(tenant.scim.delete(&path).await.status, 204),
        Way::GrpcPatch => {
            let operation = PatchOperation {
                op: Op::Replace.into(),
                path: Some(AttributePath::core("active")),
                value: Some(Value {
                    kind: Some(Kind::Boolean(false)),
                }),
                ..Default::default()
            };
            let request = PatchUserRequest {
                tenant_id,
                id: user_id,
                operations: vec![operation],
                ..Default::default()
            };
            let patched = tenant
                .grpc
                .users()
                .patch_user(request)
                .await
                .expect("patched")
                .into_inner();
            assert_eq!(patched.active, Some(false));
        }
        Way::GrpcDelete => {
            let request = DeleteUserRequest {
                tenant_id,
                id: user_id,
                ..Default::default()
            };
            tenant.grpc.users().delete_user(request).await.expect("deleted");
        }
        Way::GrpcEndAccess => {
            let request = EndAccessRequest { tenant_id, user_id };
            tenant.grpc.access().end_access(request).await.expect("ended");
        }
        Way::RevokeUserSessions => {
            let request = RevokeUserSessionsRequest { tenant_id, user_id };
            tenant
                .grpc
                .sessions()
                .revoke_user_sessions(request)
                .await
                .expect("revoked");
        }
        Way::CliEndAccess => {
            let outcome = system().cli(&["access", "end", "--tenant", &tenant.name, id]).await;
            assert_eq!(outcome.exit, 0, "{outcome:?}");
        }
        Way::SuspendTenant => {
            let request = SuspendTenantRequest {
                tenant: tenant.name.clone(),
            };
            tenant.grpc.tenants().suspend_tenant(request).await.expect("suspended");
        }
        Way::CliSuspendTenant => {
            let outcome = system().cli(&["tenant", "suspend", &tenant.name]).await;
            assert_eq!(outcome.exit, 0, "{outcome:?}");
        }
        Way::DeleteTenant => {
            let request = DeleteTenantRequest {
                tenant: tenant.name.clone(),
            };
            tenant.grpc.tenants().delete_tenant(request).await.expect("deleted");
        }
    }
}

/// Whether it could be given back.
async fn give_back(back: Back, tenant: &Tenant, id: &str) -> bool {
    match back {
        Back::Activation => {
            let on = json!([{"op": "replace", "path": "active", "value": true}]);
            let answer = tenant.scim.patch(&format!("/Users/{id}"), &on).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            true
        }
        Back::Resume => {
            let request = ResumeTenantRequest {
                tenant: tenant.name.clone(),
            };
            tenant.grpc.tenants().resume_tenant(request).await.expect("resumed");
            true
        }
        Back::Nothing | Back::Never => false,
    }
}

/// A refusal says that access ended or changed, not that something is broken.
fn refused(way: Way, created: Result<String, Status>) {
    let status = created.expect_err(&format!("{way:?}: a login from before made a session"));
    let allowed = [
        Some(ErrorReason::LoginStale),
        Some(ErrorReason::AccessEnded),
        Some(ErrorReason::TenantSuspended),
        Some(ErrorReason::NotFound),
    ];
    assert!(allowed.contains(&reason(&status)), "{way:?}: {status:?}");
}

/// The register moved and one session was pruned, soon.
async fn pruned(way: Way, tenant: &Tenant, id: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let request = GetAccessRequest {
            tenant_id: tenant.id.clone(),
            user_id: id.to_owned(),
        };
        let access = tenant
            .grpc
            .access()
            .get_access(request)
            .await
            .expect("access")
            .into_inner();
        // A reactivation is a later epoch with nothing left to prune.
        let done = access.apply_time.is_some() && (access.pruned == 1 || access.state() == active());
        if done {
            return;
        }
        assert!(Instant::now() < deadline, "{way:?}: {access:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn active() -> identity_proto::identity::v1::AccessState {
    identity_proto::identity::v1::AccessState::AccessActive
}

#[tokio::test]
async fn a_user_that_is_created_inactive_gets_no_session() {
    let tenant = Tenant::create(system()).await;
    let before = tenant.begin_login().await.expect("a login");
    for (name, active) in [("a@example.test", json!(false)), ("b@example.test", json!("False"))] {
        let mut body = user(name);
        body["active"] = active;
        let created = tenant.scim.post("/Users", &body).await;
        assert_eq!(
            (created.status, &created.json["active"]),
            (201, &json!(false)),
            "{created:?}"
        );
        refused(Way::Put, tenant.create_session(&before, &created.id()).await);
        refused(Way::Put, tenant.log_in(&created.id()).await);
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
