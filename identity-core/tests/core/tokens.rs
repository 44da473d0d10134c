//! The life of a token.

use std::time::{Duration, Instant};

use identity_proto::identity::v1::*;
use identity_proto::status::metadata;

use crate::harness::*;

#[tokio::test]
async fn a_token_is_shown_once_and_resolves_to_its_tenant() {
    let core = Core::start().await;
    let tenant = core.tenant("acme").await;
    let created = core.token(&tenant.id).await;
    let token = created.token.unwrap();
    assert!(identity_proto::credential::Kind::Token.fits(&created.secret));
    assert!(created.secret.ends_with(&token.hint));
    let lifetime = token.expire_time.unwrap().seconds - token.create_time.unwrap().seconds;
    assert_eq!(lifetime, 365 * 86_400);

    let mut edge = core.credentials(As::scim(&created.secret));
    let answer = edge.authenticate(AuthenticateRequest {}).await.unwrap().into_inner();
    assert_eq!(answer.profile(), tenant::Profile::Interop);
    assert_eq!(answer.scopes, ["scim.read", "scim.write"]);
    assert_eq!(
        (answer.tenant_id, answer.credential_id),
        (tenant.id.clone(), token.id.clone())
    );

    let request = ListTokensRequest { tenant: tenant.id };
    let listed = core
        .credentials(As::service(ADMIN))
        .list_tokens(request)
        .await
        .unwrap()
        .into_inner()
        .tokens;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, token.id);
    assert!(listed[0].last_used_time.is_some(), "its use was noted");
    let stored: bool = sqlx::query_scalar("SELECT to_jsonb(credential)::text LIKE '%' || $1 || '%' FROM credential")
        .bind(&created.secret)
        .fetch_one(&core.database)
        .await
        .unwrap();
    assert!(!stored, "only the hash is stored");
}

#[tokio::test]
async fn a_revoked_token_is_refused_within_a_second() {
    let core = Core::start().await;
    core.tenant("acme").await;
    let created = core.token("acme").await;
    let mut edge = core.credentials(As::scim(&created.secret));
    edge.authenticate(AuthenticateRequest {}).await.unwrap();
    let request = || RevokeTokenRequest {
        id: created.token.clone().unwrap().id,
    };
    let mut admin = core.credentials(As::service(ADMIN));
    let revoked = admin.revoke_token(request()).await.unwrap().into_inner();
    assert!(revoked.revoke_time.is_some());
    let since = Instant::now();
    while edge.authenticate(AuthenticateRequest {}).await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(1), "a revoked token still works");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    refused(
        edge.authenticate(AuthenticateRequest {}).await,
        ErrorReason::CredentialInvalid,
    );
    let again = admin.revoke_token(request()).await.unwrap().into_inner();
    assert_eq!(again.revoke_time, revoked.revoke_time, "the first time stands");
}

#[tokio::test]
async fn an_expired_token_says_when_it_expired() {
    let core = Core::start().await;
    core.tenant("acme").await;
    let created = core.token("acme").await;
    sqlx::query("UPDATE credential SET expires_at = '2026-01-02T03:04:05Z'")
        .execute(&core.database)
        .await
        .unwrap();
    let mut edge = core.credentials(As::scim(&created.secret));
    let status = refused(
        edge.authenticate(AuthenticateRequest {}).await,
        ErrorReason::CredentialExpired,
    );
    assert_eq!(metadata(&status, "expired_at").as_deref(), Some("2026-01-02T03:04:05Z"));
}

#[tokio::test]
async fn a_tenant_has_five_live_tokens_at_most() {
    let core = Core::start().await;
    core.tenant("acme").await;
    let attempts: Vec<_> = (0..12)
        .map(|_| {
            let mut admin = core.credentials(As::service(ADMIN));
            let request = CreateTokenRequest {
                tenant: "acme".into(),
                ..Default::default()
            };
            tokio::spawn(async move { admin.create_token(request).await })
        })
        .collect();
    let mut made = Vec::new();
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(created) => made.push(created.into_inner().token.unwrap().id),
            error => drop(refused(error, ErrorReason::TooMany)),
        }
    }
    assert_eq!(made.len(), 5, "also when twelve are asked for at once");
    let revoke = RevokeTokenRequest { id: made.remove(0) };
    core.credentials(As::service(ADMIN)).revoke_token(revoke).await.unwrap();
    core.token("acme").await;
}

#[tokio::test]
async fn a_token_needs_a_tenant_and_known_scopes() {
    let core = Core::start().await;
    core.tenant("acme").await;
    for (tenant, scope, expect) in [
        ("other", "scim.read", ErrorReason::NotFound),
        ("acme", "admin", ErrorReason::InvalidValue),
    ] {
        let request = CreateTokenRequest {
            tenant: tenant.to_owned(),
            scopes: vec![scope.to_owned()],
            ..Default::default()
        };
        refused(core.credentials(As::service(ADMIN)).create_token(request).await, expect);
    }
}
