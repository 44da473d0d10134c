//! Assertions as issuers sign them, and as attackers do, with the keys behind a real HTTP server.

use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::{Assertions, Claims, Expected, PrivateHosts, Unverified};
use crate::Error;
use server::Server;
use signer::Signer;

mod fetch;
mod keys;
mod server;
mod signer;

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://login.microsoftonline.com/8b1f0c8a/v2.0";
const SUBJECT: &str = "b7d3f1e2-0000-4000-8000-1d2c3b4a5f60";
const AUDIENCE: &str = "https://scim.example.com/oauth/token";

/// An issuer with a key of each kind.
struct Issuer {
    rsa: Signer,
    ec: Signer,
    ed: Signer,
    server: Server,
    assertions: Assertions,
}

impl Issuer {
    async fn new() -> Self {
        let (rsa, ec, ed) = (Signer::rsa("rsa"), Signer::ec("ec"), Signer::ed("ed"));
        let server = Server::start().await;
        server.publish(&[rsa.jwk(), ec.jwk(), ed.jwk()]);
        let assertions = Assertions::new(PrivateHosts::parse(&server.host()).expect("a host"));
        Issuer {
            rsa,
            ec,
            ed,
            server,
            assertions,
        }
    }

    async fn verify(&self, assertion: &str) -> Result<Claims, Error> {
        let expect = Expected {
            issuer: ISSUER,
            jwks_url: &self.server.url(),
            subject: SUBJECT,
            audience: AUDIENCE,
        };
        self.assertions.verify(assertion, &expect, NOW).await
    }

    async fn refuses(&self, what: &str, assertion: &str, expect: &str) {
        let error = self.verify(assertion).await.expect_err(what);
        assert_eq!(error.reason, ErrorReason::ClientInvalid, "{what}: {error}");
        assert!(error.message.contains(expect), "{what}: {error}");
        assert!(error.message.len() < 400, "{what}: {error}");
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "jti": "id-1",
        "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 300,
    })
}

/// The claims with one of them set, or without it.
fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(claim);
    claims
}

#[tokio::test]
async fn each_algorithm_is_accepted() {
    let issuer = Issuer::new().await;
    let expect = Claims {
        jti: Some("id-1".to_owned()),
        expires: NOW + 360,
    };
    for (alg, signer) in [
        ("RS256", &issuer.rsa),
        ("PS256", &issuer.rsa),
        ("ES256", &issuer.ec),
        ("EdDSA", &issuer.ed),
    ] {
        let named = signer.sign(&json!({"alg": alg, "kid": signer.kid, "typ": "JWT"}), &claims());
        assert_eq!(issuer.verify(&named).await.expect(alg), expect, "{alg}");
        let unnamed = signer.sign(&json!({"alg": alg}), &claims());
        assert_eq!(issuer.verify(&unnamed).await.expect(alg), expect, "{alg} without a kid");
        let (body, signature) = named.rsplit_once('.').expect("a signature");
        let swapped = if signature.starts_with('A') { 'B' } else { 'A' };
        let wrong = format!("{body}.{swapped}{}", signature.get(1..).expect("ASCII"));
        issuer.refuses(alg, &wrong, "is not signed by a key").await;
        issuer.refuses(alg, &format!("{body}."), "is not signed by a key").await;
        let of_another = signer.sign(&json!({"alg": alg, "kid": signer.kid}), &with("jti", json!("id-2")));
        let moved = format!("{body}.{}", of_another.rsplit_once('.').expect("a signature").1);
        issuer.refuses(alg, &moved, "is not signed by a key").await;
    }
    assert_eq!(issuer.server.asked(), 1);
}

