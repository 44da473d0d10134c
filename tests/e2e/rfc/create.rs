//! RFC 7644 section 3.3: POST.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

/// RFC 7644 section 3.3.
#[tokio::test]
async fn a_created_user_is_answered_whole_with_location_and_version() {
    let scim = client().await;
    let attributes = json!({"title": "t", "emails": [{"value": "a@x", "type": "work"}]});
    let created = create(&scim, &attributes).await;
    assert_eq!(given(&created.json), attributes);
    assert_eq!(created.header("location"), format!("{}{}", scim.base(), path(&created)));
    assert_eq!(
        created.header("etag"),
        created.json["meta"]["version"].as_str().unwrap_or_default()
    );
    assert_eq!(scim.get(&path(&created)).await.json, created.json);
}

/// RFC 7644 section 3.3: what is readOnly is ignored, and what no schema knows too, on POST and PUT alike.
#[tokio::test]
async fn read_only_and_unknown_attributes_are_ignored() {
    for scim in [client().await, strict().await] {
        let attributes = json!({"id": "x", "meta": {"created": "x"}, "groups": [{"value": "x"}], "favourite": "x",
            "name": {"givenName": "g", "nick": "x"}, "emails": [{"value": "a@x", "verified": true}],
            ENTERPRISE: {"manager": {"value": "1", "displayName": "x"}, "badge": "x"}, "urn:x:ext": {"a": 1}});
        let expect =
            json!({"name": {"givenName": "g"}, "emails": [{"value": "a@x"}], ENTERPRISE: {"manager": {"value": "1"}}});
        let body = user_with(&attributes);
        let created = scim.post("/Users", &body).await;
        assert_eq!((created.status, given(&created.json)), (201, expect), "{created:?}");
        check(
            &scim,
            &created,
            &scim.put(&path(&created), &body).await,
            &Then::Same,
            "PUT",
        )
        .await;
    }
}

/// RFC 7644 section 3.3.1: a conflict is 409 with scimType uniqueness and the status as a string.
#[tokio::test]
async fn a_conflict_is_409_and_changes_nothing() {
    let scim = client().await;
    let before = create(&scim, &json!({"userName": "ann", "title": "first"})).await;
    let again = scim
        .post(
            "/Users",
            &json!({"schemas": [USER], "userName": "ANN", "title": "second"}),
        )
        .await;
    is_error(&again, &[409], "uniqueness", "the same name");
    assert_eq!(again.json["status"], "409");
    assert_eq!(scim.get("/Users").await.json["Resources"], json!([before.json]));
}

/// RFC 7644 sections 3.3 and 3.12.
#[tokio::test]
async fn what_is_no_user_is_refused() {
    for scim in [client().await, strict().await] {
        for (body, scim_type) in [
            (String::new(), "invalidSyntax"),
            ("{".into(), "invalidSyntax"),
            ("[]".into(), "invalidSyntax"),
            ("[{}]".into(), "invalidSyntax"),
            ("\"x\"".into(), "invalidSyntax"),
            ("5".into(), "invalidSyntax"),
            ("null".into(), "invalidSyntax"),
            ("{} {}".into(), "invalidSyntax"),
            (format!("{{\"a\": {}", "[".repeat(5_000)), "invalidSyntax"),
            (json!({"schemas": [USER]}).to_string(), "invalidValue"),
            (json!({"schemas": [USER], "userName": null}).to_string(), "invalidValue"),
            (json!({"schemas": [USER], "userName": ""}).to_string(), "invalidValue"),
            (json!({"schemas": [USER], "userName": []}).to_string(), "invalidValue"),
        ] {
            let what: String = body.chars().take(60).collect();
            is_error(
                &raw(&scim, Method::POST, "/Users", body).await,
                &[400],
                scim_type,
                &what,
            );
        }
        assert_eq!(scim.get("/Users").await.json["totalResults"], 0);
    }
}

