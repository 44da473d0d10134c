//! What is asked at `/oauth/authorize`, before anybody decides on it.

use identity_proto::identity::v1::ErrorReason;

use super::super::fake_core::PUBLIC_CLIENT;
use super::*;

pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The parameters of a request that is good, with these instead or in addition; an empty one is left out.
pub fn request(changes: &[(&'static str, &str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", PUBLIC_CLIENT),
        ("redirect_uri", REDIRECT),
        ("state", "s&1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "scim.read scim.write"),
    ];
    pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    encoded(&pairs)
}

async fn visit(edge: &Fixture, query: &str) -> Answer {
    edge.get(&format!("/oauth/authorize?{query}")).await
}

/// OA-001, OA-003, OA-005, OA-006, OA-008
#[tokio::test]
async fn an_unknown_client_or_redirect_uri_is_a_page_and_leads_nowhere() {
    let edge = Fixture::for_oauth().await;
    for redirect_uri in [
        "https://idp.example/cb?app=1/",
        "https://idp.example/cb?app=1/../evil",
        "https://evil.example/#https://idp.example/cb?app=1",
        "https://idp.example@evil.example/cb",
        "https://idp.example/CB?app=1",
        "https://evil.example\\@idp.example/cb?app=1",
        "javascript:alert(1)",
        "//evil.example",
    ] {
        let answer = visit(&edge, &request(&[("redirect_uri", redirect_uri)])).await;
        answer.check_page(400, redirect_uri);
        assert!(!answer.body.contains("<form"), "{redirect_uri}");
        let also_scope = request(&[
            ("redirect_uri", redirect_uri),
            ("scope", "scim"),
            ("response_type", "token"),
        ]);
        visit(&edge, &also_scope).await.check_page(400, redirect_uri);
    }
    for query in [
        String::new(),
        request(&[("client_id", "")]),
        request(&[("client_id", "nobody")]),
        request(&[("client_id", "<script>alert(1)</script>")]),
        request(&[("client_id", "a\0b")]),
        format!("{}&client_id={CLIENT}", request(&[])),
        format!("{}&redirect_uri=https%3A%2F%2Fevil.example", request(&[])),
        request(&[("redirect_uri", &format!("https://{}", "a".repeat(2_048)))]),
    ] {
        visit(&edge, &query).await.check_page(400, &query);
    }
}

/// OA-010, OA-011, OA-013
#[tokio::test]
async fn anything_else_that_is_wrong_is_told_to_the_client() {
    let edge = Fixture::for_oauth().await;
    let long = "a".repeat(44);
    for (changes, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code token")], "unsupported_response_type"),
        (vec![("response_type", "")], "invalid_request"),
        (
            vec![("code_challenge", ""), ("code_challenge_method", "")],
            "invalid_request",
        ),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "s256")], "invalid_request"),
        (vec![("code_challenge", &CHALLENGE[1..])], "invalid_request"),
        (vec![("code_challenge", &long)], "invalid_request"),
        (
            vec![("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")],
            "invalid_request",
        ),
        (vec![("scope", "scim")], "invalid_scope"),
        (vec![("scope", "scim.read admin")], "invalid_scope"),
        (vec![("scope", "a\nb")], "invalid_request"),
        (vec![("client_id", CLIENT), ("code_challenge", "")], "invalid_request"),
        (
            vec![("client_id", CLIENT), ("code_challenge_method", "plain")],
            "invalid_request",
        ),
        // The client's only redirect URI is meant.
        (vec![("redirect_uri", ""), ("scope", "scim")], "invalid_scope"),
    ] {
        let query = request(&changes);
        visit(&edge, &query).await.check_sent_back(error, Some("s&1"), &query);
    }
    let twice = format!("{}&scope=scim.read", request(&[]));
    visit(&edge, &twice)
        .await
        .check_sent_back("invalid_request", Some("s&1"), "twice");
    let states = format!("{}&state=2", request(&[]));
    visit(&edge, &states)
        .await
        .check_sent_back("invalid_request", None, "two states");
    let stateless = request(&[("state", ""), ("response_type", "token")]);
    let answer = visit(&edge, &stateless).await;
    answer.check_sent_back("unsupported_response_type", None, "no state");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_client_with_a_secret_may_leave_the_challenge_out() {
    let edge = Fixture::for_oauth().await;
    let least = encoded(&[
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("nonce", "1"),
        ("tenant", "n"),
    ]);
    visit(&edge, &least).await.check_page(200, "the least");
    let asked = edge.asked_of_oauth();
    let [AskedOfOAuth::GetAuthorization(asked)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (
            asked.client_id.as_str(),
            asked.redirect_uri.as_str(),
            asked.scopes.len()
        ),
        (CLIENT, "", 0)
    );
}

#[tokio::test]
async fn a_core_that_cannot_answer_is_a_page() {
    let edge = Fixture::for_oauth().await;
    edge.core
        .fail(tonic::Code::Unavailable, ErrorReason::Unavailable, "sqlx: secret");
    let answer = visit(&edge, &request(&[])).await;
    answer.check_page(503, "down");
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert!(!answer.body.contains("sqlx"), "{}", answer.body);
    edge.core
        .fail(tonic::Code::Internal, ErrorReason::Internal, "sqlx: secret");
    let answer = visit(&edge, &request(&[])).await;
    answer.check_page(500, "broken");
    assert!(!answer.body.contains("sqlx"), "{}", answer.body);
    let nowhere = edge
        .send("GET", "/oauth/authorize", &[("host", "a@b")], Body::empty())
        .await;
    nowhere.check_page(400, "no host");
}