#[tokio::test]
async fn claims_are_for_this_client_and_for_now() {
    let issuer = Issuer::new().await;
    let sign = |claims: &Value| issuer.ed.sign(&json!({"alg": "EdDSA", "kid": "ed"}), claims);
    let expired = NOW - 59;
    for (good, expires) in [
        (with("aud", json!(["https://other.example.com", AUDIENCE])), NOW + 360),
        (without("jti"), NOW + 360),
        (without("nbf"), NOW + 360),
        (without("iat"), NOW + 360),
        (with("jti", json!("é".repeat(256))), NOW + 360),
        (with("exp", json!(expired)), expired + 60),
        (with("exp", json!(1_790_000_000.5)), NOW + 61),
        (with("exp", json!(NOW + 86_400)), NOW + 86_460),
        (with("nbf", json!(NOW + 60)), NOW + 360),
        (with("roles", json!({"any": ["thing"]})), NOW + 360),
    ] {
        let found = issuer
            .verify(&sign(&good))
            .await
            .unwrap_or_else(|error| panic!("{good}: {error}"));
        assert_eq!(found.expires, expires, "{good}");
        assert_eq!(found.jti.as_deref(), good["jti"].as_str(), "{good}");
    }
    for (bad, expect) in [
        (
            with("iss", json!("https://login.microsoftonline.com/8b1f0c8a/v2.0/")),
            "(iss)",
        ),
        (with("sub", json!(SUBJECT.to_uppercase())), "(sub)"),
        (with("aud", json!("https://other.example.com")), "(aud)"),
        (with("aud", json!(["https://other.example.com", ""])), "(aud)"),
        (with("aud", json!([])), "(aud)"),
        (with("exp", json!(NOW - 60)), "has expired"),
        (with("exp", json!(0)), "has expired"),
        (with("exp", json!(-1e300)), "has expired"),
        (with("exp", json!(NOW + 86_401)), "24 hours"),
        (with("exp", json!(1e300)), "24 hours"),
        (with("nbf", json!(NOW + 61)), "not valid yet"),
        (with("iat", json!(1_790_000_060.5)), "not valid yet"),
        (with("jti", json!("a".repeat(257))), "(jti)"),
    ] {
        issuer.refuses(&bad.to_string(), &sign(&bad), expect).await;
    }
    let types = "is missing, or one is of the wrong type";
    for claim in ["iss", "sub", "aud", "exp"] {
        issuer.refuses(claim, &sign(&without(claim)), types).await;
    }
    for (claim, values) in [
        ("iss", json!([null, 1, [ISSUER], {"iss": ISSUER}])),
        ("sub", json!([null, true, [SUBJECT]])),
        ("aud", json!([null, 1, [AUDIENCE, 1], [[AUDIENCE]], {AUDIENCE: true}])),
        ("exp", json!([null, (NOW + 300).to_string(), [NOW + 300], true])),
        ("nbf", json!([null, (NOW - 5).to_string(), []])),
        ("iat", json!([null, "", {}])),
        ("jti", json!([null, 1, ["id"]])),
    ] {
        for value in values.as_array().expect("values") {
            let bad = with(claim, value.clone());
            issuer.refuses(&bad.to_string(), &sign(&bad), types).await;
        }
    }
    let twice = claims().to_string().replace("\"jti\"", "\"exp\":9999999999,\"jti\"");
    for text in ["[]", "1", "\"\"", "", "null", &format!("[{}]", claims()), &twice] {
        issuer
            .refuses(text, &issuer.ed.sign_text("{\"alg\":\"EdDSA\"}", text), types)
            .await;
    }
}

