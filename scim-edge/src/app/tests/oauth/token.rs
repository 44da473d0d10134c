//! `/oauth/token`, `/oauth/revoke` and `/oauth/introspect`.

use identity_proto::credential::{Kind, hash};
use identity_proto::identity::v1::client_authentication::Proof;
use identity_proto::identity::v1::issue_token_request::Grant;
use identity_proto::identity::v1::{ClientCredentialsGrant, ErrorReason, IssueTokenRequest};
use serde_json::json;

use super::super::fake_core::{PUBLIC_CLIENT, refresh_token, writer};
use super::*;

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";
const INTROSPECT: &str = "/oauth/introspect";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn issued(edge: &Fixture) -> IssueTokenRequest {
    match &edge.asked_of_oauth()[..] {
        [AskedOfOAuth::Issue(asked)] => asked.clone(),
        asked => panic!("{asked:?}"),
    }
}

/// OA-036
#[tokio::test]
async fn a_code_is_redeemed_and_its_hash_alone_leaves_the_edge() {
    let edge = Fixture::for_oauth().await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &code()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", "v"),
    ];
    let answer = edge.post(TOKEN, &pairs).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let expect = json!({
        "access_token": writer(),
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": refresh_token(),
        "scope": "scim.read scim.write",
    });
    assert_eq!(answer.json(), expect);
    let asked = issued(&edge);
    let client = asked.client.clone().unwrap();
    assert_eq!(client.client_id, CLIENT);
    assert_eq!(client.proof, Some(Proof::SecretSha256(hash(&secret()).to_vec())));
    let Some(Grant::Code(grant)) = &asked.grant else {
        panic!("{asked:?}");
    };
    assert_eq!(grant.code_sha256, hash(&code()));
    assert_eq!(
        (grant.redirect_uri.as_str(), grant.code_verifier.as_str()),
        (REDIRECT, "v")
    );
    let said = format!("{asked:?}");
    assert!(!said.contains(&code()) && !said.contains(&secret()), "{said}");
}

#[tokio::test]
async fn every_way_of_proving_oneself_gets_a_token() {
    let edge = Fixture::for_oauth().await;
    let (secret, refresh) = (secret(), refresh_token());
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let credentials = [("grant_type", "client_credentials"), ("scope", "scim.read")];
    let by_body = [("client_id", CLIENT), ("client_secret", secret.as_str())];
    let by_assertion = [("client_assertion_type", JWT_BEARER), ("client_assertion", "a.b.c")];
    for pairs in [
        [refresh, by_body].concat(),
        [credentials, by_body].concat(),
        [credentials, by_assertion].concat(),
        [&refresh[..], &[("client_id", PUBLIC_CLIENT)]].concat(),
    ] {
        let answer = edge.send("POST", TOKEN, &[FORM], encoded(&pairs)).await;
        assert_eq!(answer.status, 200, "{pairs:?}: {answer:?}");
        let is_refresh = pairs.contains(&refresh[0]);
        assert_eq!(answer.json().get("refresh_token").is_some(), is_refresh, "{pairs:?}");
        let asked = issued(&edge);
        if !is_refresh {
            let scopes = vec!["scim.read".to_owned()];
            assert_eq!(
                asked.grant,
                Some(Grant::ClientCredentials(ClientCredentialsGrant { scopes }))
            );
        }
    }
}

/// OA-029
#[tokio::test]
async fn a_grant_that_is_none_is_not_asked_about() {
    let edge = Fixture::for_oauth().await;
    let (code, refresh) = (code(), refresh_token());
    let truncated = &code[..code.len() - 1];
    for (pairs, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "")], "invalid_request"),
        (
            vec![("grant_type", "password"), ("username", "a"), ("password", "b")],
            "unsupported_grant_type",
        ),
        (vec![("grant_type", "implicit")], "unsupported_grant_type"),
        (vec![("grant_type", "authorization_code")], "invalid_request"),
        (
            vec![("grant_type", "authorization_code"), ("code", truncated)],
            "invalid_grant",
        ),
        (
            vec![("grant_type", "authorization_code"), ("code", &refresh)],
            "invalid_grant",
        ),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", &code)],
            "invalid_grant",
        ),
        (
            vec![("grant_type", "refresh_token"), ("grant_type", "password")],
            "invalid_request",
        ),
    ] {
        edge.post(TOKEN, &pairs)
            .await
            .check_oauth_error(400, error, &format!("{pairs:?}"));
    }
    assert_eq!(edge.core.asked(), vec![]);
}

