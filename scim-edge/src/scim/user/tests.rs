use identity_proto::identity::v1::{EnterpriseUser, ErrorReason, Manager, Meta, Name};

use super::*;

fn read(body: Json, quirks: Quirks) -> Result<UserInput> {
    let Json::Object(map) = body else { panic!("{body}") };
    parse(map, quirks)
}

fn check_refused(body: &Json, reason: ErrorReason, what: &str) {
    let refusal = read(body.clone(), Quirks::STRICT).expect_err(&body.to_string());
    assert_eq!(refusal.reason, reason, "{body}: {}", refusal.detail);
    assert!(refusal.detail.contains(what), "{body}: {}", refusal.detail);
}

#[test]
fn every_form_of_an_attribute_is_read() {
    let body = json!({
        "SCHEMAS": [ENTERPRISE_URN, USER_URN.to_uppercase()],
        "ID": "ignored", "meta": {"version": "ignored"}, "groups": [{"value": "ignored"}],
        "USERNAME": "ann", "externalID": "e", "Name": {"GIVENNAME": "a", "junk": 1}, "active": false,
        "emails": [{"Value": "x", "primary": true}], "roles": [], "title": null, "favouriteColour": "green",
        "password": "secret",
        ENTERPRISE_URN.to_lowercase(): {"Department": "d", "manager": {"value": "1", "displayName": "ignored"}},
    });
    let input = read(body, Quirks::STRICT).unwrap();
    assert_eq!(input.password.as_deref(), Some("secret"));
    let expect = json!({
        "externalId": "e", "userName": "ann", "active": false, "name": {"givenName": "a"},
        "emails": [{"value": "x", "primary": true}],
        ENTERPRISE_URN: {"department": "d", "manager": {"value": "1"}},
    });
    assert_eq!(serde_json::to_value(&input.user).unwrap(), expect);
    assert_eq!((input.user.id.as_str(), input.user.meta), ("", None));
}

#[test]
fn absent_is_not_empty_and_not_false() {
    let input = read(
        json!({"schemas": [USER_URN], "userName": "", "title": ""}),
        Quirks::STRICT,
    )
    .unwrap();
    assert_eq!(input.user.user_name, "", "the core says what a userName may be");
    assert_eq!(input.user.title.as_deref(), Some(""));
    assert_eq!(input.user.active, None);
    assert_eq!(input.user.enterprise, None);
    assert_eq!(input.password, None);
}

#[test]
fn faults_are_named() {
    use ErrorReason as R;
    for (body, reason, what) in [
        (json!({"userName": "a"}), R::InvalidSyntax, "schemas is required"),
        (
            json!({"schemas": USER_URN, "userName": "a"}),
            R::InvalidSyntax,
            "must be a list",
        ),
        (json!({"schemas": [], "userName": "a"}), R::InvalidValue, "must hold"),
        (
            json!({"schemas": [ENTERPRISE_URN], "userName": "a"}),
            R::InvalidValue,
            "must hold",
        ),
        (json!({"schemas": [USER_URN, 5], "userName": "a"}), R::InvalidValue, "5"),
        (
            json!({"schemas": [USER_URN, "urn:x"], "userName": "a"}),
            R::InvalidValue,
            "urn:x",
        ),
        (json!({"schemas": [USER_URN]}), R::InvalidValue, "userName is required"),
        (
            json!({"schemas": [USER_URN], "userName": null}),
            R::InvalidValue,
            "userName is required",
        ),
        (
            json!({"schemas": [USER_URN], "userName": 5}),
            R::InvalidValue,
            "userName must be a string",
        ),
        (
            json!({"schemas": [USER_URN], "userName": "a", "externalId": 5}),
            R::InvalidValue,
            "externalId must be a string",
        ),
        (
            json!({"schemas": [USER_URN], "userName": "a", "password": 5}),
            R::InvalidValue,
            "password must be a string",
        ),
        (
            json!({"schemas": [USER_URN], "userName": "a", ENTERPRISE_URN: []}),
            R::InvalidValue,
            "must be an object",
        ),
        (
            json!({"schemas": [USER_URN], "userName": "a", ENTERPRISE_URN: {"manager": "1"}}),
            R::InvalidValue,
            "enterprise:2.0:User:manager must be an object",
        ),
    ] {
        check_refused(&body, reason, what);
    }
}

#[test]
fn interop_drops_foreign_schemas_but_still_needs_the_core_one() {
    let sent = |schemas: Json| json!({"schemas": schemas, "userName": "a"});
    assert!(read(sent(json!([USER_URN, "urn:x"])), Quirks::INTEROP).is_ok());
    assert!(read(sent(json!(["urn:scim:schemas:core:1.0"])), Quirks::INTEROP).is_ok());
    assert!(read(sent(json!(["urn:x"])), Quirks::INTEROP).is_err());
    assert!(read(sent(json!([])), Quirks::INTEROP).is_err());
    assert!(read(json!({"userName": "a"}), Quirks::INTEROP).is_err());
}

