//! What a session is bound to: one login, one user, one tenant.

use e2e::Tenant;
use e2e::grpc::connect;
use identity_proto::identity::v1::{AccessState, EndAccessRequest, ErrorReason, GetAccessRequest};
use identity_proto::session::v1::revoke_session_request::Session as Named;
use identity_proto::session::v1::session_service_client::SessionServiceClient;
use identity_proto::session::v1::validate_session_response::Reason;
use identity_proto::session::v1::{
    BeginLoginRequest, CreateSessionRequest, DeleteDeadLetterRequest, ListDeadLettersRequest, ListSessionsRequest,
    ReplayDeadLetterRequest, RevokeSessionRequest, RevokeUserSessionsRequest, SessionName, ValidateSessionRequest,
};
use identity_proto::status::reason;
use serde_json::json;
use tonic::Code;

use crate::system;

#[tokio::test]
async fn one_login_becomes_one_session_of_one_user() {
    let tenant = Tenant::create(system()).await;
    let login = tenant.begin_login().await.expect("a login");
    let first = tenant.user().await;
    let late = tenant
        .create_session(&login, &first)
        .await
        .expect_err("the user is younger than the login");
    assert_eq!(reason(&late), Some(ErrorReason::LoginStale));

    let login = tenant.begin_login().await.expect("a login");
    tenant.create_session(&login, &first).await.expect("a session");
    let again = tenant
        .create_session(&login, &first)
        .await
        .expect_err("the login was used");
    assert_eq!(reason(&again), Some(ErrorReason::LoginInvalid));

    let others = [tenant.user().await, tenant.user().await, tenant.user().await];
    let login = tenant.begin_login().await.expect("a login");
    tenant.create_session(&login, &first).await.expect("a session");
    for other in &others {
        let answer = tenant
            .create_session(&login, other)
            .await
            .expect_err("the login is another user's");
        assert_eq!(reason(&answer), Some(ErrorReason::LoginInvalid));
    }
}

#[tokio::test]
async fn a_session_is_revoked_by_its_own_users_name_only() {
    let (ours, theirs) = (Tenant::create(system()).await, Tenant::create(system()).await);
    let victim = theirs.user().await;
    let session = theirs.log_in(&victim).await.expect("a session");
    let request = ListSessionsRequest {
        tenant_id: theirs.id.clone(),
        user_id: victim.clone(),
    };
    let listed = theirs
        .grpc
        .sessions()
        .list_sessions(request)
        .await
        .expect("a list")
        .into_inner()
        .sessions;
    let id = listed.first().expect("one session").id.clone();

    let victim_id = victim.parse().expect("an id");
    let their_bucket = identity_proto::access::bucket(theirs.id.parse().expect("an id"), victim_id);
    // A user of ours in the same bucket, so that only the name tells the sessions apart.
    let mut mine = None;
    while mine.is_none() {
        let candidate = uuid::Uuid::new_v4();
        let bucket = identity_proto::access::bucket(ours.id.parse().expect("an id"), candidate);
        mine = (bucket == their_bucket).then_some(candidate);
    }
    let name = SessionName {
        tenant_id: ours.id.clone(),
        user_id: mine.expect("found").to_string(),
        id: id.clone(),
    };
    assert!(!revoke(&ours, name).await);
    assert!(
        theirs.validate(&session).await.expect("an answer").valid,
        "another tenant ended the session"
    );

    let name = SessionName {
        tenant_id: theirs.id.clone(),
        user_id: victim,
        id,
    };
    assert!(revoke(&theirs, name).await);
    let gone = theirs.validate(&session).await.expect("an answer");
    assert_eq!((gone.valid, gone.reason()), (false, Reason::Unknown));
}

async fn revoke(tenant: &Tenant, name: SessionName) -> bool {
    let request = RevokeSessionRequest {
        session: Some(Named::Name(name)),
    };
    tenant
        .grpc
        .sessions()
        .revoke_session(request)
        .await
        .expect("an answer")
        .into_inner()
        .revoked
}

#[tokio::test]
async fn a_pruned_session_still_says_that_access_ended() {
    let tenant = Tenant::create(system()).await;
    let user = tenant.user().await;
    let session = tenant.log_in(&user).await.expect("a session");
    let deactivate = json!([{"op": "replace", "value": {"active": false}}]);
    assert_eq!(
        tenant.scim.patch(&format!("/Users/{user}"), &deactivate).await.status,
        200
    );
    for _ in 0..100 {
        let answer = tenant.validate(&session).await.expect("an answer");
        if !answer.valid {
            assert_eq!(answer.reason(), Reason::AccessEnded);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(!tenant.validate(&session).await.expect("an answer").valid);
}

/// Offboarding sends both at once: whichever comes first, the user stays out.
#[tokio::test]
async fn ending_sessions_while_a_user_is_deactivated_never_reopens_the_user() {
    let tenant = Tenant::create(system()).await;
    let deactivate = json!([{"op": "replace", "value": {"active": false}}]);
    for _ in 0..60 {
        let user_id = tenant.user().await;
        let path = format!("/Users/{user_id}");
        let end = EndAccessRequest {
            tenant_id: tenant.id.clone(),
            user_id: user_id.clone(),
        };
        let mut access = tenant.grpc.access();
        let (patched, ended) = tokio::join!(tenant.scim.patch(&path, &deactivate), access.end_access(end));
        assert_eq!(patched.status, 200);
        ended.expect("an answer");
        let request = GetAccessRequest {
            tenant_id: tenant.id.clone(),
            user_id,
        };
        let standing = access.get_access(request).await.expect("an answer").into_inner();
        assert_eq!(standing.state(), AccessState::AccessInactive);
    }
}

#[tokio::test]
async fn nothing_is_answered_to_a_service_without_a_known_key() {
    let tenant = Tenant::create(system()).await;
    let user = tenant.user().await;
    let session = tenant.log_in(&user).await.expect("a session");
    let (tenant_id, user_id) = (tenant.id.clone(), user.clone());
    let mut stranger =
        SessionServiceClient::new(connect(&system().description().session_grpc, "an-unknown-service-key"));
    let refused = [
        stranger
            .validate_session(ValidateSessionRequest {
                session_token: session.clone(),
            })
            .await
            .map(drop),
        stranger
            .begin_login(BeginLoginRequest {
                tenant_id: tenant_id.clone(),
            })
            .await
            .map(drop),
        stranger.create_session(CreateSessionRequest::default()).await.map(drop),
        stranger
            .list_sessions(ListSessionsRequest {
                tenant_id: tenant_id.clone(),
                user_id: user_id.clone(),
            })
            .await
            .map(drop),
        stranger.revoke_session(RevokeSessionRequest::default()).await.map(drop),
        stranger
            .revoke_user_sessions(RevokeUserSessionsRequest { tenant_id, user_id })
            .await
            .map(drop),
        stranger
            .list_dead_letters(ListDeadLettersRequest::default())
            .await
            .map(drop),
        stranger
            .replay_dead_letter(ReplayDeadLetterRequest::default())
            .await
            .map(drop),
        stranger
            .delete_dead_letter(DeleteDeadLetterRequest::default())
            .await
            .map(drop),
    ];
    for answer in refused {
        let status = answer.expect_err("a stranger was answered");
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        assert_eq!(reason(&status), Some(ErrorReason::ServiceKeyInvalid), "{status:?}");
    }
    assert!(
        tenant.validate(&session).await.expect("an answer").valid,
        "a stranger ended it"
    );
}
