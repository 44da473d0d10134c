//! Attributes of one value, the extension, and the password.

use super::*;

#[test]
fn single_values_are_set_and_removed() {
    check(vec![add("title", json!("Prof"))], json!({"title": "Prof"}));
    check(vec![replace("nickName", json!("Annie"))], json!({"nickName": "Annie"}));
    check(vec![replace("active", json!(false))], json!({"active": false}));
    check(vec![replace("title", json!(""))], json!({"title": ""}));
    for gone in [
        remove("title"),
        replace("title", Json::Null),
        operation(Op::Remove, "title", Some(Json::Null)),
    ] {
        check(vec![gone], json!({"title": null}));
    }
    check(vec![add("title", Json::Null)], json!({}));
    check(vec![remove("active")], json!({"active": null}));
    check(vec![replace("active", Json::Null)], json!({"active": null}));
    check(vec![add("active", Json::Null)], json!({}));
    check(vec![remove("nickName")], json!({}));
    check(
        vec![add("externalId", json!("X")), replace("userName", json!("bo"))],
        json!({"externalId": "X", "userName": "bo"}),
    );
}

#[test]
fn complex_values_are_merged() {
    let given = json!({"givenName": "Bea"});
    let merged = json!({"name": {"givenName": "Bea", "familyName": "B"}});
    check(vec![add("name", given.clone())], merged.clone());
    check(vec![replace("name", given)], merged.clone());
    check(vec![replace("name.givenName", json!("Bea"))], merged);
    check(
        vec![replace("name", json!({"givenName": null}))],
        json!({"name": {"familyName": "B"}}),
    );
    check(vec![add("name", json!({"givenName": null}))], json!({}));
    check(vec![remove("name.givenName")], json!({"name": {"familyName": "B"}}));
    check(
        vec![remove("name.givenName"), remove("name.familyName")],
        json!({"name": null}),
    );
    check(vec![remove("name")], json!({"name": null}));
}

#[test]
fn the_extension_comes_and_goes_with_its_attributes() {
    let manager = json!({"value": "m1"});
    check(
        vec![replace("+department", json!("Ops"))],
        json!({ENTERPRISE_URN: {"department": "Ops", "manager": manager}}),
    );
    check(
        vec![add("+", json!({"costCenter": "7", "manager": {"$ref": "../Users/m1"}}))],
        json!({ENTERPRISE_URN: {"department": "R&D", "costCenter": "7", "manager": {"value": "m1", "$ref": "../Users/m1"}}}),
    );
    check(
        vec![replace("+", json!({"department": null}))],
        json!({ENTERPRISE_URN: {"manager": manager}}),
    );
    check(vec![remove("+")], json!({ENTERPRISE_URN: null}));
    check(
        vec![remove("+department"), remove("+manager.value")],
        json!({ENTERPRISE_URN: null}),
    );
    check(
        vec![remove("+"), replace("+manager.value", json!("m2"))],
        json!({ENTERPRISE_URN: {"manager": {"value": "m2"}}}),
    );
    let named = json!({"value": "m1", "displayName": "set by no client"});
    check(vec![replace("+manager", named)], json!({}));
}

#[test]
fn a_password_goes_beside_the_document_and_is_never_shown() {
    let patch = |operations: Vec<PatchOperation>| {
        let mut document = map(start());
        let known_before = password(&operations).map(str::to_owned);
        let patched = apply(&USER, &mut document, operations).unwrap();
        assert_eq!(Json::Object(document), start());
        if let Some(Some(set)) = &patched.password {
            assert_eq!(known_before.as_ref(), Some(set));
        }
        patched
    };
    assert_eq!(patch(vec![add("title", json!("Dr"))]).password, None);
    let set = patch(vec![replace("password", json!("t0p"))]);
    assert!(!format!("{set:?}").contains("t0p"));
    assert_eq!(set.password, Some(Some("t0p".to_owned())));
    assert_eq!(
        patch(vec![add("password", json!("x")), remove("password")]).password,
        Some(None)
    );
    let twice = vec![replace("password", json!("x")), add("password", json!("y"))];
    assert_eq!(password(&twice), Some("y"));
    assert_eq!(
        patch(vec![replace("password", json!("x")), add("password", Json::Null)]).password,
        Some(Some("x".to_owned()))
    );
    check_refused(replace("password", json!(5)), ErrorReason::InvalidValue, "password");
}

#[test]
fn a_tombstone_of_the_users_own_name_changes_nothing() {
    let digits = "0123456789abcdef0123456789ABCDEF";
    let check = |name: &str, marked: bool, expect: &str| {
        let Json::Object(mut document) = json!({"userName": "ann@x.test", "active": true}) else {
            panic!()
        };
        let value = json!(name);
        let operation = PatchOperation {
            op: Op::Replace.into(),
            path: Some(AttributePath::core("userName")),
            value: Some(value.into()),
            tombstone_name: marked,
            ..PatchOperation::default()
        };
        apply(&USER, &mut document, vec![operation]).unwrap();
        assert_eq!(document["userName"], expect, "{name} {marked}");
    };
    check(&format!("{digits}ann@x.test"), true, "ann@x.test");
    check(&format!("{digits}ANN@x.test"), true, "ann@x.test");
    check(&format!("{digits}bob@x.test"), true, &format!("{digits}bob@x.test"));
    check(digits, true, digits);
    check("bob@x.test", true, "bob@x.test");
    check(&format!("{digits}ann@x.test"), false, &format!("{digits}ann@x.test"));
}
