//! Attacks on refresh tokens: RFC 9700 section 4.14.

use std::collections::HashSet;
use std::time::Instant;

use futures_util::future::join_all;
use identity_proto::identity::v1::client::Kind;

use super::super::{Customer, GRACE, post, refused, strict, within_the_promise};

#[tokio::test]
async fn oa_026_a_refresh_token_that_comes_again_after_the_grace_ends_its_family() {
    let customer = Customer::of(strict()).await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let old = app.connect(customer.key()).await;
    let new = app.refresh(&old.refresh).await.expect("the next tokens");
    assert_eq!(
        (customer.read(&old.access).await, customer.read(&new.access).await),
        (200, 200)
    );
    tokio::time::sleep(GRACE).await;

    let since = Instant::now();
    let form = [("grant_type", "refresh_token"), ("refresh_token", old.refresh.as_str())];
    refused(
        &post(&app.edge, "/oauth/token", Some(app.basic()), &form).await,
        "invalid_grant",
    );
    assert_eq!(
        app.refresh(&new.refresh).await.err().as_deref(),
        Some("invalid_grant"),
        "the successor lives"
    );
    for access in [&old.access, &new.access] {
        within_the_promise("an access token of a stolen family", since, async || {
            customer.read(access).await == 401
        })
        .await;
    }
    let audit = customer.audit().await;
    let ended = audit
        .iter()
        .filter(|entry| entry.action == "grant.refresh_reused")
        .count();
    assert_eq!(ended, 1, "{audit:?}");
    // Another consent is another family.
    let again = app.connect(customer.key()).await;
    assert_eq!(customer.read(&again.access).await, 200);
}

#[tokio::test]
async fn oa_026_within_the_grace_the_same_successor_comes_until_it_is_used() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let old = app.connect(customer.key()).await;
    let new = app.refresh(&old.refresh).await.expect("the next tokens");
    let again = app.refresh(&old.refresh).await.expect("the same tokens");
    assert_eq!((&new.access, &new.refresh), (&again.access, &again.refresh));
    let next = app.refresh(&new.refresh).await.expect("the tokens after those");
    // Its answer did arrive: whoever still has the old one is somebody else.
    assert_eq!(app.refresh(&old.refresh).await.err().as_deref(), Some("invalid_grant"));
    assert_eq!(app.refresh(&next.refresh).await.err().as_deref(), Some("invalid_grant"));
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_027_twenty_refreshes_at_once_make_one_successor() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Code, |_| ()).await;
    let tokens = app.connect(customer.key()).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    let at_once = (0..20).map(|_| post(&app.edge, "/oauth/token", Some(app.basic()), &form));
    let answers = join_all(at_once).await;
    let mut successors = HashSet::new();
    for answer in &answers {
        match answer.status {
            200 => {
                let text = |name: &str| answer.json[name].as_str().expect(name).to_owned();
                successors.insert((text("access_token"), text("refresh_token")));
            }
            _ => refused(answer, "invalid_grant"),
        }
    }
    assert_eq!(successors.len(), 1, "{answers:?}");
    let (access, refresh) = successors.into_iter().next().expect("a successor");
    assert_eq!(customer.read(&access).await, 200);
    app.refresh(&refresh).await.expect("the family lives");
}