/// OA-021, OA-022, OA-024, OA-026: the core decides, and the code of the answer is its reason's.
#[tokio::test]
async fn a_grant_that_the_core_refuses_is_invalid() {
    let edge = Fixture::for_oauth().await;
    let another = Kind::Code.write([9; 32]);
    let old = Kind::RefreshToken.write([9; 32]);
    for pairs in [
        vec![("grant_type", "authorization_code"), ("code", &another)],
        vec![
            ("grant_type", "authorization_code"),
            ("code", &code()),
            ("code_verifier", "wrong"),
        ],
        vec![("grant_type", "refresh_token"), ("refresh_token", &old)],
    ] {
        edge.post(TOKEN, &pairs)
            .await
            .check_oauth_error(400, "invalid_grant", &format!("{pairs:?}"));
        assert_eq!(
            edge.asked_of_oauth().len(),
            1,
            "a wrong verifier uses the code up, so the core is told"
        );
    }
}

#[tokio::test]
async fn what_the_core_says_becomes_an_error_of_oauth() {
    let edge = Fixture::for_oauth().await;
    for (reason, status, error) in [
        (ErrorReason::ClientUnauthorized, 400, "unauthorized_client"),
        (ErrorReason::ScopeInvalid, 400, "invalid_scope"),
        (ErrorReason::TooMany, 429, "temporarily_unavailable"),
        (ErrorReason::Unavailable, 503, "temporarily_unavailable"),
        (ErrorReason::Internal, 500, "server_error"),
    ] {
        edge.core
            .fail(tonic::Code::FailedPrecondition, reason, "The setting x is y.");
        let answer = edge.post(TOKEN, &[("grant_type", "client_credentials")]).await;
        answer.check_oauth_error(status, error, error);
        assert_eq!(
            answer.header("retry-after").is_some(),
            matches!(status, 429 | 503),
            "{error}"
        );
        assert_eq!(answer.body.contains("The setting x is y."), status < 500, "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_prove_itself_is_401_everywhere() {
    let edge = Fixture::for_oauth().await;
    let wrong = Kind::ClientSecret.write([9; 32]);
    let grant = [("grant_type", "client_credentials"), ("token", "x")];
    for path in [TOKEN, REVOKE, INTROSPECT] {
        for (client, is_asked) in [
            (vec![], false),
            (vec![("client_id", CLIENT), ("client_secret", "pcc_x")], false),
            (vec![("client_id", CLIENT), ("client_secret", wrong.as_str())], true),
            (vec![("client_id", CLIENT)], true),
            (vec![("client_id", "nobody")], true),
        ] {
            let pairs = [&grant[..], &client[..]].concat();
            let answer = edge.send("POST", path, &[FORM], encoded(&pairs)).await;
            answer.check_oauth_error(401, "invalid_client", &format!("{path} {pairs:?}"));
            assert_eq!(edge.core.asked().len(), usize::from(is_asked), "{path} {pairs:?}");
        }
    }
}

/// OA-034
#[tokio::test]
async fn any_token_can_be_revoked_and_none_says_whether_it_was() {
    let edge = Fixture::for_oauth().await;
    for token in [writer(), refresh_token(), "unknown".to_owned()] {
        let pairs = [("token", token.as_str()), ("token_type_hint", "x")];
        let answer = edge.post(REVOKE, &pairs).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""), "{token}");
        let asked = edge.asked_of_oauth();
        let [AskedOfOAuth::Revoke(asked)] = &asked[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(asked.token_sha256, hash(&token));
    }
    edge.post(REVOKE, &[])
        .await
        .check_oauth_error(400, "invalid_request", "no token");
}

#[tokio::test]
async fn a_live_token_is_told_about_and_another_is_not() {
    let edge = Fixture::for_oauth().await;
    let mut expect = json!({
        "active": true,
        "client_id": CLIENT,
        "scope": "scim.read scim.write",
        "tenant_id": "t",
        "iat": 1000,
        "exp": 4600,
    });
    assert_eq!(
        edge.post(INTROSPECT, &[("token", &refresh_token())]).await.json(),
        expect
    );
    expect["token_type"] = "Bearer".into();
    assert_eq!(edge.post(INTROSPECT, &[("token", &writer())]).await.json(), expect);
    for token in ["unknown".to_owned(), Kind::Token.write([9; 32])] {
        let answer = edge.post(INTROSPECT, &[("token", &token)]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (200, json!({"active": false})),
            "{token}"
        );
    }
    edge.post(INTROSPECT, &[])
        .await
        .check_oauth_error(400, "invalid_request", "no token");
}
