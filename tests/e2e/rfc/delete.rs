//! RFC 7644 section 3.6: DELETE.

use reqwest::Method;
use serde_json::json;

use super::*;

/// RFC 7644 section 3.6.
#[tokio::test]
async fn a_deleted_user_is_gone_everywhere_and_the_name_is_free() {
    let scim = client().await;
    let body = user_with(&json!({"userName": "ann", "externalId": "e"}));
    let user = scim.post("/Users", &body).await;
    create(&scim, &json!({"userName": "bob"})).await;
    let deleted = scim.delete(&path(&user)).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    let operations = json!([{"op": "add", "path": "title", "value": "t"}]);
    for answer in [
        scim.get(&path(&user)).await,
        scim.put(&path(&user), &body).await,
        scim.patch(&path(&user), &operations).await,
        scim.delete(&path(&user)).await,
    ] {
        is_error(&answer, &[404], "", "after DELETE");
    }
    for filter in [
        "userName eq \"ann\"",
        "externalId eq \"e\"",
        &format!("id eq \"{}\"", user.id()),
    ] {
        assert_eq!(scim.find(filter).await.json["totalResults"], 0, "{filter}");
    }
    assert_eq!(names(&scim.get("/Users").await), ["bob"]);
    assert_eq!(scim.get("/Users?count=0").await.json["totalResults"], 1);
    let search = json!({"schemas": [SEARCH]});
    assert_eq!(names(&scim.post("/.search", &search).await), ["bob"]);
    let again = scim.post("/Users", &body).await;
    assert_eq!((again.status, again.id() == user.id()), (201, false), "{again:?}");
}

/// RFC 7644 sections 3.6 and 3.14.
#[tokio::test]
async fn a_delete_of_another_version_deletes_nothing() {
    let scim = client().await;
    let user = create(&scim, &json!({})).await;
    let refused = with_header(&scim, Method::DELETE, &path(&user), ("if-match", "W/\"2\""), None).await;
    is_error(&refused, &[412], "", "another version");
    assert_eq!(scim.get(&path(&user)).await.json, user.json);
    let deleted = with_header(
        &scim,
        Method::DELETE,
        &path(&user),
        ("if-match", user.header("etag")),
        None,
    )
    .await;
    assert_eq!(deleted.status, 204);
}
