//! Client credentials with a signed assertion: RFC 7523, as Entra ID's workload identity federation sends it.

use std::time::{Duration, Instant};

use identity_proto::identity::v1::Assertion;
use identity_proto::identity::v1::client::Kind;
use oauth2::{AuthType, TokenResponse};
use serde_json::{Value, json};
use uuid::Uuid;

use super::application::Application;
use super::issuer::{Issuer, KeySet};
use super::signer::{self, Signer, encode};
use super::{Customer, post, refused, strict};

const ISSUER: &str = "https://login.example.test/72f988bf/v2.0";
const SUBJECT: &str = "d2f8ee76-c549-45b8-a143-f5b640669704";
const AUDIENCE: &str = "api://b5ba7a93-4452-4522-aeb4-a2b5da870c16";

/// Within which a key that was added to a set is known.
const UNKNOWN_KEYS: Duration = Duration::from_secs(45);

/// A client that believes an issuer, and the issuer.
pub struct Federation {
    pub customer: Customer,
    pub app: Application,
    pub signer: Signer,
    keys: KeySet,
}

impl Federation {
    pub async fn new() -> Self {
        let signer = Signer::new();
        let keys = Issuer::shared().publish(&[&signer]);
        let customer = Customer::of(strict()).await;
        let app = register(&customer, &keys).await;
        Federation {
            customer,
            app,
            signer,
            keys,
        }
    }
}

async fn register(customer: &Customer, keys: &KeySet) -> Application {
    let app = customer.register(Kind::Assertion, |request| {
        request.assertion = Some(Assertion {
            issuer: ISSUER.to_owned(),
            jwks_url: keys.url.clone(),
            subject: SUBJECT.to_owned(),
            audience: AUDIENCE.to_owned(),
        });
    });
    app.await.by(AuthType::RequestBody)
}

/// Good claims for 65 minutes, with the id of an assertion that was never used.
pub fn claims() -> Value {
    let now = signer::now();
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 3_900,
        "jti": Uuid::new_v4().to_string(),
    })
}

#[tokio::test]
async fn a_signed_assertion_is_worth_a_token() {
    let Federation {
        customer, app, signer, ..
    } = Federation::new().await;
    let answer = app.signed(&signer.sign(&claims())).await.expect("a token");
    assert_eq!(answer.expires_in().map(|lifetime| lifetime.as_secs()), Some(3_600));
    assert!(answer.refresh_token().is_none(), "{answer:?}");
    let token = answer.access_token().secret();
    assert_eq!(customer.read(token).await, 200);
    customer.scim(token).create_user("signed@example.test").await;

    // What Entra ID leaves out, and what others write differently.
    let mut plain = claims();
    plain["jti"].take();
    plain.as_object_mut().expect("claims").remove("jti");
    let plain = signer.sign(&plain);
    for _ in 0..2 {
        app.signed(&plain)
            .await
            .expect("an assertion without an id may come again");
    }
    let mut several = claims();
    several["aud"] = json!(["api://other", AUDIENCE]);
    app.signed(&signer.sign(&several))
        .await
        .expect("one of several audiences");
}

#[tokio::test]
async fn an_assertion_that_is_not_quite_right_is_worth_nothing() {
    let Federation {
        customer, app, signer, ..
    } = Federation::new().await;
    let now = signer::now();
    for (name, value) in [
        ("iss", json!("https://login.example.test/72f988bf/v2.0/")),
        ("iss", json!(null)),
        ("sub", json!("another")),
        ("aud", json!("api://another")),
        ("aud", json!(["api://another"])),
        ("aud", json!([])),
        ("exp", json!(now - 120)),
        ("exp", json!("soon")),
        ("nbf", json!(now + 600)),
        ("iat", json!(now + 600)),
    ] {
        let mut wrong = claims();
        wrong[name] = value.clone();
        let answer = app.signed(&signer.sign(&wrong)).await;
        assert_eq!(answer.err().as_deref(), Some("invalid_client"), "{name}: {value}");
    }

    let good = signer.sign(&claims());
    let (message, signature) = good.rsplit_once('.').expect("a JWT");
    let tampered = {
        let (header, _) = message.split_once('.').expect("a JWT");
        format!("{header}.{}.{signature}", encode(claims().to_string()))
    };
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT"});
    let unsigned = format!(
        "{}.{}.",
        encode(header("none").to_string()),
        encode(claims().to_string())
    );
    let mine = signer.jwk();
    let with_own_key = signer::Signer::new();
    let with_own_key = with_own_key.sign_with(&json!({"alg": "RS256", "jwk": with_own_key.jwk()}), &claims());
    for (what, assertion) in [
        ("other claims", tampered),
        ("no signature", unsigned),
        ("an empty signature", format!("{message}.")),
        (
            "another key of the same name",
            Signer::new().sign_with(&json!({"alg": "RS256", "kid": mine["kid"]}), &claims()),
        ),
        ("a key that it brings along", with_own_key),
        ("another algorithm", signer.sign_with(&header("RS512"), &claims())),
        (
            "the public key as a secret",
            signer.sign_with(&header("HS256"), &claims()),
        ),
        ("no JWT", "nonsense".to_owned()),
    ] {
        let answer = app.signed(&assertion).await;
        assert_eq!(answer.err().as_deref(), Some("invalid_client"), "{what}");
    }
    app.signed(&good).await.expect("the one that is right");

    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", app.id.as_str()),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        ),
        ("client_assertion", good.as_str()),
    ];
    let other_type = post(&customer.edge, "/oauth/token", None, &form).await;
    assert!(matches!(other_type.status, 400 | 401), "{other_type:?}");
    form.truncate(2);
    refused(
        &post(&customer.edge, "/oauth/token", None, &form).await,
        "invalid_client",
    );
}

