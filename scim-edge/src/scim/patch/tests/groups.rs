//! Operations on the members of a group: their values are lists of ids.

use identity_proto::schema::{GROUP, GROUP_URN};

use super::*;

fn read_one(operation: &Json, quirks: Quirks) -> Result<Vec<String>> {
    read_of(&GROUP, &json!([operation]), quirks)
}

fn check(operation: &Json, expect: &[&str]) {
    for quirks in [Quirks::INTEROP, Quirks::STRICT] {
        let expect = expect.iter().map(ToString::to_string).collect();
        assert_eq!(read_one(operation, quirks), Ok(expect), "{operation}");
    }
}

fn check_refused_by(quirks: Quirks, operation: &Json, reason: ErrorReason, what: &str) {
    let refusal = read_one(operation, quirks).expect_err(&operation.to_string());
    assert_eq!(refusal.reason, reason, "{operation}: {}", refusal.detail);
    assert!(refusal.detail.contains(what), "{operation}: {}", refusal.detail);
}

fn check_refused(operation: &Json, reason: ErrorReason, what: &str) {
    for quirks in [Quirks::INTEROP, Quirks::STRICT] {
        check_refused_by(quirks, operation, reason, what);
    }
}

#[test]
fn members_are_added_and_replaced_by_their_ids() {
    for op in ["add", "replace"] {
        let expect = |ids: &str| format!("{op} members {ids}");
        let both =
            json!([{"value": "a", "display": "A", "type": "Group", "$ref": null}, {"VALUE": "b"}, {"value": "a"}]);
        check(
            &json!({"op": op, "path": "MEMBERS", "value": both}),
            &[&expect("[{\"display\":\"A\",\"value\":\"a\"},\"b\"]")],
        );
        check(
            &json!({"op": op, "path": "members", "value": {"value": "a"}}),
            &[&expect("[\"a\"]")],
        );
        check(
            &json!({"op": op, "path": format!("{GROUP_URN}:members"), "value": [{"value": "a"}]}),
            &[&expect("[\"a\"]")],
        );
        check(
            &json!({"op": op, "value": {"members": [{"value": "a"}], "displayName": "x"}}),
            &[&expect("[\"a\"]"), &format!("{op} displayName \"x\"")],
        );
    }
}

#[test]
fn replacing_members_with_nothing_takes_all_out_and_adding_nothing_adds_none() {
    for nothing in [json!(null), json!([])] {
        check(
            &json!({"op": "replace", "path": "members", "value": nothing}),
            &["remove members"],
        );
        check(
            &json!({"op": "replace", "value": {"members": nothing}}),
            &["remove members"],
        );
        check(&json!({"op": "add", "value": {"members": nothing}}), &[]);
    }
    check(&json!({"op": "add", "path": "members", "value": []}), &[]);
    check(&json!({"op": "remove", "path": "members"}), &["remove members"]);
}

#[test]
fn members_are_taken_out_by_their_values() {
    for (path, ids) in [
        ("members[value eq \"a\"]", "[\"a\"]"),
        ("Members[VALUE Eq \"a\"]", "[\"a\"]"),
        (
            "members[value eq \"a\" or value eq \"b\" or value eq \"a\"]",
            "[\"a\",\"b\"]",
        ),
        (
            "members[value eq \"a\" or (value eq \"b\" or (value eq \"c\"))]",
            "[\"a\",\"b\",\"c\"]",
        ),
    ] {
        check(
            &json!({"op": "remove", "path": path}),
            &[&format!("remove members {ids}")],
        );
    }
    for filter in [
        "value ne \"a\"",
        "value sw \"a\"",
        "value pr",
        "not (value eq \"a\")",
        "type eq \"User\"",
        "display eq \"Ann\"",
        "value eq \"a\" and type eq \"User\"",
        "value eq \"a\" or type eq \"User\"",
        "value eq null",
    ] {
        let operation = json!({"op": "remove", "path": format!("members[{filter}]")});
        check_refused(&operation, ErrorReason::InvalidFilter, "chosen by value");
    }
}

#[test]
fn a_remove_with_values_takes_only_those_out_and_strict_refuses_it() {
    for (value, expect) in [
        (
            json!([{"$ref": null, "value": "a"}, {"value": "b"}]),
            Some("[\"a\",\"b\"]"),
        ),
        (json!({"value": "a"}), Some("[\"a\"]")),
        (json!(["a", {"value": "b"}, "a"]), Some("[\"a\",\"b\"]")),
        (json!("a"), Some("[\"a\"]")),
        (json!([]), None),
    ] {
        let operation = json!({"op": "Remove", "path": "members", "value": value});
        let expect = expect.map(|ids| format!("remove members {ids}"));
        let expect: Vec<_> = expect.into_iter().collect();
        assert_eq!(read_one(&operation, Quirks::INTEROP), Ok(expect), "{operation}");
        let operation = json!({"op": "remove", "path": "members", "value": value});
        check_refused_by(Quirks::STRICT, &operation, ErrorReason::InvalidValue, "takes no value");
    }
    for value in [
        json!([{}]),
        json!(["a", {}]),
        json!([null]),
        json!({}),
        json!(5),
        json!(true),
    ] {
        let operation = json!({"op": "remove", "path": "members", "value": value});
        check_refused_by(Quirks::INTEROP, &operation, ErrorReason::InvalidValue, "members");
    }
}

