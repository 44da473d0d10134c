//! ID tokens that are not what they should be.

use e2e::openid::Signature;
use serde_json::{Value, json};

use super::{Browser, Portal, by_user_name};

/// That nobody gets in by such a token.
async fn is_refused(portal: &Portal, why: &str) {
    let mut browser = Browser::new();
    let shown = browser.open(&portal.page("login")).await;
    assert_eq!(shown.status, 403, "{why}: {shown:?}");
    browser.is_refused(portal, shown, 403, "cannot be verified").await;
}

#[tokio::test]
async fn a_token_with_a_wrong_claim_lets_nobody_in() {
    let portal = Portal::start(by_user_name()).await;
    let (id, name) = portal.user().await;
    let wrong = [
        // Of the same provider and keys, for the same client: another tenant's.
        ("iss", json!(portal.provider.issuer("globex"))),
        ("iss", Value::Null),
        ("aud", json!("another application")),
        ("aud", json!(["portal", "another application"])),
        ("nonce", json!("another login's")),
        ("nonce", Value::Null),
        ("exp", json!(1_700_000_000)),
    ];
    for (claim, value) in wrong {
        let mut claims = json!({"sub": id, "preferred_username": name});
        claims[claim] = value.clone();
        portal.provider.says(claims);
        is_refused(&portal, &format!("{claim} {value}")).await;
    }
    portal.provider.says(json!({"sub": id, "preferred_username": name}));
    assert_eq!(Browser::new().open(&portal.page("login")).await.status, 200);
}

#[tokio::test]
async fn only_the_providers_own_key_counts_also_a_new_one() {
    let portal = Portal::start(by_user_name()).await;
    portal.user().await;
    for signature in [Signature::Stranger, Signature::ClientSecret, Signature::None] {
        portal.provider.sign(signature);
        is_refused(&portal, &format!("{signature:?}")).await;
    }
    for signature in [Signature::First, Signature::Second] {
        portal.provider.sign(signature);
        let shown = Browser::new().open(&portal.page("login")).await;
        assert_eq!(shown.status, 200, "{signature:?}: {shown:?}");
    }
}
