//! Attacks on the authorization endpoint: RFC 9700 sections 2.1, 4.1 and 4.16.

use identity_proto::identity::v1::client::Kind;
use oauth2::PkceCodeChallenge;
use oauth2::url::Url;

use super::super::application::Application;
use super::super::browser::{self, Page};
use super::super::{Customer, REDIRECT};

/// Opens the page of a request that is right, but for these parameters; an empty one is left out.
async fn visit(app: &Application, differing: &[(&str, &str)]) -> Page {
    let (challenge, _) = PkceCodeChallenge::new_random_sha256();
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", app.id.as_str()),
        ("redirect_uri", REDIRECT),
        ("state", "s1"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("scope", "scim"),
    ];
    for (name, value) in differing {
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some(parameter) => parameter.1 = value,
            None => parameters.push((name, value)),
        }
    }
    parameters.retain(|(_, value)| !value.is_empty());
    let url = Url::parse_with_params(&format!("{}/oauth/authorize", app.edge), parameters);
    browser::visit(url.expect("a URL").as_str()).await
}

/// Either a page says what is wrong, or the client is told by this code; never is a code issued.
fn refused(page: &Page, code: &str) {
    if page.answer.status == 400 {
        return page.is_refusal(400);
    }
    let callback = page.callback();
    assert_eq!(callback.uri, REDIRECT);
    assert_eq!(
        (callback.parameter("error"), callback.parameter("state")),
        (Some(code), Some("s1")),
        "{callback:?}"
    );
    assert_eq!(callback.parameter("code"), None, "{callback:?}");
}

#[tokio::test]
async fn oa_001_to_008_only_the_very_redirect_uri_is_sent_anything() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    for (attack, uri) in [
        ("OA-001", format!("{REDIRECT}/")),
        ("OA-003", format!("{REDIRECT}/../evil")),
        ("OA-005", format!("https://evil.example/#{REDIRECT}")),
        ("OA-006", "https://app.example.test@evil.example/cb".to_owned()),
        ("OA-008", REDIRECT.replace("/oauth/callback", "/OAUTH/CALLBACK")),
    ] {
        let page = visit(&app, &[("redirect_uri", &uri)]).await;
        assert_eq!(page.answer.status, 400, "{attack}: {page:?}");
        page.is_refusal(400);
        // Nor is it after a form that was filled in elsewhere.
        let honest = visit(&app, &[]).await;
        let mut form = honest.form("Allow", customer.key());
        let field = form
            .iter_mut()
            .find(|(name, _)| name == "redirect_uri")
            .expect("a field");
        field.1 = uri;
        honest.submit(&form).await.is_refusal(400);
    }
    visit(&app, &[]).await.allow(customer.key()).await.callback().code();
}

#[tokio::test]
async fn oa_010_a_public_client_without_a_challenge_is_refused() {
    let customer = Customer::create().await;
    let public = customer.register(Kind::PublicCode, |_| ()).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    refused(&visit(&public, &without).await, "invalid_request");
    refused(&visit(&public, &without[..1]).await, "invalid_request");
    let confidential = customer.register(Kind::Code, |_| ()).await;
    visit(&confidential, &without)
        .await
        .allow(customer.key())
        .await
        .callback()
        .code();
    refused(&visit(&confidential, &without[..1]).await, "invalid_request");
}

#[tokio::test]
async fn oa_011_a_challenge_that_is_the_verifier_is_refused() {
    let customer = Customer::create().await;
    for kind in [Kind::PublicCode, Kind::Code] {
        let app = customer.register(kind, |_| ()).await;
        refused(
            &visit(&app, &[("code_challenge_method", "plain")]).await,
            "invalid_request",
        );
        // The default of RFC 7636 is plain.
        refused(&visit(&app, &[("code_challenge_method", "")]).await, "invalid_request");
    }
}

#[tokio::test]
async fn oa_013_no_token_ever_travels_through_a_browser() {
    let app = Customer::create().await.register(Kind::Code, |_| ()).await;
    for wanted in ["token", "id_token", "code token"] {
        refused(
            &visit(&app, &[("response_type", wanted)]).await,
            "unsupported_response_type",
        );
    }
}

#[tokio::test]
async fn oa_031_the_consent_page_cannot_be_framed_kept_or_told_of() {
    let app = Customer::create().await.register(Kind::Code, |_| ()).await;
    let page = visit(&app, &[]).await;
    assert_eq!(page.answer.status, 200, "{page:?}");
    assert!(
        page.answer
            .header("content-security-policy")
            .contains("frame-ancestors 'none'"),
        "{page:?}"
    );
    assert_eq!(page.answer.header("x-frame-options").to_ascii_uppercase(), "DENY");
    assert!(page.answer.header("cache-control").contains("no-store"), "{page:?}");
    assert_eq!(page.answer.header("referrer-policy"), "no-referrer");
    assert!(!page.answer.text.contains("<script"), "{page:?}");
}

#[tokio::test]
async fn oa_032_an_administrator_never_consents_for_another_tenant() {
    let (customer, other) = (Customer::create().await, Customer::create().await);
    let theirs = other.register(Kind::Code, |_| ()).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    visit(&theirs, &without)
        .await
        .allow(customer.key())
        .await
        .is_refusal(403);

    // What a request says of a tenant says nothing.
    let mine = customer.register(Kind::Code, |_| ()).await;
    for tenant in [&other.tenant.id, &other.tenant.name] {
        let asked = [without[0], without[1], ("tenant", tenant.as_str())];
        let page = visit(&mine, &asked).await;
        assert!(!page.answer.text.contains(&other.tenant.name), "{page:?}");
        let callback = page.allow(customer.key()).await.callback();
        let tokens = mine.exchange(callback.code(), None).await.expect("tokens");
        let user = customer
            .scim(&tokens.access)
            .create_user(&format!("{}@a.test", uuid::Uuid::new_v4()))
            .await;
        assert_eq!(customer.tenant.scim.get(&format!("/Users/{user}")).await.status, 200);
        assert_eq!(other.tenant.scim.get(&format!("/Users/{user}")).await.status, 404);
    }
    assert!(other.audit().await.iter().all(|entry| entry.action != "grant.create"));
}
