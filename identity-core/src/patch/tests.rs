use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::patch_operation::{NoMatch, Op};
use identity_proto::identity::v1::{self as proto, PatchOperation};
use identity_proto::schema::ENTERPRISE_URN;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// `attribute.sub`, with a leading `+` for the enterprise extension.
fn path(text: &str) -> AttributePath {
    let (schema, rest) = match text.strip_prefix('+') {
        Some(rest) => (ENTERPRISE_URN, rest),
        None => ("", text),
    };
    let (attribute, sub) = rest.split_once('.').unwrap_or((rest, ""));
    AttributePath {
        schema: schema.to_owned(),
        attribute: attribute.to_owned(),
        sub_attribute: sub.to_owned(),
    }
}

fn operation(op: Op, at: &str, value: Option<Json>) -> PatchOperation {
    PatchOperation {
        op: op.into(),
        path: Some(path(at)),
        value: value.map(proto::Value::from),
        ..PatchOperation::default()
    }
}

fn add(at: &str, value: Json) -> PatchOperation {
    operation(Op::Add, at, Some(value))
}

fn replace(at: &str, value: Json) -> PatchOperation {
    operation(Op::Replace, at, Some(value))
}

fn remove(at: &str) -> PatchOperation {
    operation(Op::Remove, at, None)
}

fn eq(sub: &str, value: Json) -> Filter {
    Filter::compare(AttributePath::core(sub), Operator::Eq, value.into())
}

trait Filtered {
    fn filtered(self, filter: Filter) -> Self;
    fn or_create(self) -> Self;
}

impl Filtered for PatchOperation {
    fn filtered(self, filter: Filter) -> Self {
        PatchOperation {
            value_filter: Some(filter),
            ..self
        }
    }

    fn or_create(self) -> Self {
        PatchOperation {
            no_match: NoMatch::Create.into(),
            ..self
        }
    }
}

fn map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn start() -> Json {
    json!({
        "userName": "ann", "active": true, "title": "Dr",
        "name": {"givenName": "Ann", "familyName": "B"},
        "emails": [
            {"value": "a@work", "type": "work", "primary": true},
            {"value": "a@home", "type": "home", "display": "Home"},
        ],
        ENTERPRISE_URN: {"department": "R&D", "manager": {"value": "m1"}},
    })
}

/// Applies the operations to `start()` and compares the named attributes with what is expected; null means absent.
fn check(operations: Vec<PatchOperation>, expect: Json) {
    let mut document = map(start());
    apply(&mut document, operations).unwrap();
    let mut expected = map(start());
    for (name, value) in map(expect) {
        match value {
            Json::Null => drop(expected.shift_remove(&name)),
            value => drop(expected.insert(name, value)),
        }
    }
    assert_eq!(Json::Object(document), Json::Object(expected));
}

fn check_refused(operation: PatchOperation, reason: ErrorReason, word: &str) {
    let error = apply(&mut map(start()), vec![operation]).unwrap_err();
    assert_eq!(error.reason, reason, "{}", error.message);
    assert!(error.message.contains(word), "{}", error.message);
}

fn work() -> Json {
    json!({"value": "a@work", "type": "work", "primary": true})
}

fn home() -> Json {
    json!({"value": "a@home", "type": "home", "display": "Home"})
}

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
fn values_are_appended_once() {
    let other = json!({"value": "a@other", "type": "other"});
    check(
        vec![add("emails", json!([other]))],
        json!({"emails": [work(), home(), other]}),
    );
    check(
        vec![add("emails", other.clone())],
        json!({"emails": [work(), home(), other]}),
    );
    check(
        vec![add("emails", json!([other, other])), add("emails", json!([home()]))],
        json!({"emails": [work(), home(), other]}),
    );
    check(vec![add("emails", json!([work(), {}, {"value": null}]))], json!({}));
    check(vec![add("emails", json!([]))], json!({}));
    check(
        vec![add("roles", json!([{"value": "admin"}]))],
        json!({"roles": [{"value": "admin"}]}),
    );
    check(vec![replace("emails", json!([other]))], json!({"emails": [other]}));
    check(vec![replace("emails", json!([]))], json!({"emails": null}));
    check(vec![replace("emails", Json::Null)], json!({"emails": null}));
    check(vec![remove("emails")], json!({"emails": null}));
}

