//! Clients, their secrets, and what ends with them.

use std::time::{Duration, Instant};

use identity_proto::credential::hash;
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::client_authentication::Proof;
use identity_proto::identity::v1::*;

use super::{Asking, by_refresh, credentials_of_client, request};
use crate::harness::*;

const AT_ONCE: prost_types::Duration = prost_types::Duration { seconds: 0, nanos: 0 };

#[tokio::test]
async fn a_secret_gets_tokens_of_its_client_with_no_more_than_its_scopes() {
    let asking = Asking::start(Kind::Secret).await;
    let issued = asking.issue(credentials_of_client(&[])).await.unwrap();
    assert!(issued.refresh_token.is_empty());
    let entered = asking.enters(&issued.access_token).await.unwrap();
    assert_eq!(entered.tenant_id, asking.client.tenant_id);
    let reading = asking.issue(credentials_of_client(&["scim.read"])).await.unwrap();
    assert_eq!(
        asking.enters(&reading.access_token).await.unwrap().scopes,
        ["scim.read"]
    );
    // As Entra ID asks.
    let all = asking.issue(credentials_of_client(&["scim"])).await.unwrap();
    assert_eq!(all.scopes, ["scim.read", "scim.write"]);
    refused(asking.issue(by_refresh("x")).await, ErrorReason::ClientUnauthorized);
    let mut admin = asking.core.clients();
    let list = ListClientsRequest {
        tenant: "acme".to_owned(),
    };
    let listed = admin.list_clients(list).await.unwrap().into_inner().clients;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].secrets.len(), 1);
    assert!(listed[0].secrets[0].last_used_time.is_some());
    assert!(asking.secret.ends_with(&listed[0].secrets[0].hint));
}

#[tokio::test]
async fn a_client_proves_itself_as_it_was_agreed() {
    let asking = Asking::start(Kind::Secret).await;
    let wrong = identity_proto::credential::Kind::ClientSecret.write([7; 32]);
    let id = asking.client.id.clone();
    for (client_id, proof) in [
        (id.clone(), None),
        (id.clone(), Some(Proof::SecretSha256(hash(&wrong).to_vec()))),
        (id.clone(), Some(Proof::SecretSha256(Vec::new()))),
        (id, Some(Proof::Assertion("a.b.c".to_owned()))),
        (
            uuid::Uuid::now_v7().to_string(),
            Some(Proof::SecretSha256(hash(&asking.secret).to_vec())),
        ),
        ("no id".to_owned(), None),
    ] {
        let client = ClientAuthentication { client_id, proof };
        refused(
            asking.issue_as(client, credentials_of_client(&[])).await,
            ErrorReason::ClientInvalid,
        );
    }
}

#[tokio::test]
async fn two_secrets_work_during_the_overlap_and_none_after() {
    let mut asking = Asking::start(Kind::Secret).await;
    let rotate = |overlap| RotateClientSecretRequest {
        id: asking.client.id.clone(),
        overlap,
        ..Default::default()
    };
    let (with_overlap, at_once) = (rotate(None), rotate(Some(AT_ONCE)));
    let first = asking.secret.clone();
    let second = asking
        .core
        .clients()
        .rotate_client_secret(with_overlap)
        .await
        .unwrap()
        .into_inner();
    let ends = second.client.unwrap().secrets[1].expire_time.unwrap().seconds;
    let begins = asking.client.create_time.unwrap().seconds;
    assert!((ends - begins - 7 * 86_400).abs() < 30, "the first ends after a week");
    for secret in [&first, &second.secret] {
        asking.secret = secret.clone();
        asking.issue(credentials_of_client(&[])).await.unwrap();
    }
    let third = asking
        .core
        .clients()
        .rotate_client_secret(at_once)
        .await
        .unwrap()
        .into_inner();
    let since = Instant::now();
    for secret in [&first, &second.secret] {
        asking.secret = secret.clone();
        refused(
            asking.issue(credentials_of_client(&[])).await,
            ErrorReason::ClientInvalid,
        );
    }
    assert!(since.elapsed() < Duration::from_secs(1), "within a second");
    asking.secret = third.secret;
    asking.issue(credentials_of_client(&[])).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_ends_while_its_request_waits_gets_nothing() {
    let asking = Asking::start(Kind::Secret).await;
    let id: uuid::Uuid = asking.client.id.parse().unwrap();
    // As a rotation does: the request has proved itself when the client is free again.
    let mut rotation = asking.core.database.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM oauth_client WHERE client_id = $1 FOR UPDATE").bind(id);
    lock.execute(&mut *rotation).await.unwrap();
    let rotate = async {
        let waits =
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))";
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut *rotation)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let end = sqlx::query("UPDATE client_secret SET expires_at = clock_timestamp() WHERE client_id = $1").bind(id);
        end.execute(&mut *rotation).await.unwrap();
        rotation.commit().await.unwrap();
    };
    let both = async { tokio::join!(asking.issue(credentials_of_client(&[])), rotate) };
    let both = tokio::time::timeout(Duration::from_secs(10), both).await;
    let (answer, ()) = both.expect("the request waits for its client");
    refused(answer, ErrorReason::ClientInvalid);
}

