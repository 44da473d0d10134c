use identity_proto::identity::v1::{ErrorReason, Meta};

use super::*;

const ANN: &str = "2819c223-7f76-453a-919d-413861904646";
const TEAM: &str = "902c246b-6245-4190-8e05-00816be7344a";

fn read(body: Json, quirks: Quirks) -> Result<Group> {
    let Json::Object(map) = body else { panic!("{body}") };
    parse(map, quirks)
}

fn check_refused(body: &Json, reason: ErrorReason, what: &str) {
    let refusal = read(body.clone(), Quirks::STRICT).expect_err(&body.to_string());
    assert_eq!(refusal.reason, reason, "{body}: {}", refusal.detail);
    assert!(refusal.detail.contains(what), "{body}: {}", refusal.detail);
}

fn of(id: &str) -> Member {
    Member {
        id: id.to_owned(),
        ..Member::default()
    }
}

fn group(members: &[&str]) -> Group {
    Group {
        display_name: "Team".to_owned(),
        members: members.iter().map(|id| of(id)).collect(),
        ..Group::default()
    }
}

#[test]
fn a_group_is_read_and_what_the_id_says_is_not_taken() {
    let body = json!({
        "SCHEMAS": [GROUP_URN.to_uppercase()], "ID": "ignored", "meta": {"version": "ignored"}, "favouriteColour": "green",
        "DISPLAYNAME": "Team", "externalID": "e",
        "Members": [
            {"VALUE": ANN, "type": "Group", "$ref": "http://y", "display": "X"},
            {"value": TEAM, "type": 5, "$ref": null, "display": null},
            {"value": ANN},
        ],
    });
    let mut expect = Group {
        external_id: Some("e".to_owned()),
        ..group(&[ANN, TEAM])
    };
    expect.members[0].display = "X".to_owned();
    assert_eq!(read(body, Quirks::STRICT), Ok(expect));
}

#[test]
fn no_members_are_one_state() {
    let body = json!({"schemas": [GROUP_URN], "displayName": "Team"});
    for members in [json!(null), json!([])] {
        let mut body = body.clone();
        body["members"] = members;
        assert_eq!(read(body, Quirks::STRICT), Ok(group(&[])));
    }
    assert_eq!(read(body, Quirks::STRICT), Ok(group(&[])));
}

#[test]
fn faults_are_named() {
    use ErrorReason as R;
    let with = |name: &str, value: Json| {
        let mut body = json!({"schemas": [GROUP_URN], "displayName": "Team"});
        body[name] = value;
        body
    };
    for (body, reason, what) in [
        (json!({"displayName": "Team"}), R::InvalidSyntax, "schemas is required"),
        (with("schemas", json!([])), R::InvalidValue, "must hold"),
        (with("schemas", json!([GROUP_URN, "urn:x"])), R::InvalidValue, "urn:x"),
        (
            with("schemas", json!(["urn:ietf:params:scim:schemas:core:2.0:User"])),
            R::InvalidValue,
            "no schema of a Group",
        ),
        (
            json!({"schemas": [GROUP_URN]}),
            R::InvalidValue,
            "displayName is required",
        ),
        (
            with("displayName", json!(null)),
            R::InvalidValue,
            "displayName is required",
        ),
        (
            with("displayName", json!(5)),
            R::InvalidValue,
            "displayName must be a string",
        ),
        (
            with("externalId", json!(5)),
            R::InvalidValue,
            "externalId must be a string",
        ),
        (with("members", json!("x")), R::InvalidValue, "members must be a list"),
        (
            with("members", json!({"value": ANN})),
            R::InvalidValue,
            "members must be a list",
        ),
        (
            with("members", json!([ANN])),
            R::InvalidValue,
            "must be an object, not a string",
        ),
        (
            with("members", json!([null])),
            R::InvalidValue,
            "must be an object, not null",
        ),
        (with("members", json!([{}])), R::InvalidValue, "give its value"),
        (
            with("members", json!([{"display": "Ann"}])),
            R::InvalidValue,
            "give its value",
        ),
        (
            with("members", json!([{"value": null}])),
            R::InvalidValue,
            "give its value",
        ),
        (
            with("members", json!([{"value": 5}])),
            R::InvalidValue,
            "members.value must be a string",
        ),
    ] {
        check_refused(&body, reason, what);
    }
}

#[test]
fn deviations_are_read_by_interop() {
    let body = |schemas: &[&str], members: Json| json!({"schemas": schemas, "displayName": "Team", "members": members});
    let directory = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    for (schemas, members) in [
        (vec![GROUP_URN, directory], json!([{"value": ANN}])),
        (vec!["urn:scim:schemas:core:1.0"], json!([{"value": ANN}])),
        (vec![GROUP_URN], json!({"value": ANN})),
    ] {
        let body = body(&schemas, members);
        assert_eq!(read(body.clone(), Quirks::INTEROP), Ok(group(&[ANN])), "{body}");
        check_refused(&body, ErrorReason::InvalidValue, "");
    }
}

fn stored() -> Group {
    let member = |id: &str, kind: Type, display: &str| Member {
        id: id.to_owned(),
        r#type: kind.into(),
        display: display.to_owned(),
    };
    Group {
        id: "1".to_owned(),
        meta: Some(Meta {
            version: 7,
            ..Meta::default()
        }),
        external_id: Some("e".to_owned()),
        members: vec![member(ANN, Type::User, "Ann"), member(TEAM, Type::Group, "Others")],
        ..group(&[])
    }
}

#[test]
fn a_group_is_rendered_with_its_members_at_the_end() {
    let rendered = Json::Object(render(&stored(), "http://x/scim/v2"));
    let expect = json!({
        "schemas": [GROUP_URN], "id": "1", "externalId": "e", "displayName": "Team",
        "meta": {"resourceType": "Group", "location": "http://x/scim/v2/Groups/1", "version": "W/\"7\""},
        "members": [
            {"value": ANN, "$ref": format!("http://x/scim/v2/Users/{ANN}"), "type": "User", "display": "Ann"},
            {"value": TEAM, "$ref": format!("http://x/scim/v2/Groups/{TEAM}"), "type": "Group", "display": "Others"},
        ],
    });
    assert_eq!(rendered.to_string(), expect.to_string());
    let bare = render(&group(&[]), "");
    assert!(!bare.contains_key(MEMBERS) && !bare.contains_key("externalId"));
}

#[test]
fn what_is_rendered_is_read_as_the_same() {
    let again = parse(render(&stored(), "http://x"), Quirks::STRICT).unwrap();
    let mut expect = Group {
        external_id: Some("e".to_owned()),
        ..group(&[ANN, TEAM])
    };
    for (member, display) in expect.members.iter_mut().zip(["Ann", "Others"]) {
        member.display = display.to_owned();
    }
    assert_eq!(again, expect);
}
