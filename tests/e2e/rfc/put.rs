//! RFC 7644 section 3.5.1: PUT.

use serde_json::json;
use uuid::Uuid;

use super::*;

/// RFC 7644 section 3.5.1.
#[tokio::test]
async fn a_put_of_an_unknown_user_creates_none() {
    let scim = client().await;
    let unknown = format!("/Users/{}", Uuid::new_v4());
    is_error(&scim.put(&unknown, &user_with(&json!({}))).await, &[404], "", "PUT");
    is_error(&scim.get(&unknown).await, &[404], "", "GET");
    assert_eq!(scim.get("/Users").await.json["totalResults"], 0);
}

/// RFC 7644 section 3.5.1: another id in the body is readOnly, so it is ignored.
#[tokio::test]
async fn an_id_in_the_body_is_ignored() {
    let scim = client().await;
    let (one, other) = (create(&scim, &json!({})).await, create(&scim, &json!({})).await);
    let body = user_with(&json!({"id": other.id(), "title": "t", "userName": one.json["userName"]}));
    let replaced = scim.put(&path(&one), &body).await;
    check(&scim, &one, &replaced, &Then::Is(json!({"title": "t"})), "PUT").await;
    assert_eq!(scim.get(&path(&other)).await.json, other.json);
}

/// RFC 7644 section 3.5.1: what is left out is cleared, but nobody is activated by it.
#[tokio::test]
async fn what_a_put_leaves_out_is_cleared() {
    let full = json!({"externalId": "e", "title": "t", "name": {"givenName": "g"}, "emails": [{"value": "a@x"}],
        "phoneNumbers": [{"value": "1"}], "addresses": [{"locality": "l"}], "x509Certificates": [{"value": "AQI="}],
        "profileUrl": "https://x.test", "password": "correct-horse-1",
        ENTERPRISE: {"department": "d", "manager": {"value": "1"}}});
    for scim in [client().await, strict().await] {
        let before = create(&scim, &full).await;
        let bare = json!({"schemas": [USER], "userName": before.json["userName"]});
        let replaced = scim.put(&path(&before), &bare).await;
        check(&scim, &before, &replaced, &Then::Is(json!({})), "PUT").await;
        assert_eq!(replaced.json["schemas"], json!([USER]));
        let off = scim
            .patch(
                &path(&before),
                &json!([{"op": "replace", "path": "active", "value": false}]),
            )
            .await;
        let kept = scim.put(&path(&before), &bare).await;
        check(&scim, &off, &kept, &Then::Same, "PUT without active").await;
    }
}

/// RFC 7643 section 7: `writeOnly`. A password that is not sent is kept, one that is sent is taken; neither shows.
#[tokio::test]
async fn a_put_without_a_password_changes_nothing() {
    let scim = client().await;
    let mut body = user_with(&json!({"title": "t"}));
    let before = create(&scim, &{
        let mut with = body.clone();
        with["password"] = json!("correct-horse-1");
        with
    })
    .await;
    check(
        &scim,
        &before,
        &scim.put(&path(&before), &body).await,
        &Then::Same,
        "without",
    )
    .await;
    body["password"] = json!("correct-horse-2");
    let with = scim.put(&path(&before), &body).await;
    assert_eq!((with.status, given(&with.json)), (200, json!({"title": "t"})));
}

/// RFC 7644 section 3.5.1.
#[tokio::test]
async fn a_put_without_the_required_name_is_refused() {
    for scim in [client().await, strict().await] {
        let before = create(&scim, &json!({"title": "t"})).await;
        for name in [json!(null), json!(""), json!([]), json!(5)] {
            let replaced = scim
                .put(&path(&before), &json!({"schemas": [USER], "userName": name}))
                .await;
            check(
                &scim,
                &before,
                &replaced,
                &Then::Refused("invalidValue"),
                &name.to_string(),
            )
            .await;
        }
        let replaced = scim.put(&path(&before), &json!({"schemas": [USER]})).await;
        check(&scim, &before, &replaced, &Then::Refused("invalidValue"), "no userName").await;
    }
}

/// RFC 7644 section 3.5.1: conflict, change, and no change.
#[tokio::test]
async fn a_put_answers_with_the_whole_user_and_its_version() {
    let scim = client().await;
    let (one, other) = (create(&scim, &json!({})).await, create(&scim, &json!({})).await);
    let taken = json!({"schemas": [USER], "userName": other.json["userName"]});
    is_error(
        &scim.put(&path(&one), &taken).await,
        &[409],
        "uniqueness",
        "another's name",
    );
    assert_eq!(scim.get(&path(&one)).await.json, one.json);
    check(
        &scim,
        &one,
        &scim.put(&path(&one), &one.json).await,
        &Then::Same,
        "what GET answered",
    )
    .await;
    let mut changed = one.json.clone();
    changed["title"] = json!("t");
    let replaced = scim.put(&path(&one), &changed).await;
    check(&scim, &one, &replaced, &Then::Is(json!({"title": "t"})), "a change").await;
    assert_ne!(replaced.header("etag"), one.header("etag"));
}
