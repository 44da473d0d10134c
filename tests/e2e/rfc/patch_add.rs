//! RFC 7644 section 3.5.2.1: `add`.

use serde_json::json;

use super::patch::{Line, one, op, run, run_everywhere};
use super::*;

/// Without a path the value is merged into the user.
#[tokio::test]
async fn add_without_a_path_merges() {
    let start = json!({"title": "t", "name": {"givenName": "g", "familyName": "f"}, "emails": [{"value": "a@x"}],
        ENTERPRISE: {"department": "d", "division": "v"}});
    let value =
        json!({"title": "u", "name": {"givenName": "h"}, "emails": [{"value": "b@x"}], ENTERPRISE: {"division": "w"}});
    let expect = json!({"title": "u", "name": {"givenName": "h", "familyName": "f"}, "emails": [{"value": "a@x"}, {"value": "b@x"}],
        ENTERPRISE: {"department": "d", "division": "w"}});
    let pathless = |value: &Value| json!([{"op": "add", "value": value}]);
    run_everywhere(&[
        Line(start.clone(), pathless(&value), Then::Is(expect)),
        Line(start.clone(), pathless(&json!({})), Then::Same),
        Line(start.clone(), pathless(&json!({"favourite": "x"})), Then::Same),
        Line(
            start.clone(),
            pathless(&json!({"title": null, "emails": [], "name": {}})),
            Then::Same,
        ),
        Line(
            start.clone(),
            pathless(&json!({"id": "x"})),
            Then::Refused("mutability"),
        ),
        Line(
            start.clone(),
            pathless(&json!({"title": 5})),
            Then::Refused("invalidValue"),
        ),
        Line(start.clone(), json!([{"op": "add"}]), Then::Refused("invalidValue")),
        Line(start.clone(), pathless(&json!(null)), Then::Refused("invalidValue")),
        Line(start.clone(), pathless(&json!("x")), Then::Refused("invalidValue")),
        Line(
            start.clone(),
            json!([{"op": "add", "path": "title"}]),
            Then::Refused("invalidValue"),
        ),
        Line(start, one("add", "title", &json!(null)), Then::Refused("invalidValue")),
    ])
    .await;
    let read_only = pathless(&json!({"groups": [{"value": "x"}], "meta": {"created": "x"}}));
    run(
        &strict().await,
        &[Line(json!({}), read_only.clone(), Then::Refused("mutability"))],
    )
    .await;
    run(&client().await, &[Line(json!({}), read_only, Then::Same)]).await;
}