#[tokio::test]
async fn a_revoked_client_has_nothing_left() {
    let asking = Asking::start(Kind::Code).await;
    let issued = asking.exchange(&asking.code().await, "").await.unwrap();
    let code = asking.code().await;
    let revoke = RevokeClientRequest {
        id: asking.client.id.clone(),
        ..Default::default()
    };
    let revoked = asking.core.clients().revoke_client(revoke).await.unwrap().into_inner();
    assert!(revoked.revoke_time.is_some() && revoked.secrets[0].revoke_time.is_some());
    refused(
        asking.enters(&issued.access_token).await,
        ErrorReason::CredentialInvalid,
    );
    refused(asking.refresh(&issued.refresh_token).await, ErrorReason::ClientInvalid);
    refused(asking.exchange(&code, "").await, ErrorReason::ClientInvalid);
    refused(asking.authorize(&asking.key, "").await, ErrorReason::ClientInvalid);
    let rotate = RotateClientSecretRequest {
        id: asking.client.id.clone(),
        ..Default::default()
    };
    refused(
        asking.core.clients().rotate_client_secret(rotate).await,
        ErrorReason::InvalidValue,
    );
}

#[tokio::test]
async fn a_suspended_or_deleted_tenant_gets_no_tokens() {
    let asking = Asking::start(Kind::Secret).await;
    let issued = asking.issue(credentials_of_client(&[])).await.unwrap();
    let tenant = || "acme".to_owned();
    let mut tenants = asking.core.tenants();
    tenants
        .suspend_tenant(SuspendTenantRequest { tenant: tenant() })
        .await
        .unwrap();
    refused(
        asking.issue(credentials_of_client(&[])).await,
        ErrorReason::ClientUnauthorized,
    );
    refused(asking.enters(&issued.access_token).await, ErrorReason::TenantSuspended);
    tenants
        .resume_tenant(ResumeTenantRequest { tenant: tenant() })
        .await
        .unwrap();
    asking.enters(&issued.access_token).await.unwrap();
    tenants
        .delete_tenant(DeleteTenantRequest { tenant: tenant() })
        .await
        .unwrap();
    refused(
        asking.issue(credentials_of_client(&[])).await,
        ErrorReason::ClientInvalid,
    );
    refused(
        asking.enters(&issued.access_token).await,
        ErrorReason::CredentialInvalid,
    );
}

#[tokio::test]
async fn clients_secrets_and_tokens_are_bounded() {
    let asking = Asking::start(Kind::Secret).await;
    for _ in 1..20 {
        asking
            .core
            .clients()
            .create_client(request(Kind::Secret))
            .await
            .unwrap();
    }
    refused(
        asking.core.clients().create_client(request(Kind::Secret)).await,
        ErrorReason::TooMany,
    );
    let rotate = |overlap| RotateClientSecretRequest {
        id: asking.client.id.clone(),
        overlap,
        ..Default::default()
    };
    for _ in 1..5 {
        asking.core.clients().rotate_client_secret(rotate(None)).await.unwrap();
    }
    refused(
        asking.core.clients().rotate_client_secret(rotate(None)).await,
        ErrorReason::TooMany,
    );
    sqlx::query(
        "INSERT INTO credential (credential_id, tenant_id, sha256, hint, scopes, expires_at, client_id)
         SELECT gen_random_uuid(), $1, sha256(i::text::bytea), 'x', '{}', clock_timestamp() + interval '1 hour', $2
         FROM generate_series(1, 1000) AS i",
    )
    .bind(asking.client.tenant_id.parse::<uuid::Uuid>().unwrap())
    .bind(asking.client.id.parse::<uuid::Uuid>().unwrap())
    .execute(&asking.core.database)
    .await
    .unwrap();
    refused(asking.issue(credentials_of_client(&[])).await, ErrorReason::TooMany);
    asking.core.token("acme").await;
    let list = ListTokensRequest {
        tenant: "acme".to_owned(),
    };
    let mut admin = asking.core.credentials(As::service(ADMIN));
    let listed = admin.list_tokens(list).await.unwrap().into_inner().tokens;
    assert_eq!(listed.len(), 2, "access tokens are not listed");
}
