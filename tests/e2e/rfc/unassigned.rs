//! RFC 7643 section 2.5: when an attribute counts as unassigned.

use serde_json::json;

use super::*;

/// RFC 7643 section 2.5.
#[tokio::test]
async fn null_missing_and_empty_are_one_state() {
    let scim = client().await;
    let full = json!({"title": "t", "name": {"givenName": "g"}, "emails": [{"value": "a@x"}],
        ENTERPRISE: {"department": "d", "manager": {"value": "1"}}});
    let nulls = json!({"title": null, "name": null, "emails": null, ENTERPRISE: null});
    let empty = json!({"name": {}, "emails": [], ENTERPRISE: {}});
    let inner = json!({"name": {"givenName": null}, "emails": [{"value": null}], ENTERPRISE: {"department": null, "manager": {}}});
    for unassigned in [&nulls, &empty, &inner, &json!({})] {
        let created = create(&scim, unassigned).await;
        assert_eq!(
            (given(&created.json), &created.json["schemas"]),
            (json!({}), &json!([USER])),
            "POST {unassigned}"
        );
        let before = create(&scim, &full).await;
        let mut body = user_with(unassigned);
        body["userName"] = before.json["userName"].clone();
        let replaced = scim.put(&path(&before), &body).await;
        assert_eq!(
            (given(&replaced.json), &replaced.json["schemas"]),
            (json!({}), &json!([USER])),
            "PUT {unassigned}"
        );
    }
    for (value, names) in [
        (&nulls, ["title", "name", "emails", ENTERPRISE]),
        (&empty, ["emails"; 4]),
    ] {
        for name in names {
            let before = create(&scim, &full).await;
            let operations = json!([{"op": "replace", "path": name, "value": value[name]}]);
            let patched = scim.patch(&path(&before), &operations).await;
            let mut expect = full.clone();
            expect.as_object_mut().expect("an object").remove(name);
            check(&scim, &before, &patched, &Then::Is(expect), &operations.to_string()).await;
        }
    }
    let scim = client().await;
    for unassigned in [nulls, empty, inner, json!({})] {
        create(&scim, &unassigned).await;
    }
    for attribute in [
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        &format!("{ENTERPRISE}:manager"),
    ] {
        let total = |answer: Answer| answer.json["totalResults"].clone();
        assert_eq!(total(scim.find(&format!("{attribute} pr")).await), 0, "{attribute}");
        assert_eq!(
            total(scim.find(&format!("not ({attribute} pr)")).await),
            4,
            "{attribute}"
        );
    }
}

/// RFC 7643 section 2.5 and RFC 7644 section 3.5.2.2.
#[tokio::test]
async fn a_complex_attribute_without_sub_attributes_is_unassigned() {
    let scim = client().await;
    let before = create(
        &scim,
        &json!({"name": {"givenName": "g", "familyName": "f"}, ENTERPRISE: {"manager": {"value": "1"}}}),
    )
    .await;
    let operations = json!([{"op": "remove", "path": "name.givenName"}, {"op": "remove", "path": "name.familyName"},
        {"op": "remove", "path": format!("{ENTERPRISE}:manager.value")}]);
    let patched = scim.patch(&path(&before), &operations).await;
    check(
        &scim,
        &before,
        &patched,
        &Then::Is(json!({})),
        "every sub-attribute removed",
    )
    .await;
    assert_eq!(patched.json["schemas"], json!([USER]));
    for attribute in ["name", &format!("{ENTERPRISE}:manager")] {
        assert_eq!(
            scim.find(&format!("{attribute} pr")).await.json["totalResults"],
            0,
            "{attribute}"
        );
    }
}

/// RFC 7643 section 2.5 lists what unassigned is, and an empty string is not in it.
#[tokio::test]
async fn an_empty_string_is_a_value_but_no_user_name() {
    let scim = client().await;
    let created = create(&scim, &json!({"title": ""})).await;
    assert_eq!(given(&created.json), json!({"title": ""}));
    assert_eq!(scim.find("title pr").await.json["totalResults"], 1);
    assert_eq!(scim.find("title eq \"\"").await.json["totalResults"], 1);
    for name in ["", " ", "\t", "\u{a0}", "\u{3000}", "a ", "\u{200b}"] {
        let body = json!({"schemas": [USER], "userName": name});
        is_error(
            &scim.post("/Users", &body).await,
            &[400],
            "invalidValue",
            &format!("POST {name:?}"),
        );
        let operations = json!([{"op": "replace", "path": "userName", "value": name}]);
        let patched = scim.patch(&path(&created), &operations).await;
        check(
            &scim,
            &created,
            &patched,
            &Then::Refused("invalidValue"),
            &format!("PATCH {name:?}"),
        )
        .await;
    }
}
