//! What somebody sees whose access ends: before the login is complete, and after.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use e2e::proxy::{Proxy, Way};
use reqwest::Method;

use super::{Browser, Portal, Shown, by_user_name, set_active};
use crate::system;

/// What comes once nobody is in any more: the promise says within five seconds.
async fn when_out(portal: &Portal, browser: &mut Browser) -> Shown {
    let since = Instant::now();
    loop {
        let shown = browser.open(&portal.page("")).await;
        if shown.status != 200 {
            return shown;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "{shown:?}");
    }
}

#[tokio::test]
async fn a_login_from_before_the_end_of_access_lands_nowhere() {
    let portal = Portal::start(by_user_name()).await;
    let mut browser = Browser::new();

    let (user, _) = portal.user().await;
    let back = browser.come_back(&portal).await;
    set_active(&portal.acme, &user, false).await;
    let shown = browser.open(back.as_str()).await;
    browser.is_refused(&portal, shown, 403, "Your access ended").await;
    // As does one that begins now.
    let shown = browser.open(&portal.page("login")).await;
    browser.is_refused(&portal, shown, 403, "Your access ended").await;

    let (user, name) = portal.user().await;
    let back = browser.come_back(&portal).await;
    set_active(&portal.acme, &user, false).await;
    set_active(&portal.acme, &user, true).await;
    let shown = browser.open(back.as_str()).await;
    browser
        .is_refused(&portal, shown, 403, "Your access changed while you logged in")
        .await;
    let shown = browser.open(&portal.page("login")).await;
    assert!(shown.status == 200 && shown.text.contains(&name), "{shown:?}");
}

#[tokio::test]
async fn the_next_request_after_the_end_of_access_is_refused() {
    let portal = Portal::start(by_user_name()).await;
    let (user, _) = portal.user().await;
    let mut browser = Browser::new();
    assert_eq!(browser.open(&portal.page("login")).await.status, 200);
    set_active(&portal.acme, &user, false).await;
    let shown = when_out(&portal, &mut browser).await;
    browser.is_refused(&portal, shown, 403, "Your access ended").await;

    let (user, _) = portal.user().await;
    assert_eq!(browser.open(&portal.page("login")).await.status, 200);
    assert_eq!(portal.acme.scim.delete(&format!("/Users/{user}")).await.status, 204);
    let shown = when_out(&portal, &mut browser).await;
    browser.is_refused(&portal, shown, 403, "Your access ended").await;

    portal.user().await;
    assert_eq!(browser.open(&portal.page("login")).await.status, 200);
    let suspended = system().cli(&["tenant", "suspend", &portal.acme.name]).await;
    assert_eq!(suspended.exit, 0, "{suspended:?}");
    let shown = when_out(&portal, &mut browser).await;
    browser
        .is_refused(&portal, shown, 403, "The access of your organization ended")
        .await;
    let shown = browser.open(&portal.page("login")).await;
    browser.is_refused(&portal, shown, 403, "access").await;
}

#[tokio::test]
async fn nobody_is_let_in_while_nobody_can_know() {
    let sessions = system().description().session_grpc.clone();
    let target: SocketAddr = sessions.trim_start_matches("http://").parse().expect("an address");
    let proxy = Proxy::start(target).await;
    let portal = Portal::start_with(by_user_name(), &format!("http://127.0.0.1:{}", proxy.port())).await;
    portal.user().await;
    let mut browser = Browser::new();
    assert_eq!(browser.open(&portal.page("login")).await.status, 200);

    let mut late = Browser::new();
    let back = late.come_back(&portal).await;
    proxy.turn(Way::Cut);
    for page in ["", "login", "logout"] {
        let method = if page == "logout" { Method::POST } else { Method::GET };
        let shown = browser.step(method, &portal.page(page)).await;
        assert_eq!((shown.status, shown.retry_after), (503, true), "{page}: {shown:?}");
        assert!(shown.text.contains("Try again in a moment"), "{shown:?}");
    }
    let shown = late.open(back.as_str()).await;
    assert_eq!((shown.status, late.session()), (503, None), "{shown:?}");

    // The browser kept its session meanwhile.
    proxy.turn(Way::Open);
    let since = Instant::now();
    while browser.open(&portal.page("")).await.status != 200 {
        assert!(since.elapsed() < Duration::from_secs(10), "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
