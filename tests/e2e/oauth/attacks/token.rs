//! Attacks on the token, revocation and introspection endpoints.

use std::collections::HashSet;

use identity_proto::identity::v1::client::Kind;
use oauth2::{PkceCodeChallenge, TokenIntrospectionResponse};
use sqlx::{Connection, PgConnection};

use super::super::application::Application;
use super::super::{Customer, REDIRECT, post, refused};
use crate::system;

async fn exchange(app: &Application, code: &str, more: &[(&str, &str)]) -> e2e::scim::Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
    ];
    form.extend_from_slice(more);
    post(&app.edge, "/oauth/token", Some(app.basic()), &form).await
}

#[tokio::test]
async fn oa_021_a_wrong_verifier_burns_the_code() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    for wrong in ["wrong", "", &"x".repeat(43)] {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let callback = app.consent(customer.key(), Some(challenge)).await;
        refused(
            &exchange(&app, callback.code(), &[("code_verifier", wrong)]).await,
            "invalid_grant",
        );
        let late = exchange(&app, callback.code(), &[("code_verifier", verifier.secret())]).await;
        refused(&late, "invalid_grant");
    }
}

#[tokio::test]
async fn oa_022_a_verifier_without_a_challenge_is_refused() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let callback = app.consent(customer.key(), None).await;
    let (_, verifier) = PkceCodeChallenge::new_random_sha256();
    refused(
        &exchange(&app, callback.code(), &[("code_verifier", verifier.secret())]).await,
        "invalid_grant",
    );
}

#[tokio::test]
async fn oa_024_a_code_is_worth_nothing_to_another_client() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let of_same_tenant = customer.register(Kind::Code, |_| ()).await;
    let of_other_tenant = Customer::create().await.register(Kind::Code, |_| ()).await;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let callback = app.consent(customer.key(), Some(challenge)).await;
    for thief in [&of_same_tenant, &of_other_tenant] {
        refused(
            &exchange(thief, callback.code(), &[("code_verifier", verifier.secret())]).await,
            "invalid_grant",
        );
    }
}

#[tokio::test]
async fn oa_029_no_password_is_worth_a_token() {
    let app = Customer::create().await.register(Kind::Secret, |_| ()).await;
    for grant in [
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "implicit",
        "CLIENT_CREDENTIALS",
    ] {
        let form = [("grant_type", grant), ("username", "a"), ("password", "b")];
        refused(
            &post(&app.edge, "/oauth/token", Some(app.basic()), &form).await,
            "unsupported_grant_type",
        );
    }
}

#[tokio::test]
async fn oa_034_an_unknown_token_is_revoked_and_another_clients_is_not() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let neighbour = customer.register(Kind::Secret, |_| ()).await;
    let tokens = app.connect(customer.key()).await;
    let revoke = async |by: &Application, token: &str| {
        post(&by.edge, "/oauth/revoke", Some(by.basic()), &[("token", token)]).await
    };
    let key = customer.key().to_owned();
    for token in ["unknown", tokens.access.as_str(), tokens.refresh.as_str(), key.as_str()] {
        let answer = revoke(&neighbour, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    tokio::time::sleep(super::super::PROMISE).await;
    assert_eq!(
        (customer.read(&tokens.access).await, customer.read(&key).await),
        (200, 200)
    );
    let told = neighbour.introspect(&tokens.access).await;
    assert!(
        !told.active() && told.client_id().is_none(),
        "another client's token is told of: {told:?}"
    );
    let next = app.refresh(&tokens.refresh).await.expect("the next tokens");
    assert_eq!(revoke(&app, &next.access).await.status, 200);
    refused(
        &post(
            &app.edge,
            "/oauth/revoke",
            None,
            &[("token", "x"), ("client_id", &app.id)],
        )
        .await,
        "invalid_client",
    );
}

#[tokio::test]
async fn oa_036_secrets_are_random_recognisable_kept_by_nobody_and_stored_as_hashes() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let form = regex::Regex::new("^pc[scar]_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$").expect("a pattern");
    let mut seen = HashSet::new();
    let mut secrets = vec![app.secret.clone().expect("a secret"), customer.key().to_owned()];
    for _ in 0..2 {
        let callback = app.consent(customer.key(), None).await;
        let answer = exchange(&app, callback.code(), &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("cache-control").contains("no-store"), "{answer:?}");
        let text = |name: &str| answer.json[name].as_str().expect(name).to_owned();
        secrets.extend([callback.code().to_owned(), text("access_token"), text("refresh_token")]);
        let next = app.refresh(&text("refresh_token")).await.expect("the next tokens");
        secrets.extend([next.access, next.refresh]);
    }
    for secret in &secrets {
        assert!(form.is_match(secret), "{secret}");
        assert!(seen.insert(&secret[4..47]), "{secret} comes twice");
    }

    // Every column of every table, as text: none holds a secret, nor the random part of one.
    let mut database = PgConnection::connect(&system().description().postgres_url)
        .await
        .expect("PostgreSQL");
    let tables = "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut database)
        .await
        .expect("the tables");
    assert!(
        tables.iter().any(|table| table.ends_with("refresh_token")),
        "{tables:?}"
    );
    let random: Vec<&str> = secrets.iter().map(|secret| &secret[4..47]).collect();
    for table in tables {
        let found = format!(
            "SELECT count(*) FROM {table} AS kept, unnest($1::text[]) AS secret WHERE strpos(kept::text, secret) > 0"
        );
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(found))
            .bind(&random)
            .fetch_one(&mut database)
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"));
        assert_eq!(found, 0, "{table} holds a secret");
    }
    let log = system().log();
    assert!(
        secrets.iter().all(|secret| !log.contains(&secret[4..47])),
        "a log holds a secret"
    );
}
