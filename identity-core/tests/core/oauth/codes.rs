//! Consent, and the code that comes of it.

use identity_proto::credential::Kind as Form;
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::*;

use super::{Asking, REDIRECT, by_code, request};
use crate::harness::*;

// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn a_code_becomes_tokens_of_the_consenting_tenant_once() {
    let asking = Asking::start(Kind::Code).await;
    let code = asking.authorize(&asking.key, CHALLENGE).await.unwrap();
    assert_eq!(code.redirect_uri, REDIRECT);
    let issued = asking.exchange(&code.code, VERIFIER).await.unwrap();
    assert!(Form::Token.fits(&issued.access_token) && Form::RefreshToken.fits(&issued.refresh_token));
    assert_eq!(issued.lifetime.unwrap().seconds, 3_600);
    assert_eq!(issued.scopes, ["scim.read", "scim.write"]);
    let entered = asking.enters(&issued.access_token).await.unwrap();
    assert_eq!(entered.tenant_id, asking.client.tenant_id);

    refused(asking.exchange(&code.code, VERIFIER).await, ErrorReason::GrantInvalid);
    // A code that comes twice was stolen: what was given for it ends.
    refused(
        asking.enters(&issued.access_token).await,
        ErrorReason::CredentialInvalid,
    );
    refused(asking.refresh(&issued.refresh_token).await, ErrorReason::GrantInvalid);
}

#[tokio::test]
async fn a_wrong_verifier_burns_the_code_and_another_client_does_not() {
    let asking = Asking::start(Kind::Code).await;
    let code = asking.authorize(&asking.key, CHALLENGE).await.unwrap().code;
    refused(
        asking.exchange(&code, &VERIFIER.replace('d', "e")).await,
        ErrorReason::GrantInvalid,
    );
    refused(asking.exchange(&code, VERIFIER).await, ErrorReason::GrantInvalid);

    let code = asking.code().await;
    refused(asking.exchange(&code, VERIFIER).await, ErrorReason::GrantInvalid);

    let code = asking.code().await;
    let other = asking
        .core
        .clients()
        .create_client(request(Kind::PublicCode))
        .await
        .unwrap()
        .into_inner();
    let other = ClientAuthentication {
        client_id: other.client.unwrap().id,
        proof: None,
    };
    refused(
        asking.issue_as(other, by_code(&code, "")).await,
        ErrorReason::GrantInvalid,
    );
    asking.exchange(&code, "").await.unwrap();
}

#[tokio::test]
async fn a_code_ends_after_a_minute() {
    let asking = Asking::start(Kind::Code).await;
    let code = asking.code().await;
    let seconds: f64 =
        sqlx::query_scalar("SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM authorization_code")
            .fetch_one(&asking.core.database)
            .await
            .unwrap();
    assert!((50.0..=60.0).contains(&seconds), "{seconds}");
    sqlx::query("UPDATE authorization_code SET expires_at = clock_timestamp()")
        .execute(&asking.core.database)
        .await
        .unwrap();
    refused(asking.exchange(&code, "").await, ErrorReason::GrantInvalid);
}

#[tokio::test]
async fn only_a_static_token_of_the_same_tenant_with_the_scopes_consents() {
    let asking = Asking::start(Kind::Code).await;
    asking.core.tenant("beta").await;
    let of_beta = asking.core.token("beta").await.secret;
    refused(asking.authorize(&of_beta, "").await, ErrorReason::ConsentRefused);
    let reading = CreateTokenRequest {
        tenant: "acme".to_owned(),
        scopes: vec!["scim.read".to_owned()],
        ..Default::default()
    };
    let mut admin = asking.core.credentials(As::service(ADMIN));
    let reading = admin.create_token(reading).await.unwrap().into_inner().secret;
    refused(asking.authorize(&reading, "").await, ErrorReason::ConsentRefused);
    let issued = asking.exchange(&asking.code().await, "").await.unwrap();
    refused(
        asking.authorize(&issued.access_token, "").await,
        ErrorReason::ConsentRefused,
    );
    let grants: i64 = sqlx::query_scalar("SELECT count(*) FROM oauth_grant")
        .fetch_one(&asking.core.database)
        .await
        .unwrap();
    assert_eq!(grants, 1, "what was refused left nothing");
}

#[tokio::test]
async fn the_page_is_for_registered_redirect_uris_alone() {
    let asking = Asking::start(Kind::PublicCode).await;
    let mut oauth = asking.core.oauth(As::service(EDGE));
    let mut ask = async |client_id: &str, redirect_uri: &str, scopes: &[&str]| {
        let request = GetAuthorizationRequest {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        };
        oauth.get_authorization(request).await.map(tonic::Response::into_inner)
    };
    let id = asking.client.id.as_str();
    let shown = ask(id, "", &["scim.read"]).await.unwrap();
    assert_eq!(
        (shown.tenant_name.as_str(), shown.client_name.as_str()),
        ("acme", "Okta")
    );
    assert_eq!((shown.redirect_uri.as_str(), shown.needs_challenge), (REDIRECT, true));
    assert_eq!(shown.scopes, ["scim.read"]);
    refused(
        ask(id, "https://evil.example", &[]).await,
        ErrorReason::RedirectUriMismatch,
    );
    let all = ask(id, REDIRECT, &["scim"]).await.unwrap();
    assert_eq!(all.scopes, ["scim.read", "scim.write"]);
    let nobody = uuid::Uuid::now_v7().to_string();
    refused(ask(&nobody, REDIRECT, &[]).await, ErrorReason::ClientInvalid);
    // Without a challenge a public client gets no code.
    refused(asking.authorize(&asking.key, "").await, ErrorReason::InvalidValue);
    let code = asking.authorize(&asking.key, CHALLENGE).await.unwrap().code;
    asking.exchange(&code, VERIFIER).await.unwrap();
}

#[tokio::test]
async fn an_edge_of_other_tenants_gets_nothing() {
    let asking = Asking::start(Kind::Code).await;
    let request = GetAuthorizationRequest {
        client_id: asking.client.id.clone(),
        ..Default::default()
    };
    let mut other = asking.core.oauth(As::service(OTHER_EDGE));
    refused(other.get_authorization(request).await, ErrorReason::NotFound);
    let mut platform = asking.core.oauth(As::service(PLATFORM));
    refused(
        platform.get_authorization(GetAuthorizationRequest::default()).await,
        ErrorReason::MethodNotAllowed,
    );
}