#[test]
fn a_filter_chooses_values() {
    let of = |kind: &str| eq("type", json!(kind));
    check(
        vec![replace("emails.value", json!("new@work")).filtered(of("WORK"))],
        json!({"emails": [{"value": "new@work", "type": "work", "primary": true}, home()]}),
    );
    check(
        vec![add("emails", json!({"display": "Work"})).filtered(of("work"))],
        json!({"emails": [{"value": "a@work", "type": "work", "primary": true, "display": "Work"}, home()]}),
    );
    check(
        vec![replace("emails", json!({"value": "new@home"})).filtered(of("home"))],
        json!({"emails": [work(), {"type": "home", "value": "new@home"}]}),
    );
    check(vec![remove("emails").filtered(of("home"))], json!({"emails": [work()]}));
    check(
        vec![
            remove("emails.display").filtered(of("home")),
            remove("emails.display").filtered(of("work")),
        ],
        json!({"emails": [work(), {"value": "a@home", "type": "home"}]}),
    );
    check(
        vec![
            remove("emails").filtered(of("home")),
            remove("emails").filtered(Filter::present(AttributePath::core("value"))),
        ],
        json!({"emails": null}),
    );
    check(
        vec![replace("emails.type", json!("other")).filtered(Filter::present(AttributePath::core("value")))],
        json!({"emails": [
            {"value": "a@work", "type": "other", "primary": true}, {"value": "a@home", "type": "other", "display": "Home"},
        ]}),
    );
    check(
        vec![replace("emails.display", json!("D"))],
        json!({"emails": [
            {"value": "a@work", "type": "work", "primary": true, "display": "D"},
            {"value": "a@home", "type": "home", "display": "D"},
        ]}),
    );
}

#[test]
fn a_filter_without_a_match_refuses_or_creates() {
    let mobile = || eq("type", json!("mobile"));
    for refused in [
        add("phoneNumbers.value", json!("5")).filtered(mobile()),
        replace("phoneNumbers.value", json!("5")).filtered(mobile()),
        replace("emails", json!({"value": "x"})).filtered(mobile()),
        remove("emails").filtered(mobile()),
        replace("emails.value", json!("x"))
            .filtered(Filter::or(vec![mobile(), eq("type", json!("fax"))]))
            .or_create(),
        replace("emails.display", json!("x"))
            .filtered(Filter::and(vec![
                mobile(),
                Filter::present(AttributePath::core("value")),
            ]))
            .or_create(),
    ] {
        check_refused(refused, ErrorReason::NoTarget, "matches");
    }
    check(vec![remove("emails").filtered(mobile()).or_create()], json!({}));
    check(
        vec![
            add("phoneNumbers.value", json!("5")).filtered(mobile()).or_create(),
            add("phoneNumbers.display", json!("five"))
                .filtered(mobile())
                .or_create(),
        ],
        json!({"phoneNumbers": [{"type": "mobile", "value": "5", "display": "five"}]}),
    );
    check(
        vec![
            replace("addresses", json!({"locality": "Bonn"}))
                .filtered(eq("type", json!("work")))
                .or_create(),
        ],
        json!({"addresses": [{"type": "work", "locality": "Bonn"}]}),
    );
    let primary_role = || eq("primary", json!(true));
    check(
        vec![
            add("roles.value", json!("auditor"))
                .filtered(primary_role())
                .or_create(),
            add("roles.display", json!("Auditor"))
                .filtered(primary_role())
                .or_create(),
            replace("roles.value", json!("owner"))
                .filtered(primary_role())
                .or_create(),
        ],
        json!({"roles": [{"primary": true, "value": "owner", "display": "Auditor"}]}),
    );
}

