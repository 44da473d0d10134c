use identity_proto::schema::{ENTERPRISE_URN, GROUP, USER};
use serde_json::json;

use super::*;

fn resource() -> Map<String, Json> {
    let resource = json!({
        "schemas": ["a", "b"],
        "id": "1",
        "userName": "u",
        "name": {"givenName": "g", "familyName": "f"},
        "emails": [{"value": "e", "type": "work"}, {"type": "home"}],
        ENTERPRISE_URN: {"department": "d", "manager": {"value": "2", "displayName": "m"}},
        "meta": {"location": "l", "version": "v"},
    });
    let Json::Object(map) = resource else { unreachable!() };
    map
}

fn check(projection: &Projection, expect: &Map<String, Json>) {
    assert_eq!(projection.apply(resource()), *expect, "{projection:?}");
}

fn only(list: &str, mut expect: Json) {
    let members = expect.as_object_mut().unwrap();
    members.insert("schemas".to_owned(), json!(["a", "b"]));
    members.insert("id".to_owned(), json!("1"));
    check(&Projection::parse(&USER, Some(list), None).unwrap(), members);
}

/// `gone` takes away what the answer must lack.
fn without(list: &str, gone: impl FnOnce(&mut Map<String, Json>)) {
    let mut expect = resource();
    gone(&mut expect);
    check(&Projection::parse(&USER, None, Some(list)).unwrap(), &expect);
}

#[test]
fn attributes_chooses() {
    only("userName", json!({"userName": "u"}));
    only(" USERNAME , nope,title", json!({"userName": "u"}));
    only("nope", json!({}));
    only("password", json!({}));
    only("name.familyName", json!({"name": {"familyName": "f"}}));
    only(
        "name.familyName,name",
        json!({"name": {"givenName": "g", "familyName": "f"}}),
    );
    only("emails.value", json!({"emails": [{"value": "e"}]}));
    only("meta.location", json!({"meta": {"location": "l"}}));
    only(
        "urn:ietf:params:scim:schemas:core:2.0:User:userName",
        json!({"userName": "u"}),
    );
    only(
        &format!("{ENTERPRISE_URN}:department"),
        json!({ENTERPRISE_URN: {"department": "d"}}),
    );
    only(
        &format!("{ENTERPRISE_URN}:manager.value"),
        json!({ENTERPRISE_URN: {"manager": {"value": "2"}}}),
    );
    only(
        ENTERPRISE_URN,
        json!({ENTERPRISE_URN: {"department": "d", "manager": {"value": "2", "displayName": "m"}}}),
    );
}

#[test]
fn excluded_attributes_takes_away() {
    without("userName", |map| drop(map.shift_remove("userName")));
    without("id,schemas,nope", |_| {});
    without("name.familyName", |map| map["name"] = json!({"givenName": "g"}));
    without("name.familyName,name.givenName", |map| drop(map.shift_remove("name")));
    without("emails.type", |map| map["emails"] = json!([{"value": "e"}]));
    without(ENTERPRISE_URN, |map| drop(map.shift_remove(ENTERPRISE_URN)));
    without(&format!("{ENTERPRISE_URN}:manager"), |map| {
        map[ENTERPRISE_URN] = json!({"department": "d"});
    });
    without(&format!("{ENTERPRISE_URN}:manager.displayName"), |map| {
        map[ENTERPRISE_URN] = json!({"department": "d", "manager": {"value": "2"}});
    });
}

#[test]
fn nothing_or_both() {
    check(&Projection::parse(&USER, None, None).unwrap(), &resource());
    check(&Projection::parse(&USER, Some(" "), Some("")).unwrap(), &resource());
    assert!(Projection::parse(&USER, Some("userName"), Some("title")).is_err());
}

#[test]
fn an_attribute_is_kept_if_any_part_of_it_is() {
    let members = GROUP
        .schema
        .attributes
        .iter()
        .find(|one| one.name == "members")
        .unwrap();
    let name = GROUP
        .schema
        .attributes
        .iter()
        .find(|one| one.name == "displayName")
        .unwrap();
    for (only, without, keeps, asks_for) in [
        (None, None, true, false),
        (Some("members"), None, true, true),
        (Some("MEMBERS.value"), None, true, true),
        (
            Some("urn:ietf:params:scim:schemas:core:2.0:Group:members"),
            None,
            true,
            true,
        ),
        (Some("displayName"), None, false, false),
        (Some("nope"), None, false, false),
        (None, Some("members"), false, false),
        (None, Some("members.value"), true, false),
        (
            None,
            Some("members.value,members.type,members.$ref,members.display"),
            false,
            false,
        ),
        (None, Some("displayName"), true, false),
    ] {
        let projection = Projection::parse(&GROUP, only, without).unwrap();
        let found = (projection.keeps(members), projection.asks_for(members));
        assert_eq!(found, (keeps, asks_for), "{projection:?}");
    }
    let projection = Projection::parse(&GROUP, Some("displayName"), None).unwrap();
    assert!(projection.keeps(name) && projection.asks_for(name));
}
