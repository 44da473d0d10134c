use identity_proto::schema::USER;

use super::*;

const ENTERPRISE_MISSPELT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User";

fn map(json: Json) -> Map<String, Json> {
    let Json::Object(map) = json else { panic!("{json}") };
    map
}

/// What interop makes of a resource; strict leaves it alone.
fn check(sent: &Json, canonical: &Json) {
    assert_eq!(Json::Object(resource(&USER, map(sent.clone()), Quirks::STRICT)), *sent);
    assert_eq!(
        Json::Object(resource(&USER, map(sent.clone()), Quirks::INTEROP)),
        *canonical
    );
}

#[test]
fn each_quirk_has_a_bit_of_its_own() {
    for quirk in [Quirk::OpCase, Quirk::RemoveByValue, Quirk::ConditionBehindValueFilter] {
        assert!(Quirks::of(Profile::Interop).has(quirk));
        assert!(Quirks::of(Profile::Unspecified).has(quirk));
        assert!(!Quirks::of(Profile::Strict).has(quirk));
        let alone = Quirks(1 << quirk as u16);
        assert!(alone.has(quirk) && !alone.has(Quirk::StringBooleans));
    }
}

#[test]
fn string_booleans_become_booleans_where_a_boolean_belongs() {
    check(
        &json!({"active": "True", "title": "true", "Emails": [{"value": "false", "PRIMARY": "FALSE"}]}),
        &json!({"active": true, "title": "true", "Emails": [{"value": "false", "PRIMARY": false}]}),
    );
    check(&json!({"active": "yes"}), &json!({"active": "yes"}));
}

#[test]
fn a_manager_becomes_an_object() {
    for (sent, canonical) in [
        (json!("1"), json!({"value": "1", "$ref": null})),
        (json!([{"$ref": "x", "value": "1"}]), json!({"$ref": "x", "value": "1"})),
        (json!(["1"]), json!({"value": "1", "$ref": null})),
        (json!(""), json!(null)),
        (json!({"Value": ""}), json!(null)),
        (json!({"value": "1"}), json!({"value": "1"})),
        (
            json!([{"value": "1"}, {"value": "2"}]),
            json!([{"value": "1"}, {"value": "2"}]),
        ),
        (json!(5), json!(5)),
    ] {
        check(
            &json!({ENTERPRISE_URN: {"Manager": sent}}),
            &json!({ENTERPRISE_URN: {"Manager": canonical}}),
        );
    }
}

#[test]
fn one_object_becomes_a_list() {
    check(
        &json!({"emails": {"value": "x", "primary": "true"}, "name": {"givenName": "x"}}),
        &json!({"emails": [{"value": "x", "primary": true}], "name": {"givenName": "x"}}),
    );
}

#[test]
fn foreign_schemas_are_mapped_or_dropped() {
    check(
        &json!({
            "schemas": ["urn:scim:schemas:core:2.0", "http://schemas.microsoft.com/x", ENTERPRISE_MISSPELT],
            ENTERPRISE_MISSPELT: {"department": "d"},
        }),
        &json!({"schemas": [USER_URN, ENTERPRISE_URN], ENTERPRISE_URN: {"department": "d"}}),
    );
    check(&json!({"schemas": [1]}), &json!({"schemas": [1]}));
    check(&json!({"schemas": "x"}), &json!({"schemas": "x"}));
}

#[test]
fn patch_bodies_are_prepared_and_what_is_unknown_stays() {
    let sent = json!({"schemas": ["x"], "operations": [
        {"Op": "ADD", "Path": format!("{ENTERPRISE_MISSPELT}:manager"), "Value": "1"},
        {"op": "replace", "path": "nope", "value": {"active": "True"}},
        {"op": "replace", "value": {"id": "1", "groups": [], "active": "True", "nope": "True"}},
        {"op": "replace", "value": {"id": "2"}},
        {"op": "replace", "path": USER_URN, "value": {"active": "True", USER_URN: {"active": "False"}}},
        "junk",
    ]});
    let expect = json!({"schemas": ["x"], "operations": [
        {"Op": "add", "Path": format!("{ENTERPRISE_URN}:manager"), "Value": {"value": "1", "$ref": null}},
        {"op": "replace", "path": "nope", "value": {"active": "True"}},
        {"op": "replace", "value": {"active": true, "nope": "True"}},
        {"op": "replace", "value": {"id": "2"}},
        {"op": "replace", "path": USER_URN, "value": {"active": true, USER_URN: {"active": false}}},
        "junk",
    ]});
    assert_eq!(
        Json::Object(patch(&USER, map(sent.clone()), "1", Quirks::INTEROP)),
        expect
    );
    assert_eq!(Json::Object(patch(&USER, map(sent.clone()), "1", Quirks::STRICT)), sent);
}