/// The second operation no longer finds what the first made by the filter, and means it all the same.
#[test]
fn operations_that_follow_on_one_filter_meet_in_one_value() {
    let filter = || Filter::and(vec![eq("type", json!("work")), eq("value", json!("old"))]);
    let at = |sub: &str, value: &str| {
        replace(&format!("phoneNumbers.{sub}"), json!(value))
            .filtered(filter())
            .or_create()
    };
    check(
        vec![at("value", "new"), at("display", "D")],
        json!({"phoneNumbers": [{"type": "work", "value": "new", "display": "D"}]}),
    );
    check(
        vec![
            at("value", "new"),
            add("title", json!("x")),
            at("display", "D"),
            replace("title", json!("Dr")),
        ],
        json!({"phoneNumbers": [{"type": "work", "value": "new", "display": "D"}]}),
    );
    let elsewhere = add("phoneNumbers", json!({"value": "5"}));
    check(
        vec![at("value", "new"), elsewhere, at("display", "D")],
        json!({"phoneNumbers": [
            {"type": "work", "value": "new"}, {"value": "5"}, {"type": "work", "value": "old", "display": "D"},
        ]}),
    );
}

#[test]
fn one_value_stays_primary() {
    let demoted = json!({"value": "a@work", "type": "work", "primary": false});
    let promoted = json!({"value": "a@home", "type": "home", "display": "Home", "primary": true});
    let at_home = |operation: PatchOperation| operation.filtered(eq("type", json!("home")));
    let moved = json!({"emails": [demoted, promoted]});
    check(vec![at_home(replace("emails.primary", json!(true)))], moved.clone());
    check(vec![at_home(add("emails", json!({"primary": true})))], moved.clone());
    check(vec![add("emails", json!([promoted]))], moved);
    let other = json!({"value": "o", "primary": true});
    check(
        vec![add("emails", json!([other]))],
        json!({"emails": [demoted, home(), other]}),
    );
    check(
        vec![replace("emails", json!([home(), other]))],
        json!({"emails": [home(), other]}),
    );
    check(
        vec![
            add("emails.value", json!("n"))
                .filtered(Filter::and(vec![eq("type", json!("x")), eq("primary", json!(true))]))
                .or_create(),
        ],
        json!({"emails": [demoted, home(), {"type": "x", "primary": true, "value": "n"}]}),
    );
    check(
        vec![remove("emails").filtered(eq("primary", json!(true)))],
        json!({"emails": [home()]}),
    );
    let two = json!([{"value": "1", "primary": true}, {"value": "2", "primary": true}]);
    check_refused(add("emails", two.clone()), ErrorReason::InvalidValue, "primary");
    check_refused(replace("emails", two), ErrorReason::InvalidValue, "primary");
    check_refused(
        replace("emails.primary", json!(true)),
        ErrorReason::InvalidValue,
        "primary",
    );
}

#[test]
fn what_may_not_change_is_refused() {
    for read_only in [
        "id",
        "meta",
        "meta.version",
        "groups",
        "groups.value",
        "+manager.displayName",
    ] {
        check_refused(replace(read_only, json!("x")), ErrorReason::Mutability, "read-only");
        check_refused(remove(read_only), ErrorReason::Mutability, "read-only");
    }
    check_refused(remove("userName"), ErrorReason::Mutability, "userName");
    check_refused(replace("userName", Json::Null), ErrorReason::Mutability, "userName");
    check_refused(remove("schemas"), ErrorReason::Mutability, "schemas");
    check(vec![add("schemas", json!([ENTERPRISE_URN]))], json!({}));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    check_refused(replace("shoeSize", json!(44)), ErrorReason::InvalidPath, "shoeSize");
    check_refused(replace("UserName", json!("x")), ErrorReason::InvalidPath, "UserName");
    check_refused(replace("", json!({})), ErrorReason::InvalidPath, "no attribute");
    check_refused(
        replace("title", json!("x")).filtered(eq("type", json!("x"))),
        ErrorReason::InvalidPath,
        "title",
    );
    check_refused(
        replace("emails", json!({})).filtered(eq("shoe", json!("x"))),
        ErrorReason::InvalidFilter,
        "shoe",
    );
    check_refused(replace("emails", json!("x")), ErrorReason::InvalidValue, "emails");
    check_refused(replace("name", json!("x")), ErrorReason::InvalidValue, "name");
    check_refused(replace("+", json!("x")), ErrorReason::InvalidValue, "object");
    check_refused(replace("+", json!({"shoe": 1})), ErrorReason::InvalidValue, "shoe");
    check_refused(
        operation(Op::Add, "title", None),
        ErrorReason::InvalidValue,
        "needs a value",
    );
    check_refused(
        operation(Op::Remove, "emails", Some(json!([work()]))),
        ErrorReason::InvalidValue,
        "has no value",
    );
    check_refused(
        operation(Op::Unspecified, "title", None),
        ErrorReason::InvalidSyntax,
        "title",
    );
    let many: Vec<Json> = (0..=crate::validate::MAX_VALUES)
        .map(|n| json!({"value": n.to_string()}))
        .collect();
    check_refused(add("roles", many.into()), ErrorReason::InvalidValue, "201 values");
}

