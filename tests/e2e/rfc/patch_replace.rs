//! RFC 7644 section 3.5.2.3: `replace`.

use serde_json::json;

use super::patch::{Line, one, run, run_everywhere};
use super::*;

/// Without a path the attributes that are listed are replaced, and no others.
#[tokio::test]
async fn replace_without_a_path_replaces_what_is_listed() {
    let start = json!({"title": "t", "nickName": "n", "name": {"givenName": "g", "familyName": "f"},
        "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}], ENTERPRISE: {"department": "d", "division": "v"}});
    let value =
        json!({"title": "u", "name": {"givenName": "h"}, "emails": [{"value": "c@x"}], ENTERPRISE: {"division": "w"}});
    let expect = json!({"title": "u", "nickName": "n", "name": {"givenName": "h", "familyName": "f"}, "emails": [{"value": "c@x"}],
        ENTERPRISE: {"department": "d", "division": "w"}});
    let pathless = |value: &Value| json!([{"op": "replace", "value": value}]);
    run_everywhere(&[
        Line(start.clone(), pathless(&value), Then::Is(expect)),
        Line(
            start.clone(),
            pathless(&json!({"title": null, "emails": []})),
            Then::Is(json!({"nickName": "n",
            "name": {"givenName": "g", "familyName": "f"}, ENTERPRISE: {"department": "d", "division": "v"}})),
        ),
        Line(
            start.clone(),
            pathless(&json!({"userName": null})),
            Then::Refused("mutability"),
        ),
        Line(start.clone(), pathless(&start), Then::Same),
        Line(start.clone(), json!([{"op": "replace"}]), Then::Refused("invalidValue")),
        Line(start, pathless(&json!([])), Then::Refused("invalidValue")),
    ])
    .await;
}

/// Many values are replaced as a whole, of a complex one what is given, and what is not there is added.
#[tokio::test]
async fn replace_sets_the_target_and_adds_what_is_missing() {
    let mails = json!({"emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}]});
    run_everywhere(&[
        Line(
            json!({"title": "t"}),
            one("replace", "title", &json!("u")),
            Then::Is(json!({"title": "u"})),
        ),
        Line(
            json!({}),
            one("replace", "title", &json!("u")),
            Then::Is(json!({"title": "u"})),
        ),
        Line(
            mails.clone(),
            one("replace", "emails", &json!([{"value": "c@x"}])),
            Then::Is(json!({"emails": [{"value": "c@x"}]})),
        ),
        Line(
            json!({}),
            one("replace", "emails", &json!([{"value": "c@x"}])),
            Then::Is(json!({"emails": [{"value": "c@x"}]})),
        ),
        Line(
            json!({"name": {"givenName": "g", "familyName": "f"}}),
            one("replace", "name", &json!({"givenName": "h"})),
            Then::Is(json!({"name": {"givenName": "h", "familyName": "f"}})),
        ),
        Line(
            json!({}),
            one("replace", "name.givenName", &json!("h")),
            Then::Is(json!({"name": {"givenName": "h"}})),
        ),
        Line(
            json!({ENTERPRISE: {"department": "d"}}),
            one("replace", ENTERPRISE, &json!({"division": "v"})),
            Then::Is(json!({ENTERPRISE: {"department": "d", "division": "v"}})),
        ),
        Line(
            json!({}),
            one("replace", &format!("{ENTERPRISE}:manager.value"), &json!("1")),
            Then::Is(json!({ENTERPRISE: {"manager": {"value": "1"}}})),
        ),
    ])
    .await;
}

/// A value filter selects every value that matches.
#[tokio::test]
async fn replace_by_a_value_filter_sets_every_match() {
    let start = json!({"emails": [{"value": "a@x", "type": "work", "display": "A"}, {"value": "b@x", "type": "home"}, {"value": "c@x", "type": "home"}]});
    run_everywhere(&[
        Line(
            start.clone(),
            one("replace", "emails[type eq \"home\"].display", &json!("H")),
            Then::Is(json!({"emails": [{"value": "a@x", "type": "work", "display": "A"}, {"value": "b@x", "type": "home", "display": "H"},
                {"value": "c@x", "type": "home", "display": "H"}]})),
        ),
        // The value is made anew from what the filter equals and what is given.
        Line(
            start.clone(),
            one("replace", "emails[type eq \"work\"]", &json!({"value": "z@x"})),
            Then::Is(json!({"emails": [{"type": "work", "value": "z@x"}, {"value": "b@x", "type": "home"}, {"value": "c@x", "type": "home"}]})),
        ),
        Line(
            start,
            one("replace", "emails[value co \"@x\"].type", &json!("other")),
            Then::Is(json!({"emails": [{"value": "a@x", "type": "other", "display": "A"}, {"value": "b@x", "type": "other"}, {"value": "c@x", "type": "other"}]})),
        ),
    ])
    .await;
}

/// RFC 7643 section 2.5: null and `[]` clear; the required name cannot be cleared.
#[tokio::test]
async fn replace_by_null_or_nothing_clears() {
    let start = json!({"nickName": "n", "name": {"givenName": "g"}, "emails": [{"value": "a@x", "type": "work"}], ENTERPRISE: {"manager": {"value": "1"}}});
    let without = |name: &str| {
        let mut expect = start.clone();
        expect
            .as_object_mut()
            .expect("an object")
            .remove(name)
            .expect("a member");
        Then::Is(expect)
    };
    run_everywhere(&[
        Line(
            start.clone(),
            one("replace", "nickName", &json!(null)),
            without("nickName"),
        ),
        Line(start.clone(), one("replace", "name", &json!(null)), without("name")),
        Line(
            start.clone(),
            one("replace", "name.givenName", &json!(null)),
            without("name"),
        ),
        Line(
            start.clone(),
            one("replace", "name", &json!({"givenName": null})),
            without("name"),
        ),
        Line(start.clone(), one("replace", "emails", &json!([])), without("emails")),
        Line(start.clone(), one("replace", "emails", &json!(null)), without("emails")),
        Line(
            start.clone(),
            one("replace", "emails[type eq \"work\"]", &json!(null)),
            without("emails"),
        ),
        Line(
            start.clone(),
            one("replace", ENTERPRISE, &json!(null)),
            without(ENTERPRISE),
        ),
        Line(
            start.clone(),
            one("replace", &format!("{ENTERPRISE}:manager"), &json!(null)),
            without(ENTERPRISE),
        ),
        Line(
            start.clone(),
            one("replace", "userName", &json!(null)),
            Then::Refused("mutability"),
        ),
        Line(
            start.clone(),
            one("replace", "userName", &json!("")),
            Then::Refused("invalidValue"),
        ),
        Line(
            start.clone(),
            one("replace", "userName", &json!("   ")),
            Then::Refused("invalidValue"),
        ),
        Line(
            start.clone(),
            one("replace", "id", &json!("x")),
            Then::Refused("mutability"),
        ),
    ])
    .await;
}

/// Replacing by what is there changes nothing.
#[tokio::test]
async fn replacing_by_the_same_changes_nothing() {
    let start = json!({"title": "t", "emails": [{"value": "a@x", "type": "work"}], ENTERPRISE: {"department": "d"}});
    let table: Vec<_> = [
        ("title", json!("t")),
        ("emails", json!([{"type": "work", "value": "a@x"}])),
        ("emails[type eq \"work\"].value", json!("a@x")),
        (ENTERPRISE, json!({"department": "d"})),
        ("active", json!(true)),
        ("nickName", json!(null)),
    ]
    .into_iter()
    .map(|(path, value)| Line(start.clone(), one("replace", path, &value), Then::Same))
    .collect();
    run_everywhere(&table).await;
}

/// A name that is taken is 409; the user's own in another case is not.
#[tokio::test]
async fn replacing_the_name_by_a_taken_one_is_a_conflict() {
    let scim = client().await;
    create(&scim, &json!({"userName": "taken"})).await;
    let before = create(&scim, &json!({"userName": "mine"})).await;
    for operations in [
        one("replace", "userName", &json!("TAKEN")),
        json!([{"op": "replace", "value": {"userName": "Taken"}}]),
    ] {
        is_error(
            &scim.patch(&path(&before), &operations).await,
            &[409],
            "uniqueness",
            &operations.to_string(),
        );
    }
    assert_eq!(scim.get(&path(&before)).await.json, before.json);
    let own = scim
        .patch(&path(&before), &one("replace", "userName", &json!("MINE")))
        .await;
    assert_eq!((own.status, &own.json["userName"]), (200, &json!("MINE")));
}

/// Entra ID's soft delete does not rename the user, see tombstone-name.
#[tokio::test]
async fn a_tombstone_name_is_a_deviation() {
    let tombstone = format!("{}ann@x.test", "0123456789abcdef".repeat(2));
    let operations = json!([{"op": "replace", "path": "active", "value": false}, {"op": "replace", "path": "userName", "value": tombstone}]);
    for (scim, expect) in [(client().await, "ann@x.test"), (strict().await, tombstone.as_str())] {
        let before = create(&scim, &json!({"userName": "ann@x.test"})).await;
        let patched = scim.patch(&path(&before), &operations).await;
        assert_eq!(
            (&patched.json["userName"], &patched.json["active"]),
            (&json!(expect), &json!(false)),
            "{patched:?}"
        );
    }
    let scim = client().await;
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
    for form in [
        json!([{"op": "replace", "path": urn, "value": {"active": false, "userName": "TOMBSTONE"}}]),
        json!([{"op": "remove", "path": "active"}, {"op": "replace", "value": {"userName": "TOMBSTONE"}}]),
    ] {
        let before = create(&scim, &json!({})).await;
        let name = before.json["userName"].as_str().expect("a name");
        let operations = form
            .to_string()
            .replace("TOMBSTONE", &format!("{}{name}", "f".repeat(32)));
        let operations = serde_json::from_str(&operations).expect("JSON");
        let patched = scim.patch(&path(&before), &operations).await;
        assert_eq!(
            (patched.status, &patched.json["userName"]),
            (200, &json!(name)),
            "{form}"
        );
    }
    // Only the name that the user has is a tombstone's.
    let before = create(&scim, &json!({})).await;
    let other = format!("{}@other.test", "f".repeat(32));
    let value = json!({"active": false, "userName": other});
    let renamed = scim
        .patch(&path(&before), &json!([{"op": "replace", "value": value}]))
        .await;
    assert_eq!((renamed.status, &renamed.json["userName"]), (200, &json!(other)));
    run(
        &client().await,
        &[Line(
            json!({}),
            one("replace", "active", &json!("False")),
            Then::Is(json!({"active": false})),
        )],
    )
    .await;
}
