use identity_proto::schema::{ENTERPRISE_URN, GROUP, GROUP_URN, USER, USER_URN};
use serde_json::{Map, Value as Json, json};

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
fn every_quirk_stands_in_the_table_once_and_has_a_bit_of_its_own() {
    for number in 1.. {
        let Ok(quirk) = Quirk::try_from(number) else { break };
        assert_eq!(TABLE.iter().filter(|one| one.quirk == quirk).count(), 1, "{quirk:?}");
        assert!(Quirks::of(Profile::Interop, &[]).has(quirk));
        assert!(Quirks::of(Profile::Unspecified, &[]).has(quirk));
        assert!(!Quirks::of(Profile::Strict, &[]).has(quirk));
        let set = |enabled| QuirkSetting {
            quirk: quirk.into(),
            enabled,
        };
        let alone = Quirks::of(Profile::Strict, &[set(true)]);
        let without = Quirks::of(Profile::Interop, &[set(false)]);
        for other in &TABLE {
            assert_eq!(alone.has(other.quirk), other.quirk == quirk);
            assert_eq!(without.has(other.quirk), other.quirk != quirk);
        }
    }
}

/// Whether the new name is marked for the core to compare.
fn marked(operations: &Json, quirks: Quirks) -> bool {
    let body = map(json!({"schemas": [crate::scim::patch::URN], "Operations": operations}));
    let read = crate::scim::patch::parse(&USER, body, "1", quirks).unwrap();
    read.iter().any(|operation| operation.tombstone_name)
}

#[test]
fn a_new_name_is_marked_where_access_ends_with_it() {
    const OLD: &str = "0123456789abcdef0123456789ABCDEFann@example.com";
    let off = json!({"op": "replace", "path": "active", "value": false});
    let on = json!({"op": "replace", "path": "active", "value": true});
    let rename = json!({"op": "Replace", "path": "UserName", "value": OLD});
    let without = Quirks::of(
        Profile::Interop,
        &[QuirkSetting {
            quirk: Quirk::TombstoneName.into(),
            enabled: false,
        }],
    );
    for ending in [
        json!([off, rename]),
        json!([rename, {"op": "replace", "path": "active", "value": "False"}]),
        json!([{"op": "replace", "value": {"active": "False", "userName": OLD}}]),
        json!([{"op": "replace", "path": USER_URN, "value": {"active": false, "userName": OLD}}]),
        json!([{"op": "replace", "value": {USER_URN: {"active": false, "userName": OLD}}}]),
        json!([{"op": "remove", "path": "active"}, rename]),
        json!([{"op": "replace", "path": "active", "value": null}, rename]),
        json!([on, off, rename]),
    ] {
        assert!(marked(&ending, Quirks::INTEROP), "{ending}");
        assert!(!marked(&ending, without), "{ending}");
    }
    for staying in [
        json!([rename]),
        json!([on, rename]),
        json!([off, on, rename]),
        json!([off]),
    ] {
        assert!(!marked(&staying, Quirks::INTEROP), "{staying}");
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

#[test]
fn a_foreign_core_schema_is_that_of_the_resource() {
    let directory = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    let sent = json!({"schemas": [
        GROUP_URN, directory, directory.to_uppercase(), "urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0",
        "urn:scim:schemas:core:2.0:Group", "urn:scim:schemas:core:2.0:User", USER_URN, ENTERPRISE_URN, ENTERPRISE_MISSPELT,
    ]});
    let canonical = json!({"schemas": vec![GROUP_URN; 6]});
    let read = |quirks| Json::Object(resource(&GROUP, map(sent.clone()), quirks));
    assert_eq!((read(Quirks::INTEROP), read(Quirks::STRICT)), (canonical, sent.clone()));
    let path = |prefix: &str| map(json!({"Operations": [{"path": format!("{prefix}:displayName")}]}));
    assert_eq!(patch(&GROUP, path(directory), "1", Quirks::INTEROP), path(GROUP_URN));
    assert_eq!(patch(&GROUP, path(directory), "1", Quirks::STRICT), path(directory));
}
