//! The command line: what scripts rely on.

use e2e::cli::Outcome;
use serde_json::{Value, json};

use super::application::Application;
use super::{Customer, post};
use crate::system;

async fn run(arguments: &[&str]) -> Outcome {
    system().cli(arguments).await
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

async fn create(customer: &Customer, arguments: &[&str]) -> Value {
    let all = [&["client", "create", "--tenant", &customer.tenant.name], arguments].concat();
    run(&all).await.done()
}

#[tokio::test]
async fn a_client_is_made_listed_rotated_and_revoked() {
    let customer = Customer::create().await;
    let tenant = customer.tenant.name.as_str();
    let made = create(
        &customer,
        &["Entra ID", "--token-lifetime", "2h", "--secret-lifetime", "90d"],
    )
    .await;
    assert_eq!((text(&made, "kind"), text(&made, "name")), ("secret", "Entra ID"));
    assert_eq!(
        (text(&made, "edge_url"), text(&made, "token_path")),
        (customer.edge.as_str(), "/oauth/token")
    );
    assert_eq!(made["authorize_path"], Value::Null);
    let first = Application::new(&customer.edge, text(&made, "id"), Some(text(&made, "secret")));
    first.client_credentials(&[]).await.expect("a token");

    let rotated = run(&["client", "rotate", &first.id, "--overlap", "1h"]).await.done();
    assert_eq!(rotated["earlier"].as_array().map(Vec::len), Some(1), "{rotated}");
    let second = first.with_secret(text(&rotated, "secret"));
    for app in [&first, &second] {
        app.client_credentials(&[]).await.expect("a token");
    }
    let listed = run(&["client", "list", "--tenant", tenant]).await.done();
    assert_eq!(listed["token_lifetime_ms"], json!(7_200_000));
    let secrets = listed["secrets"].as_array().expect("secrets");
    assert_eq!(secrets.len(), 2, "{listed}");
    assert_eq!(secrets[0]["id"], rotated["secret_id"]);
    assert_eq!(secrets[1]["id"], rotated["earlier"][0]["id"]);
    assert_eq!(secrets[1]["last_used_address"], "127.0.0.1");

    let one = ["client", "revoke", &first.id, "--secret", text(&secrets[1], "id")];
    let revoked = run(&one).await.done();
    assert!(
        revoked["revoked_at"].is_null() && revoked["secrets"][1]["revoked_at"].is_string(),
        "{revoked}"
    );
    assert_eq!(
        first.client_credentials(&[]).await.err().as_deref(),
        Some("invalid_client")
    );
    let last = run(&["client", "rotate", &first.id, "--overlap", "0s"]).await.done();
    assert_eq!(last["earlier"], json!([]));
    let revoked = run(&["client", "revoke", &first.id]).await.done();
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    let third = first.with_secret(text(&last, "secret"));
    assert_eq!(
        third.client_credentials(&[]).await.err().as_deref(),
        Some("invalid_client")
    );
}

#[tokio::test]
async fn a_client_is_made_for_each_shape() {
    let customer = Customer::create().await;
    let uri = "https://app.example.test/cb";
    let code = create(&customer, &["App", "--redirect-uri", uri, "--scope", "scim.read"]).await;
    assert_eq!(
        (text(&code, "kind"), text(&code, "authorize_path")),
        ("code", "/oauth/authorize")
    );
    assert_eq!(
        (&code["redirect_uris"], &code["scopes"]),
        (&json!([uri]), &json!(["scim.read"]))
    );
    let public = create(&customer, &["App", "--redirect-uri", uri, "--public"]).await;
    assert_eq!(
        (text(&public, "kind"), &public["secret"], &public["expires_at"]),
        ("public_code", &Value::Null, &Value::Null)
    );
    let okta = create(&customer, &["Okta", "--okta", "acme_1"]).await;
    assert_eq!(okta["redirect_uris"].as_array().map(Vec::len), Some(5), "{okta}");
    let entra = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let entra = [
        "Entra",
        "--entra-tenant",
        entra,
        "--subject",
        "s",
        "--audience",
        "api://a/.default",
    ];
    let signed = create(&customer, &entra).await;
    assert_eq!((text(&signed, "kind"), &signed["secret"]), ("assertion", &Value::Null));

    let listed = run(&["client", "list", "--tenant", &customer.tenant.name]).await.json;
    let kinds: Vec<_> = listed.iter().map(|client| text(client, "kind")).collect();
    assert_eq!(kinds, ["assertion", "code", "public_code", "code"]);
    assert_eq!(listed[0]["assertion"]["audience"], "api://a");
}

#[tokio::test]
async fn what_cannot_be_done_is_told_by_exit_codes() {
    let customer = Customer::create().await;
    let tenant = customer.tenant.name.as_str();
    let nobody = uuid::Uuid::new_v4().to_string();
    for (exit, arguments) in [
        (1, &["client", "create", "--tenant", "nobody", "App"][..]),
        (
            1,
            &["client", "create", "--tenant", tenant, "App", "--token-lifetime", "7h"],
        ),
        (
            1,
            &[
                "client",
                "create",
                "--tenant",
                tenant,
                "App",
                "--redirect-uri",
                "http://app.example.test/cb",
            ],
        ),
        (1, &["client", "create", "--tenant", tenant, "App", "--scope", "admin"]),
        (1, &["client", "rotate", &nobody]),
        (1, &["client", "revoke", &nobody]),
        (1, &["token", "rotate", &nobody]),
        (1, &["audit", "list", "--tenant", "nobody"]),
        (2, &["client", "create", "--tenant", tenant, "App", "--public"]),
        (2, &["client", "create", "--tenant", tenant, "App", "--okta", "a b"]),
        (2, &["client", "rotate", &nobody, "--overlap", "soon"]),
    ] {
        let outcome = run(arguments).await;
        assert_eq!(outcome.exit, exit, "{arguments:?}: {outcome:?}");
        assert!(
            outcome.json.is_empty() && !outcome.stderr.is_empty(),
            "{arguments:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_rotated_and_the_audit_log_read() {
    let customer = Customer::create().await;
    let tenant = customer.tenant.name.as_str();
    let before = run(&["token", "list", "--tenant", tenant]).await.text("id");
    let rotated = run(&["token", "rotate", &before, "--overlap", "1h", "--expires", "30d"])
        .await
        .done();
    assert_eq!(
        (text(&rotated, "replaces"), &rotated["overlap_ms"]),
        (before.as_str(), &json!(3_600_000))
    );
    let token = text(&rotated, "token");
    assert_eq!(
        (customer.read(token).await, customer.read(customer.key()).await),
        (200, 200)
    );
    let listed = run(&["token", "list", "--tenant", tenant]).await.json;
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(
        listed.iter().all(|token| token["last_used_address"] == "127.0.0.1"),
        "{listed:?}"
    );

    let made = create(&customer, &["Entra"]).await;
    let (id, secret) = (text(&made, "id"), text(&made, "secret"));
    let form = [("grant_type", "client_credentials")];
    let issued = post(&customer.edge, "/oauth/token", Some((id, secret)), &form).await;
    let entries = run(&["audit", "list", "--tenant", tenant]).await.json;
    let actions: Vec<_> = entries.iter().map(|entry| text(entry, "action")).collect();
    assert_eq!(
        actions,
        ["token.issue", "client.create", "token.rotate", "token.create"]
    );
    assert_eq!(text(&entries[0], "actor"), format!("client:{id}"));
    assert_eq!(text(&entries[0], "request_id"), issued.header("x-request-id"));
    assert_eq!(text(&entries[1], "subject_id"), id);
    assert!(entries.iter().all(|entry| entry["detail"].is_object()), "{entries:?}");
    let newest = run(&["audit", "list", "--tenant", tenant, "--count", "2"]).await.json;
    assert_eq!(newest, entries[..2]);
}