#[test]
fn nothing_of_a_member_changes() {
    for operation in [
        json!({"op": "replace", "path": "members[value eq \"a\"]", "value": {"value": "b"}}),
        json!({"op": "add", "path": "members[value eq \"a\"]", "value": {"value": "b"}}),
        json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}),
        json!({"op": "replace", "path": "members[value eq \"a\"].display", "value": "b"}),
        json!({"op": "replace", "path": "members.display", "value": "b"}),
        json!({"op": "add", "path": "members.value", "value": "b"}),
        json!({"op": "remove", "path": "members.value"}),
        json!({"op": "remove", "path": "members[value eq \"a\"].type"}),
        json!({"op": "remove", "path": "displayName"}),
        json!({"op": "replace", "value": {"id": "another"}}),
    ] {
        check_refused(&operation, ErrorReason::Mutability, "");
    }
}

#[test]
fn what_is_no_member_is_refused() {
    for value in [
        json!("a"),
        json!(["a"]),
        json!([null]),
        json!([{}]),
        json!([{"value": 5}]),
        json!(5),
    ] {
        let operation = json!({"op": "add", "path": "members", "value": value});
        check_refused(&operation, ErrorReason::InvalidValue, "members");
    }
    check_refused(
        &json!({"op": "add", "path": "members"}),
        ErrorReason::InvalidValue,
        "need a value",
    );
}

#[test]
fn a_rename_may_repeat_the_id() {
    let operation = json!({"op": "replace", "value": {"id": ID, "displayName": "x", "members": [{"value": "a"}]}});
    let expect = ["replace displayName \"x\"", "replace members [\"a\"]"].map(str::to_owned);
    assert_eq!(read_one(&operation, Quirks::INTEROP), Ok(expect.to_vec()));
    check_refused_by(Quirks::STRICT, &operation, ErrorReason::Mutability, "id");
}

#[test]
fn the_order_of_operations_is_kept() {
    let operations = json!([
        {"op": "remove", "path": "members[value eq \"a\"]"},
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": [{"value": "b"}]},
    ]);
    let expect = ["remove members [\"a\"]", "remove members", "add members [\"b\"]"].map(str::to_owned);
    assert_eq!(read_of(&GROUP, &operations, Quirks::STRICT), Ok(expect.to_vec()));
}

#[test]
fn neighbours_that_add_or_take_out_are_one_operation() {
    let remove = |id: &str| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")});
    let change = |op: &str, id: &str| json!({"op": op, "path": "members", "value": [{"value": id}]});
    for (operations, expect) in [
        (
            json!([remove("a"), remove("b"), remove("a")]),
            vec!["remove members [\"a\",\"b\",\"a\"]"],
        ),
        (
            json!([
                change("add", "a"),
                change("add", "b"),
                remove("c"),
                remove("d"),
                change("add", "c")
            ]),
            vec![
                "add members [\"a\",\"b\"]",
                "remove members [\"c\",\"d\"]",
                "add members [\"c\"]",
            ],
        ),
        (
            json!([change("replace", "a"), change("replace", "b"), change("add", "c")]),
            vec![
                "replace members [\"a\"]",
                "replace members [\"b\"]",
                "add members [\"c\"]",
            ],
        ),
        (
            json!([remove("a"), {"op": "remove", "path": "members"}, remove("b")]),
            vec!["remove members [\"a\"]", "remove members", "remove members [\"b\"]"],
        ),
        (
            json!([remove("a"), {"op": "replace", "path": "displayName", "value": "x"}, remove("b")]),
            vec![
                "remove members [\"a\"]",
                "replace displayName \"x\"",
                "remove members [\"b\"]",
            ],
        ),
        (
            json!([change("add", "a"), {"op": "add", "value": {"members": [{"value": "b"}]}}]),
            vec!["add members [\"a\",\"b\"]"],
        ),
    ] {
        let expect = expect.into_iter().map(str::to_owned).collect();
        assert_eq!(read_of(&GROUP, &operations, Quirks::STRICT), Ok(expect), "{operations}");
    }
}

#[test]
fn more_operations_may_be_sent_than_may_be_left() {
    let remove = |number: usize| json!({"op": "remove", "path": format!("members[value eq \"{number}\"]")});
    let add = |number: usize| json!({"op": "add", "path": "members", "value": [{"value": number.to_string()}]});
    let read = |operations: Vec<Json>| read_of(&GROUP, &operations.into(), Quirks::STRICT);
    let all = read((0..MAX_OF_REFERENCES).map(remove).collect());
    assert_eq!(all.map(|operations| operations.len()), Ok(1));
    let turns = |count: usize| (0..count).map(|number| if number % 2 == 0 { add(number) } else { remove(number) });
    let kept = read(turns(MAX_OPERATIONS).collect());
    assert_eq!(kept.map(|operations| operations.len()), Ok(MAX_OPERATIONS));
    for operations in [
        (0..=MAX_OF_REFERENCES).map(remove).collect(),
        turns(MAX_OPERATIONS + 1).collect(),
    ] {
        assert_eq!(read(operations).unwrap_err().reason, ErrorReason::TooMany);
    }
}

#[test]
fn as_many_members_are_listed_as_a_body_holds() {
    let values: Vec<_> = (0..5_000).map(|number| json!({"value": number.to_string()})).collect();
    for op in ["add", "replace", "remove"] {
        let body = json!({"schemas": [URN], "Operations": [{"op": op, "path": "members", "value": values}]});
        let Json::Object(body) = body else { unreachable!() };
        let operations = parse(&GROUP, body, ID, Quirks::INTEROP).unwrap();
        assert_eq!(operations.len(), 1, "{op}");
        let listed = Json::from(operations[0].value.clone().unwrap());
        assert_eq!(listed.as_array().map(Vec::len), Some(5_000), "{op}");
    }
}
