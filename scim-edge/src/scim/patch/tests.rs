use identity_proto::schema::{ENTERPRISE_URN, USER};
use serde_json::json;

use super::*;

mod groups;

const ID: &str = "2819c223-7f76-453a-919d-413861904646";

fn read(operations: &Json, quirks: Quirks) -> Result<Vec<String>> {
    read_of(&USER, operations, quirks)
}

fn read_of(resource: &'static ResourceType, operations: &Json, quirks: Quirks) -> Result<Vec<String>> {
    let body = json!({"schemas": [URN], "Operations": operations});
    let Json::Object(body) = body else { unreachable!() };
    let operations = parse(resource, body, ID, quirks)?;
    Ok(operations.iter().map(shown).collect())
}

/// `op path[filter] value`, with `+` where a value is made if none matches.
fn shown(operation: &PatchOperation) -> String {
    let op = operation.op().as_str_name().to_ascii_lowercase();
    let path = operation.path.clone().unwrap();
    let creates = if operation.no_match() == NoMatch::Create {
        "+"
    } else {
        ""
    };
    let filter = operation
        .value_filter
        .as_ref()
        .map(|filter| format!("[{filter}]{creates}"));
    let value = operation.value.clone().map(|value| {
        let mut value = Json::from(value);
        value.sort_all_objects();
        format!(" {value}")
    });
    format!("{op} {path}{}{}", filter.unwrap_or_default(), value.unwrap_or_default())
}

/// The same for both profiles.
fn check(operation: Json, expect: &[&str]) {
    let operations = Json::Array(vec![operation]);
    for quirks in [Quirks::INTEROP, Quirks::STRICT] {
        let found =
            read(&operations, quirks).map(|found| found.iter().map(|one| one.replace("]+", "]")).collect::<Vec<_>>());
        assert_eq!(
            found,
            Ok(expect.iter().map(ToString::to_string).collect()),
            "{operations}"
        );
    }
}

fn check_refused(operation: &Json, reason: ErrorReason) {
    for quirks in [Quirks::INTEROP, Quirks::STRICT] {
        check_refused_by(quirks, operation.clone(), reason);
    }
}

fn check_refused_by(quirks: Quirks, operation: Json, reason: ErrorReason) {
    let operations = Json::Array(vec![operation]);
    let refusal = read(&operations, quirks).expect_err(&operations.to_string());
    assert_eq!(refusal.reason, reason, "{operations}: {}", refusal.detail);
}

/// Understood by interop; strict refuses it.
fn check_deviation(operation: Json, expect: &[&str], strict: ErrorReason) {
    check_refused_by(Quirks::STRICT, operation.clone(), strict);
    let operations = Json::Array(vec![operation]);
    let expect = expect.iter().map(ToString::to_string).collect();
    assert_eq!(read(&operations, Quirks::INTEROP), Ok(expect), "{operations}");
}

#[test]
fn operations_with_a_path() {
    check(
        json!({"op": "replace", "path": "active", "value": false}),
        &["replace active false"],
    );
    check(
        json!({"op": "add", "path": "TITLE", "value": "x"}),
        &["add title \"x\""],
    );
    check(json!({"op": "remove", "path": "title"}), &["remove title"]);
    check(
        json!({"op": "replace", "path": "Name.familyname", "value": "x"}),
        &["replace name.familyName \"x\""],
    );
    check(
        json!({"op": "replace", "path": "name", "value": {"GivenName": "x", "junk": 1}}),
        &["replace name {\"givenName\":\"x\"}"],
    );
    check(
        json!({"op": "add", "path": "emails", "value": {"value": "x", "type": "work"}}),
        &["add emails [{\"type\":\"work\",\"value\":\"x\"}]"],
    );
    check(
        json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"}),
        &["replace emails.value[type eq \"work\"] \"x\""],
    );
    check(
        json!({"op": "replace", "path": "emails[type eq \"work\"]", "value": [{"VALUE": "x"}]}),
        &["replace emails[type eq \"work\"] {\"value\":\"x\"}"],
    );
    check(
        json!({"op": "remove", "path": "emails[type eq \"work\" and value co \"x\"]"}),
        &["remove emails[type eq \"work\" and value co \"x\"]"],
    );
    check(
        json!({"op": "replace", "path": "password", "value": "secret"}),
        &["replace password \"secret\""],
    );
    check(
        json!({"OP": "remove", "PATH": "title", "Value": null}),
        &["remove title"],
    );
}