#[tokio::test]
async fn the_header_chooses_neither_the_key_nor_its_use() {
    let issuer = Issuer::new().await;
    let (rsa, ec, ed) = (&issuer.rsa, &issuer.ec, &issuer.ed);
    let unsigned = |header: Value| Signer::text(&header.to_string(), &claims().to_string());
    for alg in [
        "none", "None", "NONE", "", "HS256", "HS512", "RS384", "RS1", "ES384", "ES256K", "dir", "rs256",
    ] {
        let assertion = format!("{}.", unsigned(json!({"alg": alg, "kid": "rsa"})));
        issuer.refuses(alg, &assertion, "another algorithm").await;
    }
    // The public key as a secret, in the forms that libraries would take it from.
    let message = unsigned(json!({"alg": "HS256", "kid": "rsa"}));
    for secret in [rsa.jwk().to_string(), rsa.jwk()["n"].as_str().expect("n").to_owned()] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("a signature");
        issuer
            .refuses("HS256", &format!("{message}.{signature}"), "another algorithm")
            .await;
    }
    let attacker = Signer::ec("ec");
    let jwk = attacker.jwk();
    for (what, assertion) in [
        (
            "kid of another key",
            ec.sign(&json!({"alg": "ES256", "kid": "ed"}), &claims()),
        ),
        (
            "kid of no key",
            ec.sign(&json!({"alg": "ES256", "kid": "x"}), &claims()),
        ),
        (
            "kid of another kind",
            ed.sign(&json!({"alg": "EdDSA", "kid": "rsa"}), &claims()),
        ),
        (
            "alg of another kind",
            ed.sign(&json!({"alg": "ES256", "kid": "ed"}), &claims()),
        ),
        (
            "a key of the same name",
            attacker.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims()),
        ),
        ("a key of no name", attacker.sign(&json!({"alg": "ES256"}), &claims())),
        (
            "jwk",
            attacker.sign(&json!({"alg": "ES256", "kid": "ec", "jwk": jwk}), &claims()),
        ),
        (
            "jwk without kid",
            attacker.sign(&json!({"alg": "ES256", "jwk": jwk}), &claims()),
        ),
        (
            "jku",
            attacker.sign(
                &json!({"alg": "ES256", "jku": "https://attacker.example/keys"}),
                &claims(),
            ),
        ),
        (
            "x5u",
            attacker.sign(
                &json!({"alg": "ES256", "x5u": "https://attacker.example/pem"}),
                &claims(),
            ),
        ),
        (
            "zeros",
            format!("{}.{}", unsigned(json!({"alg": "ES256", "kid": "ec"})), "A".repeat(86)),
        ),
    ] {
        issuer.refuses(what, &assertion, "is not signed by a key").await;
    }
    for (header, expect) in [
        (json!({"alg": "EdDSA", "kid": "ed", "crit": ["exp"]}), "crit"),
        (json!({"alg": "EdDSA", "kid": "ed", "crit": []}), "crit"),
        (json!({"alg": "EdDSA", "kid": "ed", "crit": null}), "crit"),
        (json!({"alg": "EdDSA", "kid": null}), "header"),
        (json!({"alg": "EdDSA", "kid": 1}), "header"),
        (json!({"alg": ["EdDSA"]}), "header"),
        (json!({"kid": "ed"}), "header"),
        (json!(["EdDSA"]), "header"),
    ] {
        issuer
            .refuses(&header.to_string(), &ed.sign(&header, &claims()), expect)
            .await;
    }
}

#[tokio::test]
async fn the_set_says_what_a_key_is_for() {
    let issuer = Issuer::new().await;
    let (rsa, ed) = (&issuer.rsa, &issuer.ed);
    let sign = |alg: &str| match alg {
        "EdDSA" => ed.sign(&json!({"alg": alg, "kid": "ed"}), &claims()),
        _ => rsa.sign(&json!({"alg": alg, "kid": "rsa"}), &claims()),
    };
    let check = async |member: &str, value: Value, alg: &str, accepted: bool| {
        let mut jwk = if alg == "EdDSA" { ed.jwk() } else { rsa.jwk() };
        jwk[member] = value;
        let server = Server::start().await;
        server.publish(&[jwk.clone()]);
        let expect = Expected {
            issuer: ISSUER,
            jwks_url: &server.url(),
            subject: SUBJECT,
            audience: AUDIENCE,
        };
        let assertions = Assertions::new(PrivateHosts::parse(&server.host()).expect("a host"));
        let found = assertions.verify(&sign(alg), &expect, NOW).await;
        assert_eq!(found.is_ok(), accepted, "{jwk} {alg}: {found:?}");
    };
    check("alg", json!("RS256"), "RS256", true).await;
    check("alg", json!("RS256"), "PS256", false).await;
    check("alg", json!("PS256"), "RS256", false).await;
    check("alg", json!("HS256"), "RS256", false).await;
    check("alg", json!(256), "RS256", false).await;
    check("alg", json!("EdDSA"), "EdDSA", true).await;
    check("alg", json!("ES256"), "EdDSA", false).await;
    check("use", json!("sig"), "RS256", true).await;
    check("use", json!("enc"), "RS256", false).await;
    check("key_ops", json!(["verify"]), "RS256", true).await;
    check("key_ops", json!(["encrypt"]), "RS256", false).await;
    check("kty", json!("oct"), "RS256", false).await;
    check("kty", json!("EC"), "EdDSA", false).await;
    check("crv", json!("Ed448"), "EdDSA", false).await;
    check("crv", json!("P-256"), "EdDSA", false).await;
    check("x5c", json!(["a certificate"]), "RS256", true).await;
    check("kid", json!("other"), "RS256", false).await;
}

