//! Entra ID's two shapes, by the request forms of its documents: a stand-in of its provisioning service that has been told what
//! an administrator enters, tests the connection, and sends what it is known to send.

use std::fs;
use std::path::Path;

use e2e::replay::replay;
use e2e::scim::Answer;
use identity_proto::identity::v1::client::Kind;
use serde_json::Value;

use super::assertion::{Federation, claims};
use super::{Customer, post};

/// What a test of the connection and a cycle send.
const TRACES: [&str; 4] = [
    "entra-test-connection",
    "entra-schemas-discovery",
    "entra-create-user",
    "entra-disable-string-false",
];

fn trace(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("traces")
        .join(format!("{name}.json"));
    let text = fs::read_to_string(path).expect("a trace");
    serde_json::from_str(&text).expect("JSON")
}

/// Fails unless the answer is what Entra's documents ask for, and its token does all that Entra needs.
async fn connects(customer: &Customer, answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.header("content-type").starts_with("application/json"),
        "{answer:?}"
    );
    assert!(answer.header("cache-control").contains("no-store"), "{answer:?}");
    assert_eq!(answer.json["token_type"], "Bearer");
    let lifetime = answer.json["expires_in"].as_u64().expect("a number of seconds");
    assert!((3_600..=21_600).contains(&lifetime), "{lifetime}");
    assert!(answer.json.get("refresh_token").is_none(), "{answer:?}");
    let token = answer.json["access_token"].as_str().expect("a token");
    for name in TRACES {
        let problems = replay(&customer.scim(token), &trace(name)).await;
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
}

#[tokio::test]
async fn client_credentials_connect_wherever_the_secret_stands() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Secret, |_| ()).await;
    let (id, secret) = app.basic();
    let grant = ("grant_type", "client_credentials");
    let in_body = [grant, ("client_id", id), ("client_secret", secret)];
    connects(&customer, &post(&app.edge, "/oauth/token", None, &in_body).await).await;
    connects(
        &customer,
        &post(&app.edge, "/oauth/token", Some((id, secret)), &[grant]).await,
    )
    .await;
}

#[tokio::test]
async fn workload_identity_federation_connects_without_a_secret() {
    let Federation {
        customer, app, signer, ..
    } = Federation::new().await;
    // The documents show several scopes, and administrators have no field for one.
    for scope in ["scim", "scim.readwrite", "", "scim.read scim.write"] {
        let mut claims = claims();
        claims.as_object_mut().expect("claims").remove("jti");
        let assertion = signer.sign(&claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", app.id.as_str()),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion.as_str()),
            ("scope", scope),
        ];
        connects(&customer, &post(&app.edge, "/oauth/token", None, &form).await).await;
    }
}