#[test]
fn operations_without_a_path_become_one_for_each_key() {
    let department = format!("add {ENTERPRISE_URN}:department \"d\"");
    let manager = format!("add {ENTERPRISE_URN}:manager.value \"1\"");
    let urn = ENTERPRISE_URN;
    check(
        json!({"op": "add", "value": {
            "displayName": "d", "name.givenName": "g", "name": {"familyName": "f"}, "unknown": 1, "__proto__.x": 1,
            "emails": [{"value": "e"}], "title": null,
            format!("{urn}:manager.value"): "1",
            urn.to_lowercase(): {"Department": "d", "junk": 1},
        }}),
        &[
            "add displayName \"d\"",
            "add name.givenName \"g\"",
            "add name {\"familyName\":\"f\"}",
            "add emails [{\"value\":\"e\"}]",
            &manager,
            &department,
        ],
    );
    check(
        json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User", "value": {"title": "x"}}),
        &["replace title \"x\""],
    );
    check(
        json!({"op": "replace", "path": urn, "value": {"department": "d"}}),
        &[&department.replace("add", "replace")],
    );
    check(
        json!({"op": "replace", "value": {"active": false}}),
        &["replace active false"],
    );
}

#[test]
fn replacing_with_nothing_removes() {
    check(
        json!({"op": "replace", "path": "title", "value": null}),
        &["remove title"],
    );
    check(
        json!({"op": "replace", "path": "emails", "value": []}),
        &["remove emails"],
    );
    check(json!({"op": "replace", "value": {"title": null}}), &["remove title"]);
    check(
        json!({"op": "replace", "path": "emails[type eq \"work\"].display", "value": null}),
        &["remove emails.display[type eq \"work\"]"],
    );
    check(
        json!({"op": "replace", "path": "name", "value": {"givenName": null, "familyName": "x"}}),
        &["remove name.givenName", "replace name {\"familyName\":\"x\"}"],
    );
    check(
        json!({"op": "replace", "path": "name", "value": {"givenName": null}}),
        &["remove name.givenName"],
    );
    let whole = format!("remove {ENTERPRISE_URN}");
    check(
        json!({"op": "replace", "path": ENTERPRISE_URN, "value": null}),
        &[&whole],
    );
    check(json!({"op": "remove", "path": ENTERPRISE_URN}), &[&whole]);
    check(
        json!({"op": "replace", "path": "title", "value": ""}),
        &["replace title \"\""],
    );
    check(json!({"op": "add", "path": "emails", "value": []}), &[]);
    check(json!({"op": "add", "path": "schemas", "value": [ENTERPRISE_URN]}), &[]);
}

