//! The life of a credential: rotation without downtime, ends that are noticed at once and everywhere, and what is told of it.

use std::time::Instant;

use e2e::cluster::Options;
use e2e::{Cluster, Tenant};
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::{
    Client, DeleteTenantRequest, ListClientsRequest, ListTokensRequest, ResumeTenantRequest, RevokeClientRequest,
    RevokeTokenRequest, RotateClientSecretRequest, RotateTokenRequest, SuspendTenantRequest, Token,
};
use oauth2::{AccessToken, StandardRevocableToken, TokenResponse};
use sqlx::{Connection, PgConnection};

use super::application::Application;
use super::{Customer, seconds, within_the_promise};
use crate::{PLACE, system};

async fn clients(customer: &Customer) -> Vec<Client> {
    let request = ListClientsRequest {
        tenant: customer.tenant.name.clone(),
    };
    let answer = customer.tenant.grpc.clients().list_clients(request).await;
    answer.expect("clients").into_inner().clients
}

async fn tokens(customer: &Customer) -> Vec<Token> {
    let request = ListTokensRequest {
        tenant: customer.tenant.name.clone(),
    };
    let answer = customer.tenant.grpc.credentials().list_tokens(request).await;
    answer.expect("tokens").into_inner().tokens
}

/// Another secret of the application; those before it work for so many seconds more.
async fn rotate(customer: &Customer, app: &Application, overlap: i64) -> Application {
    let request = RotateClientSecretRequest {
        id: app.id.clone(),
        overlap: Some(seconds(overlap)),
        ..Default::default()
    };
    let answer = customer.tenant.grpc.clients().rotate_client_secret(request).await;
    app.with_secret(&answer.expect("a secret").into_inner().secret)
}

async fn revoke(customer: &Customer, app: &Application, secret: &str) {
    let request = RevokeClientRequest {
        id: app.id.clone(),
        secret_id: secret.to_owned(),
    };
    customer
        .tenant
        .grpc
        .clients()
        .revoke_client(request)
        .await
        .expect("revoked");
}

/// An access token for the application itself.
async fn token(app: &Application) -> String {
    app.client_credentials(&[])
        .await
        .expect("a token")
        .access_token()
        .secret()
        .clone()
}

async fn is_refused(app: &Application) -> bool {
    app.client_credentials(&[])
        .await
        .is_err_and(|code| code == "invalid_client")
}

#[tokio::test]
async fn a_secret_is_rotated_without_downtime() {
    let customer = Customer::create().await;
    let first = customer.register(Kind::Secret, |_| ()).await;
    let second = rotate(&customer, &first, 3_600).await;
    for app in [&first, &second] {
        assert_eq!(customer.read(&token(app).await).await, 200);
    }
    let secrets = clients(&customer).await.remove(0).secrets;
    assert_eq!(secrets.len(), 2, "{secrets:?}");
    assert!(secrets[1].expire_time.expect("an end").seconds < secrets[0].expire_time.expect("an end").seconds);
    let hint = |app: &Application| app.secret.clone().expect("a secret").split_off(50);
    assert_eq!((&secrets[0].hint, &secrets[1].hint), (&hint(&second), &hint(&first)));

    let leaked = token(&first).await;
    let since = Instant::now();
    let third = rotate(&customer, &second, 0).await;
    for app in [&first, &second] {
        within_the_promise("a rotated secret without an overlap", since, async || {
            is_refused(app).await
        })
        .await;
    }
    within_the_promise("a token that was got by it", since, async || {
        customer.read(&leaked).await == 401
    })
    .await;
    let live = token(&third).await;

    let since = Instant::now();
    let newest = clients(&customer).await.remove(0).secrets.remove(0).id;
    revoke(&customer, &third, &newest).await;
    within_the_promise("a revoked secret", since, async || is_refused(&third).await).await;
    assert_eq!(customer.read(&live).await, 200, "its tokens live on");
}