#[tokio::test]
async fn what_is_no_jwt_is_refused_before_anything_is_fetched() {
    let issuer = Issuer::new().await;
    let good = issuer.ed.sign(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    for text in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "not a token"] {
        issuer.refuses(text, text, "the assertion").await;
    }
    for text in [
        format!(" {good}"),
        format!("={good}"),
        good.replacen('.', "=.", 1),
        good.replacen('.', "..", 1),
    ] {
        issuer.refuses(&text, &text, "the assertion").await;
    }
    let long = issuer.ed.sign(
        &json!({"alg": "EdDSA", "kid": "ed"}),
        &with("x", json!("a".repeat(13_000))),
    );
    issuer.refuses("long", &long, "longer than 16 KiB").await;
    let other = issuer
        .ed
        .sign(&json!({"alg": "EdDSA", "kid": "ed"}), &with("sub", json!("another")));
    issuer.refuses("another's", &other, "(sub)").await;
    assert_eq!(issuer.server.asked(), 0);
    issuer
        .verify(&good)
        .await
        .expect("the assertion that the others are made from");
    issuer
        .refuses("one sign more", &format!("{good}A"), "is not signed by a key")
        .await;
    issuer
        .refuses("padded", &format!("{good}=="), "is not signed by a key")
        .await;
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_forgotten() {
    let issuer = Issuer::new().await;
    let old = issuer.ec.sign(&json!({"alg": "ES256", "kid": "ec"}), &claims());
    issuer.verify(&old).await.expect("the first key");
    let new = Signer::ec("next");
    issuer.server.publish(&[new.jwk()]);
    let named = new.sign(&json!({"alg": "ES256", "kid": "next"}), &claims());
    issuer.refuses("too soon", &named, "is not signed by a key").await;
    assert_eq!(issuer.server.asked(), 1);
    advance(Duration::from_secs(30)).await;
    issuer.verify(&named).await.expect("the next key");
    assert_eq!(issuer.server.asked(), 2);
    issuer.refuses("withdrawn", &old, "is not signed by a key").await;

    // The same where assertions do not name their key.
    let last = Signer::ec("last");
    issuer.server.publish(&[last.jwk()]);
    advance(Duration::from_secs(30)).await;
    issuer
        .verify(&last.sign(&json!({"alg": "ES256"}), &claims()))
        .await
        .expect("the last key");
    assert_eq!(issuer.server.asked(), 3);

    // A key that is known and did not sign is no reason to ask.
    advance(Duration::from_secs(30)).await;
    let forged = new.sign(&json!({"alg": "ES256", "kid": "last"}), &claims());
    issuer.refuses("forged", &forged, "is not signed by a key").await;
    assert_eq!(issuer.server.asked(), 3);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_not_the_clients_fault_and_a_url_without_keys_is() {
    let issuer = Issuer::new().await;
    let good = issuer.ed.sign(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    let working = issuer.server.answers("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    let error = issuer.verify(&good).await.expect_err("no keys");
    assert_eq!(error.reason, ErrorReason::Unavailable);
    assert!(error.message.contains("status 503"), "{error}");
    issuer
        .server
        .answers("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    advance(Duration::from_secs(5)).await;
    let error = issuer.verify(&good).await.expect_err("no keys");
    assert_eq!(error.reason, ErrorReason::ClientInvalid);
    assert!(error.message.contains("status 404"), "{error}");
    issuer.server.answers(working);
    advance(Duration::from_secs(5)).await;
    issuer.verify(&good).await.expect("keys again");
}

#[test]
fn the_unverified_is_read_within_bounds() {
    let check = |assertion: &str, expect: Option<(&str, &str)>| {
        let found = Unverified::read(assertion).map(|found| (found.claimed_issuer, found.claimed_subject));
        let found = found
            .as_ref()
            .map(|(issuer, subject)| (issuer.as_str(), subject.as_str()));
        assert_eq!(found, expect, "{assertion}");
    };
    let forged = |claims: &Value| format!("{}.x", Signer::text("{}", &claims.to_string()));
    check(&forged(&claims()), Some((ISSUER, SUBJECT)));
    check(&forged(&without("sub")), None);
    check(&forged(&with("iss", json!(1))), None);
    check(&forged(&with("x", json!("a".repeat(13_000)))), None);
    check("", None);
    check("a.b.c", None);
}

/// Later, for the cache; not for the connections of the test.
async fn advance(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}
