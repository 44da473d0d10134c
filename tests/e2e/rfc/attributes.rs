//! RFC 7643 sections 2.1 to 2.4: names, types, values.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

const MULTI_VALUED: [&str; 8] = [
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509Certificates",
];

/// RFC 7643 section 2.1.
#[tokio::test]
async fn attribute_names_are_read_in_any_case_and_answered_in_the_schemas_spelling() {
    for scim in [client().await, strict().await] {
        let name = name();
        let body = json!({"SCHEMAS": [USER], "USERNAME": name, "NICKNAME": "n", "Name": {"FAMILYNAME": "f"},
            "Emails": [{"VALUE": "a@x", "TYPE": "work", "Primary": true}]});
        let expect = json!({"nickName": "n", "name": {"familyName": "f"},
            "emails": [{"value": "a@x", "type": "work", "primary": true}]});
        let created = scim.post("/Users", &body).await;
        assert_eq!(
            (created.status, &created.json["userName"]),
            (201, &json!(name)),
            "{created:?}"
        );
        assert_eq!(given(&created.json), expect);
        let replaced = scim.put(&path(&created), &body).await;
        assert_eq!(replaced.json, created.json);
        let operations = json!([{"op": "add", "value": {"TITLE": "t", "NAME": {"GIVENNAME": "g"}}},
            {"op": "add", "path": "EMAILS", "value": [{"VALUE": "b@x"}]}]);
        let patched = scim.patch(&path(&created), &operations).await;
        let expect = json!({"nickName": "n", "title": "t", "name": {"familyName": "f", "givenName": "g"},
            "emails": [{"value": "a@x", "type": "work", "primary": true}, {"value": "b@x"}]});
        assert_eq!(given(&patched.json), expect);
    }
}

/// RFC 7643 section 10.1 with RFC 8141: URNs are compared without regard to case.
#[tokio::test]
async fn schema_urns_are_read_in_any_case() {
    for scim in [client().await, strict().await] {
        let (user, enterprise) = (USER.to_uppercase(), ENTERPRISE.to_uppercase());
        let created = scim
            .post(
                "/Users",
                &json!({"schemas": [user, enterprise], "userName": name(), enterprise.clone(): {"department": "d"}}),
            )
            .await;
        assert_eq!(created.json["schemas"], json!([USER, ENTERPRISE]), "{created:?}");
        let found = scim.find(&format!("{enterprise}:department eq \"D\"")).await;
        assert_eq!(found.json["totalResults"], 1, "{found:?}");
        let operations = json!([{"op": "replace", "path": format!("{enterprise}:DEPARTMENT"), "value": "e"}]);
        let patched = scim.patch(&path(&created), &operations).await;
        assert_eq!(given(&patched.json), json!({ENTERPRISE: {"department": "e"}}));
    }
}

