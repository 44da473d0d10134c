//! Multi-valued attributes: RFC 7644 sections 3.5.2.1 to 3.5.2.3 with a filter and without.

use super::*;

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