fn stored() -> User {
    User {
        id: "1".to_owned(),
        user_name: "ann".to_owned(),
        external_id: Some("e".to_owned()),
        meta: Some(Meta {
            created: Some("2026-01-31T09:00:00Z".parse().unwrap()),
            last_modified: Some("2026-01-31T10:00:00.123456Z".parse().unwrap()),
            version: 7,
        }),
        ..User::default()
    }
}

#[test]
fn a_user_is_rendered_in_order() {
    let rendered = Json::Object(render(&stored(), "http://x/scim/v2"));
    let expect = "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"id\":\"1\",\"externalId\":\"e\",\
                  \"userName\":\"ann\",\"meta\":{\"resourceType\":\"User\",\"created\":\"2026-01-31T09:00:00Z\",\
                  \"lastModified\":\"2026-01-31T10:00:00.123456Z\",\
                  \"location\":\"http://x/scim/v2/Users/1\",\"version\":\"W/\\\"7\\\"\"}}";
    assert_eq!(rendered.to_string(), expect);
}

#[test]
fn unassigned_attributes_are_left_out_and_schemas_tells_the_truth() {
    let mut user = stored();
    user.name = Some(Name::default());
    user.emails = vec![identity_proto::identity::v1::Email::default()];
    user.enterprise = Some(EnterpriseUser {
        manager: Some(Manager::default()),
        ..EnterpriseUser::default()
    });
    assert_eq!(render(&user, ""), render(&stored(), ""));
    user.enterprise = Some(EnterpriseUser {
        department: Some(String::new()),
        ..EnterpriseUser::default()
    });
    let rendered = render(&user, "");
    assert_eq!(rendered["schemas"], json!([USER_URN, ENTERPRISE_URN]));
    assert_eq!(rendered[ENTERPRISE_URN], json!({"department": ""}));
}

#[test]
fn what_is_rendered_is_read_as_the_same() {
    let mut user = stored();
    user.active = Some(true);
    user.enterprise = Some(EnterpriseUser {
        department: Some("d".to_owned()),
        ..EnterpriseUser::default()
    });
    let again = parse(render(&user, "http://x"), Quirks::STRICT).unwrap().user;
    let expect = User {
        id: String::new(),
        meta: None,
        ..user
    };
    assert_eq!(again, expect);
}

#[test]
fn a_managers_reference_is_made_from_its_id() {
    const ID: &str = "2819c223-7f76-453a-919d-413861904646";
    let check = |manager: Json, expect: Option<Json>| {
        let manager: Manager = serde_json::from_value(manager).unwrap();
        let mut user = stored();
        user.enterprise = Some(EnterpriseUser {
            manager: Some(manager),
            ..EnterpriseUser::default()
        });
        let rendered = render(&user, "http://x/scim/v2");
        let found = rendered.get(ENTERPRISE_URN).map(|extension| &extension["manager"]);
        assert_eq!(found, expect.as_ref());
        assert_eq!(
            rendered["schemas"].as_array().map(Vec::len),
            Some(1 + usize::from(expect.is_some()))
        );
    };
    let uri = format!("http://x/scim/v2/Users/{ID}");
    check(json!({"value": ID}), Some(json!({"value": ID, "$ref": uri})));
    check(
        json!({"value": ID, "$ref": "javascript:x"}),
        Some(json!({"value": ID, "$ref": uri})),
    );
    // What cannot be an id of ours leads nowhere.
    check(
        json!({"value": "../x", "$ref": "http://y"}),
        Some(json!({"value": "../x"})),
    );
    check(json!({"$ref": "http://y"}), None);
}

#[test]
fn a_managers_reference_is_not_taken_from_the_client() {
    let check = |extension: Json, expect: Json| {
        let body = json!({"schemas": [USER_URN], "userName": "ann", ENTERPRISE_URN: extension});
        let user = serde_json::to_value(read(body, Quirks::STRICT).unwrap().user).unwrap();
        assert_eq!(user[ENTERPRISE_URN], expect);
    };
    check(
        json!({"manager": {"value": "1", "$ref": "http://y"}}),
        json!({"manager": {"value": "1"}}),
    );
    check(json!({"manager": {"$ref": "http://y"}}), Json::Null);
    check(
        json!({"manager": {"$ref": "http://y"}, "department": "d"}),
        json!({"department": "d"}),
    );
}

#[test]
fn groups_are_shown_and_never_read() {
    let mut user = stored();
    let membership = |direct| Membership {
        group_id: "2".to_owned(),
        display: "Team".to_owned(),
        direct,
    };
    user.groups = vec![membership(true), membership(false)];
    let rendered = render(&user, "http://x/scim/v2");
    let value = |kind: &str| {
        let uri = "http://x/scim/v2/Groups/2";
        json!({"value": "2", "$ref": uri, "display": "Team", "type": kind})
    };
    assert_eq!(rendered["groups"], json!([value("direct"), value("indirect")]));
    assert_eq!(parse(rendered, Quirks::STRICT).unwrap().user.groups, vec![]);
}