#[tokio::test]
async fn a_static_token_is_rotated_without_downtime() {
    let customer = Customer::create().await;
    let before = tokens(&customer).await.remove(0).id;
    let rotate = async |id: &str, overlap: i64| {
        let request = RotateTokenRequest {
            id: id.to_owned(),
            overlap: Some(seconds(overlap)),
            ..Default::default()
        };
        let answer = customer.tenant.grpc.credentials().rotate_token(request).await;
        let answer = answer.expect("a token").into_inner();
        (answer.token.expect("a token").id, answer.secret)
    };
    let (second, secret) = rotate(&before, 3_600).await;
    assert_eq!(
        (customer.read(customer.key()).await, customer.read(&secret).await),
        (200, 200)
    );
    let since = Instant::now();
    let (_, newest) = rotate(&second, 0).await;
    within_the_promise("a rotated token without an overlap", since, async || {
        customer.read(&secret).await == 401
    })
    .await;
    assert_eq!(
        (customer.read(customer.key()).await, customer.read(&newest).await),
        (200, 200)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_noticed_at_every_edge_within_a_second() {
    let options = Options {
        cores: 2,
        sessions: 1,
        edges: 2,
        ..Options::default()
    };
    let cluster = Cluster::start(PLACE, options).await;
    let edges = [cluster.edges[0].url(), cluster.edges[1].url()];
    let tenant = Tenant::create_at(cluster.grpc(), |token| cluster.scim(&edges[0], token)).await;
    let here = Customer::new(tenant.clone());
    let there = Customer::new(Tenant {
        scim: cluster.scim(&edges[1], here.key()),
        ..tenant
    });
    // Both edges remember a token for a moment: each was just asked.
    let is_good = async |token: &str| (here.read(token).await, there.read(token).await) == (200, 200);
    let ended = async |what: &str, since: Instant, token: &str| {
        for (customer, edge) in [(&here, "here"), (&there, "elsewhere")] {
            let what = format!("{what}, {edge}");
            within_the_promise(&what, since, async || customer.read(token).await == 401).await;
        }
    };

    let app = here.register(Kind::Secret, |_| ()).await;
    let access = token(&app).await;
    assert!(is_good(&access).await);
    let since = Instant::now();
    app.revoke(StandardRevocableToken::AccessToken(AccessToken::new(access.clone())))
        .await;
    ended("an access token that its client revoked", since, &access).await;

    let access = token(&app.at(&edges[1])).await;
    assert!(is_good(&access).await);
    let since = Instant::now();
    revoke(&here, &app, "").await;
    ended("an access token of a revoked client", since, &access).await;
    assert!(is_refused(&app).await && is_refused(&app.at(&edges[1])).await);

    let id = tokens(&here).await.remove(0).id;
    assert!(is_good(here.key()).await);
    let since = Instant::now();
    let request = RevokeTokenRequest { id };
    here.tenant
        .grpc
        .credentials()
        .revoke_token(request)
        .await
        .expect("revoked");
    ended("a revoked static token", since, here.key()).await;
}

#[tokio::test]
async fn a_tenant_takes_its_clients_along() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Secret, |_| ()).await;
    let by_code = customer.register(Kind::Code, |_| ()).await;
    let granted = by_code.connect(customer.key()).await;
    let access = token(&app).await;
    let name = || customer.tenant.name.clone();
    let mut tenants = customer.tenant.grpc.tenants();

    let since = Instant::now();
    tenants
        .suspend_tenant(SuspendTenantRequest { tenant: name() })
        .await
        .expect("suspended");
    for token in [&access, &granted.access] {
        within_the_promise("a token of a suspended tenant", since, async || {
            customer.read(token).await == 403
        })
        .await;
    }
    let refused = |answer: Result<(), String>| answer.expect_err("such a tenant is given nothing");
    assert_eq!(
        refused(app.client_credentials(&[]).await.map(drop)),
        "unauthorized_client"
    );
    assert_eq!(
        refused(by_code.refresh(&granted.refresh).await.map(drop)),
        "unauthorized_client"
    );

    tenants
        .resume_tenant(ResumeTenantRequest { tenant: name() })
        .await
        .expect("resumed");
    let granted = by_code
        .refresh(&granted.refresh)
        .await
        .expect("tokens after the resumption");
    let access = token(&app).await;
    within_the_promise("a token of a resumed tenant", Instant::now(), async || {
        customer.read(&access).await == 200
    })
    .await;

    let since = Instant::now();
    tenants
        .delete_tenant(DeleteTenantRequest { tenant: name() })
        .await
        .expect("deleted");
    for token in [&access, &granted.access] {
        let is_gone = async || matches!(customer.read(token).await, 401 | 403);
        within_the_promise("a token of a deleted tenant", since, is_gone).await;
    }
    assert!(is_refused(&app).await);
    assert_eq!(
        refused(by_code.refresh(&granted.refresh).await.map(drop)),
        "invalid_client"
    );
}