/// RFC 7643 section 2.1 knows one attribute of a name; what two of them mean is left open, so they are refused.
#[tokio::test]
async fn an_attribute_given_twice_is_refused() {
    let scim = client().await;
    for twice in [
        r#""title": "a", "title": "b""#,
        r#""title": "a", "TITLE": "b""#,
        r#""name": {"givenName": "a", "GivenName": "b"}"#,
        r#""emails": [{"value": "a", "VALUE": "b"}]"#,
    ] {
        let body = format!(r#"{{"schemas": ["{USER}"], "userName": "{}", {twice}}}"#, name());
        is_error(
            &raw(&scim, Method::POST, "/Users", body).await,
            &[400],
            "invalidSyntax",
            twice,
        );
    }
}

/// RFC 7643 section 2.3.
#[tokio::test]
async fn a_value_of_another_type_is_refused() {
    for (scim, is_strict) in [(client().await, false), (strict().await, true)] {
        let before = create(&scim, &json!({"title": "t"})).await;
        let mut wrong = vec![
            json!({"active": "yes"}),
            json!({"active": 1}),
            json!({"title": 5}),
            json!({"title": true}),
            json!({"title": {"value": "x"}}),
            json!({"title": ["x"]}),
            json!({"name": "x"}),
            json!({"name": [{"givenName": "x"}]}),
            json!({"name": {"givenName": 1.5}}),
            json!({"emails": 5}),
            json!({"emails": "a@x"}),
            json!({"emails": ["a@x"]}),
            json!({"emails": [[{"value": "a@x"}]]}),
            json!({"emails": [null]}),
            json!({"emails": [{"value": {"x": 1}}]}),
            json!({"emails": [{"value": "a@x", "primary": "perhaps"}]}),
            json!({"externalId": 5}),
            json!({"password": 5}),
            json!({ENTERPRISE: "x"}),
            json!({ENTERPRISE: {"employeeNumber": 5}}),
        ];
        if is_strict {
            wrong.extend([
                json!({"active": "true"}),
                json!({"emails": {"value": "a@x"}}),
                json!({ENTERPRISE: {"manager": "x"}}),
            ]);
        }
        for attributes in wrong {
            let what = attributes.to_string();
            let created = scim.post("/Users", &user_with(&attributes)).await;
            is_error(&created, &[400], "invalidValue", &format!("POST {what}"));
            let replaced = scim.put(&path(&before), &user_with(&attributes)).await;
            check(
                &scim,
                &before,
                &replaced,
                &Then::Refused("invalidValue"),
                &format!("PUT {what}"),
            )
            .await;
        }
    }
}

/// RFC 7643 section 2.3.6.
#[tokio::test]
async fn a_binary_value_must_be_base64() {
    let scim = client().await;
    for (value, fits) in [
        ("AQI=", true),
        ("AQID", true),
        ("AQI", false),
        ("A-_=", false),
        ("A QI=", false),
        ("é", false),
    ] {
        let attributes = json!({"x509Certificates": [{"value": value}]});
        let answer = scim.post("/Users", &user_with(&attributes)).await;
        if fits {
            assert_eq!((answer.status, given(&answer.json)), (201, attributes), "{answer:?}");
        } else {
            is_error(&answer, &[400], "invalidValue", value);
        }
    }
    let found = scim.find("x509Certificates.value eq \"aqid\"").await;
    assert_eq!(found.json["totalResults"], 0, "binary is caseExact");
}

/// RFC 7643 section 2.3.7.
#[tokio::test]
async fn every_uri_that_is_returned_leads_to_its_resource() {
    let scim = client().await;
    let boss = create(&scim, &json!({})).await;
    for manager in [
        json!({"value": boss.id()}),
        json!({"value": boss.id(), "$ref": format!("../Users/{}", boss.id())}),
        json!({"value": boss.id(), "$ref": "https://elsewhere.test/Users/1"}),
    ] {
        let created = create(&scim, &json!({ENTERPRISE: {"manager": manager}})).await;
        let location = created.json["meta"]["location"].as_str().expect("a location");
        let reference = created.json[ENTERPRISE]["manager"]["$ref"].as_str().expect("a $ref");
        for (uri, resource) in [(location, &created), (reference, &boss)] {
            let below = uri.strip_prefix(scim.base()).expect("a URI of ours");
            assert_eq!(scim.get(below).await.json, resource.json, "{uri}");
        }
    }
    let stranger = create(
        &scim,
        &json!({ENTERPRISE: {"manager": {"value": "1", "$ref": "../Users/1"}}}),
    )
    .await;
    assert_eq!(
        stranger.json[ENTERPRISE]["manager"],
        json!({"value": "1"}),
        "what cannot lead anywhere is not given"
    );
}

/// RFC 7643 section 2.3.7: references are caseExact.
#[tokio::test]
async fn references_are_compared_exactly() {
    let scim = client().await;
    create(
        &scim,
        &json!({"profileUrl": "https://x.test/A", "photos": [{"value": "https://x.test/P"}]}),
    )
    .await;
    for (filter, total) in [
        ("profileUrl eq \"https://x.test/A\"", 1),
        ("profileUrl eq \"https://x.test/a\"", 0),
        ("profileUrl ew \"/a\"", 0),
        ("photos.value co \"/P\"", 1),
        ("photos[value co \"/p\"]", 0),
    ] {
        assert_eq!(scim.find(filter).await.json["totalResults"], total, "{filter}");
    }
}

/// RFC 7643 section 2.3.8.
#[tokio::test]
async fn sub_attributes_have_no_sub_attributes() {
    let scim = client().await;
    let before = create(&scim, &json!({"name": {"givenName": "g"}})).await;
    let body = user_with(&json!({"name": {"givenName": {"x": "y"}}}));
    is_error(&scim.post("/Users", &body).await, &[400], "invalidValue", "POST");
    let operations = json!([{"op": "replace", "path": "name.givenName.x", "value": "y"}]);
    let patched = scim.patch(&path(&before), &operations).await;
    check(&scim, &before, &patched, &Then::Refused("invalidPath"), "PATCH").await;
    is_error(
        &scim.find("name.givenName.x eq \"y\"").await,
        &[400],
        "invalidFilter",
        "filter",
    );
}

/// RFC 7643 section 2.4.
#[tokio::test]
async fn at_most_one_value_is_primary() {
    let scim = client().await;
    let before = create(&scim, &json!({})).await;
    for attribute in MULTI_VALUED {
        let key = if attribute == "addresses" { "locality" } else { "value" };
        let two = json!([{key: "AQI=", "primary": true}, {key: "AQID", "primary": true}]);
        let body = user_with(&json!({attribute: two}));
        is_error(&scim.post("/Users", &body).await, &[400], "invalidValue", attribute);
        let replaced = scim.put(&path(&before), &body).await;
        check(&scim, &before, &replaced, &Then::Refused("invalidValue"), attribute).await;
    }
}

/// RFC 7643 section 2.4: "When not specified, the default value is false."
#[tokio::test]
async fn a_value_without_primary_is_not_primary() {
    let scim = client().await;
    create(&scim, &json!({"userName": "none", "emails": [{"value": "a@x"}]})).await;
    create(
        &scim,
        &json!({"userName": "set", "emails": [{"value": "a@x", "primary": true}]}),
    )
    .await;
    create(&scim, &json!({"userName": "empty"})).await;
    for (filter, expect) in [
        ("emails.primary eq true", vec!["set"]),
        ("emails[primary eq true]", vec!["set"]),
        ("emails[primary eq false]", vec!["none"]),
        ("emails[value eq \"a@x\" and primary eq false]", vec!["none"]),
        ("emails.primary eq false", vec!["none"]),
    ] {
        assert_eq!(names(&scim.find(filter).await), expect, "{filter}");
    }
}

/// RFC 7643 section 2.4.
#[tokio::test]
async fn a_value_that_is_given_twice_is_kept_once() {
    let scim = client().await;
    let mail = json!({"value": "a@x", "type": "work"});
    let twice = json!([mail, {"value": "b@x"}, mail, {"value": "a@x", "type": "work", "primary": true}]);
    let once = json!([{"value": "a@x", "type": "work", "primary": true}, {"value": "b@x"}]);
    let created = create(&scim, &json!({"emails": twice})).await;
    assert_eq!(created.json["emails"], once);
    let replaced = scim
        .put(
            &path(&created),
            &user_with(&json!({"userName": created.json["userName"], "emails": twice})),
        )
        .await;
    assert_eq!(replaced.json["emails"], once);
    for op in ["add", "replace"] {
        let patched = scim
            .patch(&path(&created), &json!([{"op": op, "path": "emails", "value": twice}]))
            .await;
        assert_eq!(patched.json["emails"], once, "{op}");
    }
}

/// RFC 7643 section 2.3.1: strings are Unicode, kept as they are.
#[tokio::test]
async fn text_comes_back_as_it_was_sent() {
    let scim = client().await;
    for text in [
        "é",
        "e\u{301}",
        "\u{1f642}\u{1f3fd}",
        "שלום",
        "\u{ff41}ﬁ",
        "a\tb\nc",
        "\\\"/",
        " x ",
    ] {
        let created = create(&scim, &json!({"displayName": text})).await;
        assert_eq!(created.json["displayName"], text);
        assert_eq!(scim.get(&path(&created)).await.json["displayName"], text);
    }
    let escaped = format!(r#"{{"schemas": ["{USER}"], "userName": "\u00e9@x.test", "title": "\ud83d\ude42"}}"#);
    let created = raw(&scim, Method::POST, "/Users", escaped).await;
    assert_eq!(
        (&created.json["userName"], &created.json["title"]),
        (&json!("é@x.test"), &json!("\u{1f642}"))
    );
    let again = scim
        .post("/Users", &json!({"schemas": [USER], "userName": "e\u{301}@X.test"}))
        .await;
    is_error(&again, &[409], "uniqueness", "the same name, decomposed");
    let nul = Value::from("a\0b");
    is_error(
        &scim.post("/Users", &user_with(&json!({"title": nul}))).await,
        &[400],
        "invalidValue",
        "U+0000",
    );
}
