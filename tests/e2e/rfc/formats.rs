//! RFC 7644 section 3.8: formats, and HTTP's ways to ask.

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::json;

use super::*;

/// RFC 7644 section 3.8.
#[tokio::test]
async fn answers_are_scim_json_to_whoever_takes_json() {
    let scim = client().await;
    let user = path(&create(&scim, &json!({"displayName": "é"})).await);
    let accepting = async |accept: Option<&str>| {
        let request = reqwest::Client::new()
            .get(format!("{}{user}", scim.base()))
            .bearer_auth(scim.token().expect("a token"));
        match accept {
            Some(accept) => send(request.header(ACCEPT, accept)).await,
            None => send(request).await,
        }
    };
    for accept in [
        None,
        Some("application/scim+json"),
        Some("application/json"),
        Some("*/*"),
        Some("application/*;q=0.5"),
        Some("text/html, application/json;q=0.1"),
        Some("APPLICATION/SCIM+JSON; charset=utf-8"),
    ] {
        let answer = accepting(accept).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, SCIM_JSON),
            "{accept:?}"
        );
    }
    for accept in [
        "text/html",
        "application/xml, text/*",
        "application/scim+json;q=0",
        "image/png",
    ] {
        is_error(&accepting(Some(accept)).await, &[406], "", accept);
    }
}

/// RFC 8259 section 8.1: UTF-8, without a byte order mark.
#[tokio::test]
async fn answers_are_utf_8_without_a_mark() {
    let scim = client().await;
    let user = create(&scim, &json!({"displayName": "é"})).await;
    let response = scim.request(Method::GET, &path(&user)).send().await.expect("an answer");
    let bytes = response.bytes().await.expect("a body");
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    assert!(text.starts_with('{') && text.contains("\"é\""), "{text}");
}

/// RFC 9110 sections 9.3.2 and 9.3.7.
#[tokio::test]
async fn head_is_get_without_a_body_and_options_are_listed() {
    let scim = client().await;
    let user = create(&scim, &json!({})).await;
    for path in [
        path(&user),
        "/Users".into(),
        "/Schemas".into(),
        "/ServiceProviderConfig".into(),
    ] {
        let (head, get) = (send(scim.request(Method::HEAD, &path)).await, scim.get(&path).await);
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for name in ["etag", "content-type"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
        let options = send(scim.request(Method::OPTIONS, &path)).await;
        assert!(options.header("allow").contains("GET"), "{path}: {options:?}");
    }
}

/// RFC 9112 section 9.3: an error leaves the connection usable.
#[tokio::test]
async fn a_connection_lives_on_after_a_refusal() {
    let scim = client().await;
    for body in ["{", "[]", "{\"schemas\": 5}", &"[".repeat(100_000)] {
        let refused = raw(&scim, Method::POST, "/Users", body.to_owned()).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert_eq!(scim.get("/Users").await.status, 200);
    }
}