/// RFC 7644 section 3.9: both parameters apply to every answer that holds a resource.
#[tokio::test]
async fn answers_to_writes_hold_the_attributes_that_were_asked_for() {
    let scim = client().await;
    let body = user_with(&json!({"title": "t", "nickName": "n", "name": {"givenName": "g", "familyName": "f"}}));
    let shown = |answer: &Answer| {
        let members: Vec<_> = answer.json.as_object().expect("an object").keys().cloned().collect();
        members.join(" ")
    };
    let created = scim.post("/Users?attributes=title,name.givenName", &body).await;
    assert_eq!(
        (created.status, shown(&created)),
        (201, "schemas id name title".into()),
        "{created:?}"
    );
    assert_eq!(created.json["name"], json!({"givenName": "g"}));
    let path = path(&created);
    let operations = json!([{"op": "replace", "path": "nickName", "value": "m"}]);
    for answer in [
        scim.put(&format!("{path}?attributes=title"), &body).await,
        scim.patch(&format!("{path}?attributes=title"), &operations).await,
        scim.get(&format!("{path}?attributes=title")).await,
    ] {
        assert_eq!(
            (answer.status, shown(&answer)),
            (200, "schemas id title".into()),
            "{answer:?}"
        );
    }
    for answer in [
        scim.put(&format!("{path}?excludedAttributes=name,meta"), &body).await,
        scim.patch(&format!("{path}?excludedAttributes=name,meta"), &operations)
            .await,
    ] {
        assert_eq!(shown(&answer), "schemas id userName active nickName title");
    }
}

/// RFC 7644 section 3.2, table 2, and RFC 9110 section 15.5.6.
#[tokio::test]
async fn methods_and_paths_that_are_not_served() {
    let scim = client().await;
    let user = path(&create(&scim, &json!({})).await);
    let body = user_with(&json!({}));
    for (method, path, allowed) in [
        (Method::POST, user.as_str(), &["GET", "PUT", "PATCH", "DELETE"][..]),
        (Method::PUT, "/Users", &["GET", "POST"]),
        (Method::PATCH, "/Users", &["GET", "POST"]),
        (Method::DELETE, "/Users", &["GET", "POST"]),
        (Method::GET, "/Users/.search", &["POST"]),
        (Method::GET, "/.search", &["POST"]),
        (Method::DELETE, "/Schemas", &["GET"]),
    ] {
        let answer = raw(&scim, method.clone(), path, body.to_string()).await;
        is_error(&answer, &[405], "", &format!("{method} {path}"));
        for allowed in allowed {
            assert!(answer.header("allow").contains(allowed), "{method} {path}: {answer:?}");
        }
    }
    for path in ["/Nothing", "/users", &format!("{user}/emails"), "/Users/x/y"] {
        is_error(&scim.get(path).await, &[404], "", path);
    }
}

/// RFC 7644 section 3.8 and RFC 8259 section 8.1.
#[tokio::test]
async fn bodies_are_json_in_utf_8() {
    let scim = client().await;
    let send_as = async |content_type: Option<&str>, body: Vec<u8>| {
        let request = scim.request(Method::POST, "/Users").body(body);
        match content_type {
            Some(content_type) => send(request.header(CONTENT_TYPE, content_type)).await,
            None => send(request).await,
        }
    };
    let body = || user_with(&json!({})).to_string().into_bytes();
    for accepted in [
        "application/scim+json",
        "application/json",
        "application/json; charset=utf-8",
        "Application/SCIM+JSON;charset=UTF-8",
    ] {
        assert_eq!(send_as(Some(accepted), body()).await.status, 201, "{accepted}");
    }
    for refused in [
        Some("text/plain"),
        Some("application/xml"),
        Some("application/json; charset=utf-16"),
        None,
    ] {
        is_error(&send_as(refused, body()).await, &[415], "", &format!("{refused:?}"));
    }
    let utf_16: Vec<u8> = user_with(&json!({}))
        .to_string()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut invalid = body();
    invalid.insert(20, 0xff);
    for wrong in [utf_16, invalid] {
        is_error(
            &send_as(Some(SCIM_JSON), wrong).await,
            &[400],
            "invalidSyntax",
            "not UTF-8",
        );
    }
}

/// RFC 7643 section 7: a required attribute that the client may not write does not exist here; one that it must write is
/// asked for by name.
#[tokio::test]
async fn a_missing_user_name_is_asked_for_by_name() {
    let answer = client()
        .await
        .post("/Users", &json!({"schemas": [USER], "displayName": "x"}))
        .await;
    let detail = answer.json["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("userName"), "{answer:?}");
    assert_eq!(answer.json["scimType"], Value::from("invalidValue"));
}
