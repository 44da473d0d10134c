//! Authorization code and refresh: RFC 6749 section 4.1 and 6, RFC 7636.

use std::time::Instant;

use identity_proto::identity::v1::CreateTokenRequest;
use identity_proto::identity::v1::client::Kind;
use oauth2::{PkceCodeChallenge, RefreshToken, Scope, StandardRevocableToken, TokenIntrospectionResponse};

use super::application::Application;
use super::browser;
use super::{Customer, REDIRECT, within_the_promise};

/// A static token of the tenant that may only this.
async fn key(customer: &Customer, scope: &str) -> String {
    let request = CreateTokenRequest {
        tenant: customer.tenant.name.clone(),
        scopes: vec![scope.to_owned()],
        ..Default::default()
    };
    let answer = customer.tenant.grpc.credentials().create_token(request).await;
    answer.expect("a token").into_inner().secret
}

#[tokio::test]
async fn a_consent_becomes_tokens_that_work_until_they_are_revoked() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let callback = app.consent(customer.key(), Some(challenge)).await;
    assert_eq!(callback.uri, REDIRECT);
    assert_eq!(callback.parameter("iss"), Some(customer.edge.as_str()), "{callback:?}");
    let first = app.exchange(callback.code(), Some(verifier)).await.expect("tokens");
    let user = customer.scim(&first.access).create_user("by-code@example.test").await;
    assert_eq!(
        customer.scim(&first.access).get(&format!("/Users/{user}")).await.status,
        200
    );

    let second = app.refresh(&first.refresh).await.expect("the next tokens");
    assert_ne!((&first.access, &first.refresh), (&second.access, &second.refresh));
    assert_eq!(customer.read(&second.access).await, 200);
    let said = app.introspect(&second.access).await;
    assert!(said.active(), "{said:?}");
    assert_eq!(said.client_id().map(|id| id.as_str()), Some(app.id.as_str()));
    let mut scopes: Vec<_> = said
        .scopes()
        .into_iter()
        .flatten()
        .map(|scope: &Scope| scope.as_str().to_owned())
        .collect();
    scopes.sort();
    assert_eq!(scopes, ["scim.read", "scim.write"]);
    assert!(app.introspect(&second.refresh).await.active());

    let since = Instant::now();
    app.revoke(StandardRevocableToken::RefreshToken(RefreshToken::new(
        second.refresh.clone(),
    )))
    .await;
    for access in [&first.access, &second.access] {
        within_the_promise("an access token of a revoked family", since, async || {
            customer.read(access).await == 401
        })
        .await;
    }
    assert!(!app.introspect(&second.access).await.active());
    assert_eq!(
        app.refresh(&second.refresh).await.err().as_deref(),
        Some("invalid_grant")
    );
}

#[tokio::test]
async fn a_public_client_proves_itself_by_its_challenge() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::PublicCode, |_| ()).await;
    assert_eq!(app.secret, None);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let callback = app.consent(customer.key(), Some(challenge)).await;
    let tokens = app.exchange(callback.code(), Some(verifier)).await.expect("tokens");
    let next = app.refresh(&tokens.refresh).await.expect("the next tokens");
    assert_eq!(customer.read(&next.access).await, 200);

    let (challenge, _) = PkceCodeChallenge::new_random_sha256();
    let callback = app.consent(customer.key(), Some(challenge)).await;
    let without = app.exchange(callback.code(), None).await;
    assert_eq!(without.err().as_deref(), Some("invalid_grant"));
}