#[tokio::test]
async fn an_assertion_is_used_once_and_by_its_own_client() {
    let Federation {
        customer,
        app,
        signer,
        keys,
    } = Federation::new().await;
    let assertion = signer.sign(&claims());
    app.signed(&assertion).await.expect("a token");
    assert_eq!(app.signed(&assertion).await.err().as_deref(), Some("invalid_client"));

    // Another client that believes the same issuer for another customer: each has its own audience, and so its own assertions.
    let other = Customer::of(strict()).await;
    let elsewhere = other.register(Kind::Assertion, |request| {
        request.assertion = Some(Assertion {
            issuer: ISSUER.to_owned(),
            jwks_url: keys.url.clone(),
            subject: SUBJECT.to_owned(),
            audience: "api://another".to_owned(),
        });
    });
    let elsewhere = elsewhere.await.by(AuthType::RequestBody);
    let answer = elsewhere.signed(&signer.sign(&claims())).await;
    assert_eq!(answer.err().as_deref(), Some("invalid_client"));
    // And none of this is for a client that has a secret.
    let by_secret = customer.register(Kind::Secret, |_| ()).await;
    let by_secret = Application::new(&customer.edge, &by_secret.id, None).by(AuthType::RequestBody);
    let answer = by_secret.signed(&signer.sign(&claims())).await;
    assert_eq!(answer.err().as_deref(), Some("invalid_client"));
}

#[tokio::test]
async fn keys_may_be_rotated() {
    let Federation { app, signer, keys, .. } = Federation::new().await;
    app.signed(&signer.sign(&claims()))
        .await
        .expect("a token by the first key");
    let next = Signer::new();
    keys.hold(&[&signer, &next]);
    // For keys that it does not know, an issuer is asked every half a minute at most.
    let since = Instant::now();
    while app.signed(&next.sign(&claims())).await.is_err() {
        assert!(since.elapsed() < UNKNOWN_KEYS, "the key that was added is not known");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    app.signed(&signer.sign(&claims()))
        .await
        .expect("a token by the key that is still there");

    // A client that was made after the first key went knows the second alone.
    keys.hold(&[&next]);
    let fresh = Federation::new().await;
    fresh.keys.hold(&[&next]);
    fresh
        .app
        .signed(&next.sign(&claims()))
        .await
        .expect("a token by the second key");
    let answer = fresh.app.signed(&signer.sign(&claims())).await;
    assert_eq!(answer.err().as_deref(), Some("invalid_client"));
}

#[tokio::test]
async fn keys_are_fetched_from_public_addresses_alone() {
    let customer = Customer::of(strict()).await;
    let at = async |url: &str| {
        let answer = customer.try_register(Kind::Assertion, |request| {
            request.assertion = Some(Assertion {
                issuer: ISSUER.to_owned(),
                jwks_url: url.to_owned(),
                subject: SUBJECT.to_owned(),
                audience: AUDIENCE.to_owned(),
            });
        });
        answer.await.map(|answer| answer.client.expect("a client").id)
    };
    for refused in [
        "http://keys.example.test/keys",
        "https://127.0.0.1/keys",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/keys",
        "https://10.0.0.1/keys",
        "file:///etc/passwd",
        "nonsense",
    ] {
        let status = at(refused).await.expect_err(refused);
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{refused}: {status:?}");
    }
    // A name is looked up when keys are needed.
    let id = at("https://localhost:1/keys").await.expect("a name says nothing yet");
    let app = Application::new(&customer.edge, &id, None).by(AuthType::RequestBody);
    let answer = app.signed(&Signer::new().sign(&claims())).await;
    assert_eq!(answer.err().as_deref(), Some("invalid_client"));
}
