//! A login from beginning to end, and callbacks that are not the answer to it.

use e2e::openid::OpenIdProvider;
use reqwest::Method;

use super::{Browser, Portal, by_user_name, with};

#[tokio::test]
async fn somebody_logs_in_and_out() {
    let portal = Portal::start(by_user_name()).await;
    let (id, name) = portal.user().await;
    let mut browser = Browser::new();
    let before = browser.open(&portal.page("")).await;
    assert_eq!((before.status, before.text.contains("not logged in")), (401, true));

    let back = browser.come_back(&portal).await;
    let arrived = browser.step(Method::GET, back.as_str()).await;
    assert_eq!(arrived.location, Some(portal.page("")));
    let cookie = browser.set.first().expect("a cookie").clone();
    for attribute in ["session=", "; Path=/acme/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let inside = browser.open(&portal.page("")).await;
    assert_eq!(inside.status, 200);
    assert!(inside.text.contains(&format!("You are {name}.")), "{inside:?}");
    let session = browser.session().expect("a session").clone();
    let valid = portal.acme.validate(&session).await.expect("an answer");
    assert_eq!((valid.valid, valid.user_id), (true, id));

    // A link or an image of another site logs nobody out.
    assert_eq!(browser.step(Method::GET, &portal.page("logout")).await.status, 405);
    let out = browser.step(Method::POST, &portal.page("logout")).await;
    assert_eq!(out.location, Some(portal.page("")));
    assert_eq!(browser.session(), None);
    assert!(!portal.acme.validate(&session).await.expect("an answer").valid);
    assert_eq!(browser.open(&portal.page("")).await.status, 401);
    assert_eq!(browser.open(&format!("{}/initech/", portal.url)).await.status, 404);
}

#[tokio::test]
async fn an_answer_is_taken_once_by_the_browser_that_asked() {
    const BEGUN: &str = "was not begun in this browser";
    let portal = Portal::start(by_user_name()).await;
    portal.user().await;

    let mut browser = Browser::new();
    for (parameter, value) in [
        ("state", Some("another")),
        ("state", None),
        ("iss", Some(portal.provider.issuer("globex").as_str())),
    ] {
        let back = browser.come_back(&portal).await;
        let shown = browser.open(&with(&back, parameter, value)).await;
        browser.is_refused(&portal, shown, 400, BEGUN).await;
        // Whoever guesses has one try.
        let shown = browser.open(back.as_str()).await;
        browser.is_refused(&portal, shown, 400, BEGUN).await;
    }

    let back = browser.come_back(&portal).await;
    let mut other = Browser::new();
    let shown = other.open(back.as_str()).await;
    other.is_refused(&portal, shown, 400, BEGUN).await;
    other.come_back(&portal).await;
    let shown = other.open(back.as_str()).await;
    other.is_refused(&portal, shown, 400, BEGUN).await;

    let mut again = browser.clone();
    assert_eq!(browser.open(back.as_str()).await.status, 200);
    let shown = again.open(back.as_str()).await;
    again.is_refused(&portal, shown, 400, BEGUN).await;

    let back = again.come_back(&portal).await;
    let denied = with(&back, "code", None) + "&error=access_denied";
    let shown = again.open(&denied).await;
    again.is_refused(&portal, shown, 403, "did not log you in").await;
}

#[tokio::test]
async fn a_code_of_another_login_is_worth_nothing() {
    let mut portal = Portal::start(by_user_name()).await;
    portal.user().await;
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let stolen = attacker.come_back(&portal).await;
    let code = stolen.query_pairs().find(|(name, _)| name == "code").expect("a code").1;
    let back = victim.come_back(&portal).await;
    let shown = victim.open(&with(&back, "code", Some(&code))).await;
    victim.is_refused(&portal, shown, 403, "cannot be verified").await;

    // Nor is one that nobody can be asked about.
    let back = victim.come_back(&portal).await;
    portal.provider = OpenIdProvider::start(0).await;
    let shown = victim.open(back.as_str()).await;
    victim.is_refused(&portal, shown, 502, "cannot be reached").await;
}

#[tokio::test]
async fn one_tenants_login_and_session_are_not_anothers() {
    let portal = Portal::start(by_user_name()).await;
    // The same name in both tenants: only the tenant tells them apart.
    let (_, name) = portal.user().await;
    portal.globex.scim.create_user(&name).await;
    let at_globex = |url: &str| url.replace("/acme/", "/globex/");

    // A browser keeps the cookies apart by their path; whoever has them may send them anywhere.
    let mut browser = Browser::new();
    for says_its_issuer in [true, false] {
        let back = browser.come_back(&portal).await;
        let login = browser.cookie("/acme/callback", "login").expect("a login").clone();
        browser
            .cookies
            .insert(("/globex/".to_owned(), "login".to_owned()), login);
        let back = if says_its_issuer {
            back.into()
        } else {
            with(&back, "iss", None)
        };
        let shown = browser.open(&at_globex(&back)).await;
        browser.is_refused(&portal, shown, 400, "was not begun").await;
    }

    assert_eq!(browser.open(&portal.page("login")).await.status, 200);
    let session = browser.session().expect("a session").clone();
    let shown = browser.open(&at_globex(&portal.page(""))).await;
    assert_eq!(shown.status, 401, "{shown:?}");
    browser
        .cookies
        .insert(("/globex/".to_owned(), "session".to_owned()), session);
    let shown = browser.open(&at_globex(&portal.page(""))).await;
    assert_eq!(shown.status, 401, "{shown:?}");
    assert_eq!(browser.open(&portal.page("")).await.status, 200);
}
