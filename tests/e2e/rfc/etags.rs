//! RFC 7644 section 3.14: versions.

use reqwest::Method;
use serde_json::json;

use super::*;

/// RFC 7644 section 3.14 and RFC 7643 section 3.1: weak tags, as equal versions are equal in meaning, not in bytes.
#[tokio::test]
async fn the_etag_is_the_version_and_changes_with_the_user() {
    let scim = client().await;
    let created = create(&scim, &json!({"title": "a"})).await;
    let (path, mut body) = (path(&created), user_with(&json!({"title": "b"})));
    body["userName"] = created.json["userName"].clone();
    let tag = |answer: &Answer| {
        let tag = answer.header("etag").to_owned();
        assert!(
            tag.starts_with("W/\"") && answer.json["meta"]["version"] == tag.as_str(),
            "{answer:?}"
        );
        tag
    };
    let (read, replaced) = (scim.get(&path).await, scim.put(&path, &body).await);
    let again = scim.put(&path, &body).await;
    let patched = scim.patch(&path, &json!([{"op": "remove", "path": "title"}])).await;
    let same = scim.patch(&path, &json!([{"op": "remove", "path": "title"}])).await;
    assert_eq!(tag(&created), tag(&read));
    assert_ne!(tag(&read), tag(&replaced));
    assert_eq!(tag(&replaced), tag(&again));
    assert_ne!(tag(&again), tag(&patched));
    assert_eq!(tag(&patched), tag(&same));
    let list = scim.get("/Users").await.json;
    assert_eq!(list["Resources"][0]["meta"]["version"], tag(&same).as_str());
}

/// RFC 9110 section 13.1.2.
#[tokio::test]
async fn a_version_that_the_client_has_is_not_sent_again() {
    let scim = client().await;
    let user = create(&scim, &json!({})).await;
    let tag = user.header("etag");
    let strong = tag.trim_start_matches("W/");
    for (known, status) in [
        (tag, 304),
        (strong, 304),
        ("*", 304),
        (&format!("W/\"9\", {tag}"), 304),
        ("W/\"9\"", 200),
        ("W/\"9\", \"x\"", 200),
        ("nonsense", 200),
    ] {
        let answer = with_header(&scim, Method::GET, &path(&user), ("if-none-match", known), None).await;
        assert_eq!((answer.status, answer.header("etag")), (status, tag), "{known}");
        assert_eq!(answer.text.is_empty(), status == 304, "{known}");
    }
}

/// RFC 9110 section 13.1.1: PUT, PATCH and DELETE; weak tags match, as SCIM uses them.
#[tokio::test]
async fn a_change_of_another_version_is_refused() {
    let scim = client().await;
    let user = create(&scim, &json!({"title": "a"})).await;
    let (path, tag) = (path(&user), user.header("etag").to_owned());
    let patch = patch_body(&json!([{"op": "replace", "path": "title", "value": "b"}]));
    let mut put = user.json.clone();
    put["title"] = json!("b");
    for known in ["W/\"9\"", "\"9\"", "W/\"8\", W/\"9\"", "nonsense", ""] {
        for (method, body) in [
            (Method::PUT, Some(&put)),
            (Method::PATCH, Some(&patch)),
            (Method::DELETE, None),
        ] {
            let answer = with_header(&scim, method.clone(), &path, ("if-match", known), body).await;
            is_error(&answer, &[412], "", &format!("{method} {known}"));
        }
        assert_eq!(scim.get(&path).await.json, user.json, "{known}");
    }
    for known in [
        tag.clone(),
        tag.trim_start_matches("W/").to_owned(),
        "*".into(),
        format!("W/\"99\", {tag}"),
    ] {
        for (method, body) in [
            (Method::PUT, user.json.clone()),
            (
                Method::PATCH,
                patch_body(&json!([{"op": "replace", "path": "title", "value": "a"}])),
            ),
        ] {
            let answer = with_header(&scim, method.clone(), &path, ("if-match", &known), Some(&body)).await;
            assert_eq!((answer.status, &answer.json), (200, &user.json), "{method} {known}");
        }
    }
    let created = with_header(
        &scim,
        Method::POST,
        "/Users",
        ("if-match", "W/\"9\""),
        Some(&user_with(&json!({}))),
    )
    .await;
    assert_eq!(created.status, 201, "POST has no version to match");
    let gone = with_header(&scim, Method::DELETE, &path, ("if-match", &tag), None).await;
    assert_eq!(gone.status, 204);
}

/// RFC 7644 section 3.14: of writers that saw one version, one wins.
#[tokio::test]
async fn one_of_many_writers_of_one_version_wins() {
    let scim = client().await;
    let user = create(&scim, &json!({})).await;
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let (scim, path, tag) = (scim.clone(), path(&user), user.header("etag").to_owned());
            let body = patch_body(&json!([{"op": "replace", "path": "title", "value": format!("t{number}")}]));
            tokio::spawn(async move {
                with_header(&scim, Method::PATCH, &path, ("if-match", &tag), Some(&body))
                    .await
                    .status
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for writer in writers {
        statuses.push(writer.await.expect("a status"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(scim.get(&path(&user)).await.header("etag"), "W/\"2\"");
}