#[test]
fn what_is_no_operation_is_refused() {
    use ErrorReason as R;
    for (operation, reason) in [
        (json!("remove"), R::InvalidSyntax),
        (json!({"path": "title", "value": "x"}), R::InvalidSyntax),
        (json!({"op": "merge", "path": "title", "value": "x"}), R::InvalidSyntax),
        (json!({"op": 1, "path": "title", "value": "x"}), R::InvalidSyntax),
        (json!({"op": "remove"}), R::NoTarget),
        (json!({"op": "remove", "value": {"title": "x"}}), R::NoTarget),
        (json!({"op": "add", "path": "title"}), R::InvalidValue),
        (json!({"op": "add", "path": "title", "value": null}), R::InvalidValue),
        (json!({"op": "replace", "value": "x"}), R::InvalidValue),
        (json!({"op": "replace", "value": [{"title": "x"}]}), R::InvalidValue),
        (json!({"op": "replace"}), R::InvalidValue),
        (json!({"op": "replace", "path": "", "value": "x"}), R::InvalidPath),
        (json!({"op": "replace", "path": 5, "value": "x"}), R::InvalidPath),
        (json!({"op": "add", "path": "tenant_id", "value": "x"}), R::InvalidPath),
        (
            json!({"op": "replace", "path": "emails[type eq].value", "value": "x"}),
            R::InvalidFilter,
        ),
        (json!({"op": "replace", "path": "id", "value": ID}), R::Mutability),
        (
            json!({"op": "replace", "path": "meta.version", "value": "x"}),
            R::Mutability,
        ),
        (
            json!({"op": "add", "path": "groups", "value": [{"value": "x"}]}),
            R::Mutability,
        ),
        (json!({"op": "remove", "path": "groups[value eq \"x\"]"}), R::Mutability),
        (
            json!({"op": "replace", "path": format!("{ENTERPRISE_URN}:manager.displayName"), "value": "x"}),
            R::Mutability,
        ),
        (json!({"op": "remove", "path": "userName"}), R::Mutability),
        (
            json!({"op": "replace", "path": "userName", "value": null}),
            R::Mutability,
        ),
        (json!({"op": "remove", "path": "schemas"}), R::Mutability),
        (json!({"op": "replace", "value": {"id": "another"}}), R::Mutability),
        (
            json!({"op": "replace", "path": "active", "value": "maybe"}),
            R::InvalidValue,
        ),
        (json!({"op": "replace", "path": "active", "value": 1}), R::InvalidValue),
        (json!({"op": "add", "path": "emails", "value": ["x"]}), R::InvalidValue),
        (json!({"op": "add", "path": "emails", "value": "x"}), R::InvalidValue),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": {}}),
            R::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "title", "value": ["x"]}),
            R::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": ENTERPRISE_URN, "value": "x"}),
            R::InvalidValue,
        ),
    ] {
        check_refused(&operation, reason);
    }
}

#[test]
fn deviations_are_read_by_interop_alone() {
    use ErrorReason as R;
    let manager = format!("{ENTERPRISE_URN}:manager");
    let set = format!("replace {manager} {{\"value\":\"1\"}}");
    let unref = format!("remove {manager}.$ref");
    let cleared = format!("remove {manager}");
    for (operation, expect, strict) in [
        (
            json!({"op": "Replace", "path": "active", "value": false}),
            "replace active false",
            R::InvalidSyntax,
        ),
        (
            json!({"op": "replace", "path": "active", "value": "False"}),
            "replace active false",
            R::InvalidValue,
        ),
        (
            json!({"op": "replace", "value": {"active": "true"}}),
            "replace active true",
            R::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"].primary", "value": "True"}),
            "replace emails.primary[type eq \"work\"]+ true",
            R::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "roles", "value": [{"value": "a", "primary": "True"}]}),
            "add roles [{\"primary\":true,\"value\":\"a\"}]",
            R::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "roles[primary eq \"True\"].value", "value": "a"}),
            "add roles.value[primary eq true]+ \"a\"",
            R::InvalidFilter,
        ),
        (
            json!({"op": "replace", "path": manager, "value": ""}),
            &cleared,
            R::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "emails", "value": [{"$ref": null, "value": "x"}]}),
            "remove emails[value eq \"x\"]+",
            R::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "emails", "value": [{"value": "x", "type": "work"}, {"value": "y"}]}),
            "remove emails[value eq \"x\" or value eq \"y\"]+",
            R::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "addresses", "value": {"type": "work", "locality": "B"}}),
            "remove addresses[type eq \"work\" and locality eq \"B\"]+",
            R::InvalidValue,
        ),
    ] {
        check_deviation(operation, &[expect], strict);
    }
    for value in [json!("1"), json!([{"$ref": null, "value": "1"}])] {
        let operation = json!({"op": "replace", "path": manager, "value": value});
        check_deviation(operation, &[&unref, &set], R::InvalidValue);
    }
    let title = json!({"op": "replace", "value": {"id": ID, "meta": {"version": "x"}, "schemas": [], "groups": [], "title": "x"}});
    check_deviation(title, &["replace title \"x\""], R::Mutability);
    let misspelt = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department";
    check_deviation(
        json!({"op": "replace", "path": misspelt, "value": "d"}),
        &[&format!("replace {ENTERPRISE_URN}:department \"d\"")],
        R::InvalidPath,
    );
}