/// A single value is replaced, of a complex one what is given, and to many values one more is added.
#[tokio::test]
async fn add_replaces_one_value_and_appends_to_many() {
    let mail = json!({"emails": [{"value": "a@x", "type": "work"}]});
    let two = json!({"emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}]});
    run_everywhere(&[
        Line(
            json!({"title": "t"}),
            one("add", "title", &json!("u")),
            Then::Is(json!({"title": "u"})),
        ),
        Line(
            json!({}),
            one("add", "title", &json!("u")),
            Then::Is(json!({"title": "u"})),
        ),
        Line(
            json!({"name": {"givenName": "g", "familyName": "f"}}),
            one("add", "name", &json!({"familyName": "h"})),
            Then::Is(json!({"name": {"givenName": "g", "familyName": "h"}})),
        ),
        Line(
            mail.clone(),
            one("add", "emails", &json!([{"value": "b@x"}])),
            Then::Is(two.clone()),
        ),
        Line(
            mail.clone(),
            one("add", "emails", &json!({"value": "b@x"})),
            Then::Is(two),
        ),
        Line(
            mail,
            one("add", "emails[type eq \"work\"]", &json!({"display": "d"})),
            Then::Is(json!({"emails": [{"value": "a@x", "type": "work", "display": "d"}]})),
        ),
        Line(
            json!({ENTERPRISE: {"department": "d"}}),
            one("add", ENTERPRISE, &json!({"division": "v"})),
            Then::Is(json!({ENTERPRISE: {"department": "d", "division": "v"}})),
        ),
    ])
    .await;
}

/// "If the value already exists, no changes SHOULD be made": neither version nor lastModified moves.
#[tokio::test]
async fn adding_what_is_there_changes_nothing() {
    let start = json!({"title": "t", "active": true, "name": {"givenName": "g"}, "emails": [{"value": "a@x", "type": "work", "primary": true}, {"value": "b@x"}],
        ENTERPRISE: {"department": "d", "manager": {"value": "1"}}});
    let mut table: Vec<_> = [
        ("title", json!("t")),
        ("active", json!(true)),
        ("name.givenName", json!("g")),
        ("name", json!({"givenName": "g"})),
        ("emails", json!([{"value": "b@x"}])),
        ("emails", json!([{"primary": true, "type": "work", "value": "a@x"}])),
        ("emails[type eq \"work\"].value", json!("a@x")),
        ("emails[type eq \"work\"].primary", json!(true)),
        (ENTERPRISE, json!({"department": "d"})),
        (&format!("{ENTERPRISE}:manager"), json!({"value": "1"})),
        ("schemas", json!([USER, ENTERPRISE])),
    ]
    .into_iter()
    .map(|(path, value)| Line(start.clone(), one("add", path, &value), Then::Same))
    .collect();
    table.push(Line(start.clone(), json!([{"op": "add", "value": start}]), Then::Same));
    run_everywhere(&table).await;
}

/// "the "primary" attribute ... set to "true" ... the server SHALL set any existing to false."
#[tokio::test]
async fn a_new_primary_value_takes_it_from_the_old_one() {
    let start = |attribute: &str| json!({attribute: [{"value": "AQI=", "type": "a", "primary": true}, {"value": "AQID", "type": "b"}]});
    let mut table = Vec::new();
    for attribute in [
        "emails",
        "phoneNumbers",
        "ims",
        "photos",
        "roles",
        "entitlements",
        "x509Certificates",
    ] {
        let moved = json!({attribute: [{"value": "AQI=", "type": "a", "primary": false}, {"value": "AQID", "type": "b", "primary": true}]});
        let third = json!({attribute: [{"value": "AQI=", "type": "a", "primary": false}, {"value": "AQID", "type": "b"}, {"value": "AAAA", "primary": true}]});
        let new = json!([{"value": "AAAA", "primary": true}]);
        for name in ["add", "replace"] {
            table.push(Line(
                start(attribute),
                one(name, &format!("{attribute}[type eq \"b\"].primary"), &json!(true)),
                Then::Is(moved.clone()),
            ));
            table.push(Line(
                start(attribute),
                json!([{"op": "add", "value": {attribute: new}}]),
                Then::Is(third.clone()),
            ));
        }
        table.push(Line(start(attribute), one("add", attribute, &new), Then::Is(third)));
        let two = json!([{"value": "AAAA", "primary": true}, {"value": "AAAB", "primary": true}]);
        table.push(Line(
            start(attribute),
            one("add", attribute, &two),
            Then::Refused("invalidValue"),
        ));
        table.push(Line(
            start(attribute),
            one("replace", attribute, &two),
            Then::Refused("invalidValue"),
        ));
        table.push(Line(
            start(attribute),
            json!([{"op": "replace", "value": {attribute: two}}]),
            Then::Refused("invalidValue"),
        ));
    }
    let addresses = json!({"addresses": [{"locality": "a", "primary": true}, {"locality": "b"}]});
    table.push(Line(
        addresses,
        json!([op("add", "addresses[locality eq \"b\"]", &json!({"primary": true}))]),
        Then::Is(json!({"addresses": [{"locality": "a", "primary": false}, {"locality": "b", "primary": true}]})),
    ));
    run(&strict().await, &table).await;
}