#[tokio::test]
async fn a_code_works_once_and_its_replay_ends_what_it_brought() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let callback = app.consent(customer.key(), None).await;
    let tokens = app.exchange(callback.code(), None).await.expect("tokens");
    let since = Instant::now();
    let again = app.exchange(callback.code(), None).await;
    assert_eq!(again.err().as_deref(), Some("invalid_grant"));
    within_the_promise("a token of a replayed code", since, async || {
        customer.read(&tokens.access).await == 401
    })
    .await;
    assert_eq!(
        app.refresh(&tokens.refresh).await.err().as_deref(),
        Some("invalid_grant")
    );

    let other_uri = app.returning_to("https://app.example.test/oauth/other");
    let callback = app.consent(customer.key(), None).await;
    let elsewhere = other_uri.exchange(callback.code(), None).await;
    assert_eq!(elsewhere.err().as_deref(), Some("invalid_grant"));
}

/// The page of a request of this application, without a challenge.
async fn page(app: &Application, more: &str) -> browser::Page {
    let Application { id, edge, .. } = app;
    let url = format!("{edge}/oauth/authorize?response_type=code&client_id={id}&state=s1{more}");
    browser::visit(&url).await
}

#[tokio::test]
async fn the_only_redirect_uri_need_not_be_said() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let callback = page(&app, "").await.allow(customer.key()).await.callback();
    assert_eq!(
        (callback.uri.as_str(), callback.parameter("state")),
        (REDIRECT, Some("s1"))
    );
    let form = [("grant_type", "authorization_code"), ("code", callback.code())];
    let answer = super::post(&app.edge, "/oauth/token", Some(app.basic()), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn who_consents_is_asked_and_may_say_no() {
    let customer = Customer::create().await;
    let app = customer
        .register(Kind::Code, |request| request.name = "<b>Payroll & Co</b>".to_owned())
        .await;
    let shown = page(&app, "").await;
    assert!(shown.answer.text.contains("&lt;b&gt;Payroll &amp; Co"), "{shown:?}");
    assert!(shown.answer.text.contains(&customer.tenant.name), "{shown:?}");
    let denied = shown.deny().await.callback();
    assert_eq!(
        (denied.parameter("error"), denied.parameter("state")),
        (Some("access_denied"), Some("s1"))
    );
    assert_eq!(denied.parameter("code"), None);

    // Mistyped: the page comes again, and the next try counts.
    let mistyped = page(&app, "").await.allow("pcs_nonsense").await;
    mistyped.is_refusal(400);
    assert!(
        !mistyped.answer.text.contains("pcs_nonsense"),
        "the key comes back: {mistyped:?}"
    );
    let form = mistyped.form("Allow", customer.key());
    mistyped.submit(&form).await.callback().code();
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let reader = key(&customer, "scim.read").await;
    page(&app, "&scope=scim.read+scim.write")
        .await
        .allow(&reader)
        .await
        .is_refusal(403);

    let callback = app.consent_to(&reader, None, &["scim.read"]).await;
    let tokens = app.exchange(callback.code(), None).await.expect("tokens");
    assert_eq!(customer.read(&tokens.access).await, 200);
    let answer = customer
        .scim(&tokens.access)
        .post("/Users", &e2e::scim::user("x@example.test"))
        .await;
    assert_eq!(answer.status, 403, "{answer:?}");

    // What came of a consent does not consent again, and neither does a token that is no more.
    page(&app, "&scope=scim.read")
        .await
        .allow(&tokens.access)
        .await
        .is_refusal(403);
}

#[tokio::test]
async fn a_consent_comes_from_the_page_that_was_shown() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let shown = page(&app, "").await;
    let form = shown.form("Allow", customer.key());
    let mut without_cookie = page(&app, "").await;
    without_cookie.answer.headers.remove("set-cookie");
    without_cookie.submit(&form).await.is_refusal(403);
    let visible = ["key", "decision"];
    let mut forged = form.clone();
    for (name, value) in &mut forged {
        let is_of_request = ["response_type", "client_id", "redirect_uri", "scope", "state"].contains(&name.as_str());
        if !is_of_request && !visible.contains(&name.as_str()) {
            *value = "0".repeat(value.len());
        }
    }
    shown.submit(&forged).await.is_refusal(403);
    shown.submit(&form).await.callback().code();
}