#[test]
fn remove_by_value_never_removes_more_than_is_listed() {
    let interop = |operation: Json| read(&Json::Array(vec![operation]), Quirks::INTEROP);
    assert_eq!(
        interop(json!({"op": "remove", "path": "emails", "value": []})),
        Ok(vec![])
    );
    for value in [
        json!([{}]),
        json!([{"junk": 1}]),
        json!(["x", {}]),
        json!([null]),
        json!(5),
        json!({}),
        json!(true),
    ] {
        let operation = json!({"op": "remove", "path": "emails", "value": value});
        let found = interop(operation);
        assert!(
            found
                .as_ref()
                .is_err_and(|refusal| refusal.reason == ErrorReason::InvalidValue),
            "{value}: {found:?}"
        );
    }
}

#[test]
fn strict_refuses_a_filter_without_a_match_and_interop_makes_the_value() {
    let operations = json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"}]);
    let expect = "replace emails.value[type eq \"work\"]";
    assert_eq!(read(&operations, Quirks::STRICT), Ok(vec![format!("{expect} \"x\"")]));
    assert_eq!(read(&operations, Quirks::INTEROP), Ok(vec![format!("{expect}+ \"x\"")]));
}

#[test]
fn order_is_kept_and_a_fault_names_its_operation() {
    let operations = json!([
        {"op": "replace", "path": "displayName", "value": "x"},
        {"op": "remove", "path": "title"},
        {"op": "remove"},
    ]);
    let refusal = read(&operations, Quirks::INTEROP).unwrap_err();
    assert!(refusal.detail.starts_with("Operations[2]: "), "{}", refusal.detail);
    let Json::Array(mut operations) = operations else {
        unreachable!()
    };
    operations.pop();
    let expect = vec!["replace displayName \"x\"".to_owned(), "remove title".to_owned()];
    assert_eq!(read(&operations.into(), Quirks::INTEROP), Ok(expect));
}

#[test]
fn the_envelope_is_checked() {
    let operation = json!({"op": "remove", "path": "title"});
    for (body, reason) in [
        (json!({"Operations": [operation]}), Some(ErrorReason::InvalidSyntax)),
        (
            json!({"schemas": [], "Operations": [operation]}),
            Some(ErrorReason::InvalidSyntax),
        ),
        (
            json!({"schemas": URN, "Operations": [operation]}),
            Some(ErrorReason::InvalidSyntax),
        ),
        (
            json!({"schemas": ["urn:x"], "Operations": [operation]}),
            Some(ErrorReason::InvalidSyntax),
        ),
        (json!({"schemas": [URN]}), Some(ErrorReason::InvalidSyntax)),
        (
            json!({"schemas": [URN], "Operations": []}),
            Some(ErrorReason::InvalidSyntax),
        ),
        (
            json!({"schemas": [URN], "Operations": operation}),
            Some(ErrorReason::InvalidSyntax),
        ),
        (
            json!({"schemas": [URN], "Operations": vec![&operation; MAX_OPERATIONS + 1]}),
            Some(ErrorReason::TooMany),
        ),
        (
            json!({"schemas": [URN], "Operations": vec![&operation; MAX_OPERATIONS]}),
            None,
        ),
        (
            json!({"schemas": [URN.to_uppercase()], "operations": [operation]}),
            None,
        ),
    ] {
        let Json::Object(map) = body.clone() else {
            unreachable!()
        };
        let found = parse(&USER, map, ID, Quirks::INTEROP)
            .err()
            .map(|refusal| refusal.reason);
        assert_eq!(found, reason, "{body:.200}");
    }
}

#[test]
fn what_is_expanded_is_capped_too() {
    let mut value = Map::new();
    for number in 0..=MAX_OPERATIONS {
        value.insert(format!("emails[type eq \"{number}\"].value"), "x".into());
    }
    check_refused(&json!({"op": "add", "value": value}), ErrorReason::TooMany);
}
