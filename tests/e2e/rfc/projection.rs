//! RFC 7644 sections 3.4.2.5, 3.9 and 3.10: which attributes an answer holds.

use e2e::replay::variables::percent;
use serde_json::{Value, json};

use super::*;

/// What could be the id of a manager.
const ID: &str = "01a2013a-0740-7048-99a6-a97dbcb2f793";

/// A user with everything that the tables below name, and its path.
async fn full(scim: &Scim) -> Answer {
    let attributes = json!({"userName": "ann", "externalId": "e", "title": "t", "name": {"givenName": "g", "familyName": "f"},
        "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}],
        ENTERPRISE: {"department": "d", "division": "v", "manager": {"value": ID}}});
    create(scim, &attributes).await
}

/// What a choice leaves of the user, without `schemas` and `id`, which must be there.
async fn shown(scim: &Scim, user: &Answer, query: &str) -> Value {
    let one = scim.get(&format!("{}?{query}", path(user))).await;
    assert_eq!(one.status, 200, "{query}: {one:?}");
    let listed = scim.get(&format!("/Users?{query}")).await.json["Resources"][0].clone();
    assert_eq!(listed, one.json, "{query}: a list holds the same");
    let mut left = one.json;
    for always in ["schemas", "id"] {
        let removed = left.as_object_mut().and_then(|map| map.remove(always));
        assert_eq!(removed.as_ref(), Some(&user.json[always]), "{query}: {always}");
    }
    left
}

/// RFC 7644 section 3.9.
#[tokio::test]
async fn attributes_asks_for_these_and_what_is_always_returned() {
    let scim = client().await;
    let user = full(&scim).await;
    let enterprise = user.json[ENTERPRISE].clone();
    for (list, expect) in [
        ("userName".to_owned(), json!({"userName": "ann"})),
        ("USERNAME,Title".into(), json!({"userName": "ann", "title": "t"})),
        ("userName, title ,".into(), json!({"userName": "ann", "title": "t"})),
        ("name.familyName".into(), json!({"name": {"familyName": "f"}})),
        (
            "name,name.familyName".into(),
            json!({"name": {"givenName": "g", "familyName": "f"}}),
        ),
        ("emails.type".into(), json!({"emails": [{"type": "work"}]})),
        (
            "emails.value".into(),
            json!({"emails": [{"value": "a@x"}, {"value": "b@x"}]}),
        ),
        ("meta.resourceType".into(), json!({"meta": {"resourceType": "User"}})),
        (
            "meta.location".into(),
            json!({"meta": {"location": user.json["meta"]["location"]}}),
        ),
        ("id".into(), json!({})),
        ("nothing,name.nothing,urn:x:y".into(), json!({})),
        ("password".into(), json!({})),
        (format!("{USER}:userName"), json!({"userName": "ann"})),
        (format!("{USER}:name.givenName"), json!({"name": {"givenName": "g"}})),
        (ENTERPRISE.into(), json!({ENTERPRISE: enterprise})),
        (ENTERPRISE.to_uppercase(), json!({ENTERPRISE: enterprise})),
        (
            format!("{ENTERPRISE}:department"),
            json!({ENTERPRISE: {"department": "d"}}),
        ),
        (
            format!("{ENTERPRISE}:manager.value"),
            json!({ENTERPRISE: {"manager": {"value": ID}}}),
        ),
    ] {
        assert_eq!(
            shown(&scim, &user, &format!("attributes={}", percent(&list))).await,
            expect,
            "{list}"
        );
    }
}

/// RFC 7644 section 3.9: `id` is always returned, and so is `schemas`.
#[tokio::test]
async fn excluded_attributes_never_takes_what_is_always_returned() {
    let scim = client().await;
    let user = full(&scim).await;
    let whole = shown(&scim, &user, "").await;
    for (list, pointer) in [
        ("id,schemas".to_owned(), String::new()),
        ("title,TITLE".into(), "/title".into()),
        ("name.familyName".into(), "/name/familyName".into()),
        ("name.familyName,name.givenName".into(), "/name".into()),
        ("emails".into(), "/emails".into()),
        ("emails.type".into(), "/emails/0/type".into()),
        ("meta".into(), "/meta".into()),
        ("meta.version".into(), "/meta/version".into()),
        ("nothing,password".into(), String::new()),
        (ENTERPRISE.into(), format!("/{ENTERPRISE}")),
        (format!("{ENTERPRISE}:department"), format!("/{ENTERPRISE}/department")),
        (
            format!("{ENTERPRISE}:manager.$ref"),
            format!("/{ENTERPRISE}/manager/$ref"),
        ),
        (format!("{USER}:title"), "/title".into()),
    ] {
        let mut expect = whole.clone();
        if !pointer.is_empty() {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            let parent = expect
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .expect("a parent");
            assert!(parent.remove(name).is_some(), "{pointer}");
        }
        assert_eq!(
            shown(&scim, &user, &format!("excludedAttributes={}", percent(&list))).await,
            expect,
            "{list}"
        );
    }
}

/// RFC 7644 section 3.9: the two exclude each other.
#[tokio::test]
async fn attributes_and_excluded_attributes_are_not_combined() {
    let scim = client().await;
    let user = path(&full(&scim).await);
    let both = "attributes=userName&excludedAttributes=title";
    for path in [user, "/Users".to_owned()] {
        is_error(
            &scim.get(&format!("{path}?{both}")).await,
            &[400],
            "invalidValue",
            &path,
        );
    }
    let search = json!({"schemas": [SEARCH], "attributes": ["userName"], "excludedAttributes": ["title"]});
    is_error(
        &scim.post("/Users/.search", &search).await,
        &[400],
        "invalidValue",
        "a search",
    );
}

/// RFC 7644 section 3.10: short or with its URN, it is the same attribute.
#[tokio::test]
async fn the_short_and_the_full_name_mean_the_same() {
    let scim = client().await;
    let user = full(&scim).await;
    let qualified = |name: &str| format!("{USER}:{name}");
    for name in ["title", "name.givenName", "emails", "emails.value"] {
        let (short, full) = (format!("{name} pr"), format!("{} pr", qualified(name)));
        assert_eq!(scim.find(&short).await.json, scim.find(&full).await.json, "{name}");
        for parameter in ["attributes", "excludedAttributes"] {
            let short = shown(&scim, &user, &format!("{parameter}={name}")).await;
            let full = shown(&scim, &user, &format!("{parameter}={}", percent(&qualified(name)))).await;
            assert_eq!(short, full, "{parameter}={name}");
        }
    }
    for (number, path) in ["title", &qualified("title"), &qualified("title").to_uppercase()]
        .into_iter()
        .enumerate()
    {
        let value = format!("t{number}");
        let patched = scim
            .patch(
                &super::path(&user),
                &json!([{"op": "replace", "path": path, "value": value}]),
            )
            .await;
        assert_eq!(patched.json["title"], value, "{path}");
    }
    let dotted = json!([{"op": "replace", "path": format!("{ENTERPRISE}.department"), "value": "x"}]);
    is_error(
        &scim.patch(&super::path(&user), &dotted).await,
        &[400],
        "invalidPath",
        "a dot behind the URN",
    );
}