#[tokio::test]
async fn a_token_reaches_its_own_tenant_alone() {
    let (customer, other) = (Customer::create().await, Customer::create().await);
    let user = other.tenant.user().await;
    let app = customer.register(Kind::Secret, |_| ()).await;
    let by_code = customer.register(Kind::Code, |_| ()).await;
    for access in [token(&app).await, by_code.connect(customer.key()).await.access] {
        let scim = customer.scim(&access);
        let mine = scim
            .create_user(&format!("{}@example.test", uuid::Uuid::new_v4()))
            .await;
        assert_eq!(scim.get(&format!("/Users/{mine}")).await.status, 200);
        assert_eq!(scim.get(&format!("/Users/{user}")).await.status, 404);
        assert_eq!(scim.delete(&format!("/Users/{user}")).await.status, 404);
        let listed = scim.get("/Users").await;
        assert!(
            listed.text.contains(&mine) && !listed.text.contains(&user),
            "{listed:?}"
        );
    }
    assert_eq!(other.tenant.scim.get(&format!("/Users/{user}")).await.status, 200);
}

#[tokio::test]
async fn every_change_stands_in_a_log_that_nobody_changes() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let granted = app.connect(customer.key()).await;
    app.refresh(&granted.refresh).await.expect("the next tokens");
    let app = rotate(&customer, &app, 0).await;
    let by_secret = customer.register(Kind::Secret, |_| ()).await;
    let access = token(&by_secret).await;
    by_secret
        .revoke(StandardRevocableToken::AccessToken(AccessToken::new(access)))
        .await;
    revoke(&customer, &app, "").await;

    let audit = customer.audit().await;
    let mut actions: Vec<_> = audit.iter().rev().map(|entry| entry.action.as_str()).collect();
    actions.dedup();
    let expect = [
        "token.create",
        "client.create",
        "grant.create",
        "token.issue",
        "client.rotate",
        "client.create",
        "token.issue",
        "token.revoke",
        "client.revoke",
    ];
    assert_eq!(actions, expect, "{audit:#?}");
    let actor = |action: &str| &audit.iter().find(|entry| entry.action == action).expect(action).actor;
    let key = tokens(&customer).await.remove(0).id;
    assert_eq!(*actor("grant.create"), format!("credential:{key}"));
    assert_eq!(*actor("token.revoke"), format!("client:{}", by_secret.id));
    assert!(actor("client.revoke").starts_with("service:"), "{audit:?}");
    let issued = audit
        .iter()
        .find(|entry| entry.action == "token.issue")
        .expect("an entry");
    assert!(!issued.request_id.is_empty(), "{issued:?}");
    assert!(audit.windows(2).all(|pair| pair[0].id > pair[1].id), "{audit:?}");
    let whole = format!("{audit:?}");
    for secret in [customer.key(), &granted.access, &granted.refresh, app.basic().1] {
        assert!(!whole.contains(&secret[4..47]), "the log holds a secret");
    }

    let mut database = PgConnection::connect(&system().description().postgres_url)
        .await
        .expect("PostgreSQL");
    for role in ["portcullis_system", "NONE"] {
        for change in [
            "UPDATE audit SET actor = 'nobody'",
            "DELETE FROM audit",
            "TRUNCATE audit",
        ] {
            let statement = format!("BEGIN; SET LOCAL ROLE {role}; {change}; COMMIT");
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut database)
                .await;
            let error = done.expect_err("nobody changes the log").to_string();
            assert!(
                error.contains("permission denied") || error.contains("append-only"),
                "{role}: {error}"
            );
            sqlx::raw_sql("ROLLBACK").execute(&mut database).await.expect("an end");
        }
    }
    assert_eq!(customer.audit().await, audit);
}

#[tokio::test]
async fn it_is_known_when_and_from_where_a_credential_was_used() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Secret, |_| ()).await;
    assert_eq!(clients(&customer).await[0].secrets[0].last_used_time, None);
    let access = token(&app).await;
    assert_eq!(customer.read(&access).await, 200);
    assert_eq!(customer.read(customer.key()).await, 200);
    let secret = clients(&customer).await.remove(0).secrets.remove(0);
    assert!(secret.last_used_time.is_some(), "{secret:?}");
    assert_eq!(secret.last_used_address, "127.0.0.1");
    let listed = tokens(&customer).await;
    assert_eq!(listed.len(), 1, "access tokens are not listed: {listed:?}");
    assert_eq!(listed[0].last_used_address, "127.0.0.1");
}
