//! What is refused, and how it is named.

use super::*;

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