#[test]
fn a_password_goes_beside_the_document_and_is_never_shown() {
    let patch = |operations: Vec<PatchOperation>| {
        let mut document = map(start());
        let known_before = password(&operations).map(str::to_owned);
        let patched = apply(&mut document, operations).unwrap();
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

fn value() -> impl Strategy<Value = Json> {
    let text = || prop::sample::select(vec!["a", "b", "A", "work", ""]);
    (text(), prop::option::of(text()), any::<Option<bool>>()).prop_map(|(value, kind, primary)| {
        let mut email = map(json!({"value": value}));
        email.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
        email.extend(primary.map(|primary| ("primary".to_owned(), json!(primary))));
        Json::Object(email)
    })
}

fn any_operation() -> impl Strategy<Value = PatchOperation> {
    let at = prop::sample::select(vec![
        "emails",
        "emails.value",
        "emails.primary",
        "emails.type",
        "name",
        "title",
        "+",
        "+manager",
    ]);
    let given = prop_oneof![
        value(),
        value().prop_map(|one| json!([one])),
        Just(json!(true)),
        Just(json!("x")),
        Just(Json::Null)
    ];
    let op = prop::sample::select(vec![Op::Add, Op::Replace, Op::Remove]);
    (op, at, given, any::<bool>(), any::<bool>()).prop_map(|(op, at, given, filtered, create)| {
        let operation = operation(op, at, (op != Op::Remove).then_some(given));
        let operation = if filtered {
            operation.filtered(eq("type", json!("work")))
        } else {
            operation
        };
        if create { operation.or_create() } else { operation }
    })
}

proptest! {
    #[test]
    fn adding_and_removing_a_value_restores_the_document(kind in "[c-z]{1,8}") {
        prop_assume!(kind != "work" && kind != "home");
        let added = json!({"value": "new", "type": kind});
        check(vec![add("emails", added), remove("emails").filtered(eq("type", json!(kind)))], json!({}));
    }

    #[test]
    fn adding_twice_is_adding_once(given in prop::collection::vec(value(), 0..4)) {
        let once = |times: usize| {
            let mut document = map(start());
            apply(&mut document, vec![add("emails", given.clone().into()); times]).map(|_| document).ok()
        };
        prop_assert_eq!(once(1), once(2));
    }

    #[test]
    fn nothing_unassigned_and_no_second_primary_is_left(operations in prop::collection::vec(any_operation(), 0..6)) {
        let mut document = map(start());
        if apply(&mut document, operations).is_ok() {
            let mut pruned = document.clone();
            prune(&mut pruned);
            prop_assert_eq!(&document, &pruned);
            let emails = document.get("emails").and_then(Json::as_array).cloned().unwrap_or_default();
            prop_assert!(emails.iter().filter(|email| crate::validate::is_primary(email)).count() <= 1);
        }
    }
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
        apply(&mut document, vec![operation]).unwrap();
        assert_eq!(document["userName"], expect, "{name} {marked}");
    };
    check(&format!("{digits}ann@x.test"), true, "ann@x.test");
    check(&format!("{digits}ANN@x.test"), true, "ann@x.test");
    check(&format!("{digits}bob@x.test"), true, &format!("{digits}bob@x.test"));
    check(digits, true, digits);
    check("bob@x.test", true, "bob@x.test");
    check(&format!("{digits}ann@x.test"), false, &format!("{digits}ann@x.test"));
}
