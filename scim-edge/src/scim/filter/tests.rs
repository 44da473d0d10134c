use identity_proto::schema::{GROUP, USER};

use super::*;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Parses with a profile's quirks and prints what was understood, or the refusal's text.
fn read(text: &str, quirks: Quirks) -> std::result::Result<String, String> {
    match parse(&USER, text, quirks) {
        Ok(filter) => Ok(filter.to_string()),
        Err(refusal) => {
            assert_eq!(refusal.reason, ErrorReason::InvalidFilter, "{text}");
            Err(refusal.detail)
        }
    }
}

fn check(text: &str, expect: &str) {
    for quirks in [Quirks::INTEROP, Quirks::STRICT] {
        assert_eq!(read(text, quirks).as_deref(), Ok(expect), "{text}");
    }
}

fn check_refused(text: &str, expect: &str) {
    for quirks in [Quirks::INTEROP, Quirks::STRICT] {
        let detail = read(text, quirks).expect_err(text);
        assert!(detail.contains(expect), "{text}: {detail}");
    }
}

#[test]
fn every_operator_in_any_case() {
    for operator in ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"] {
        let expect = format!("userName {operator} \"x\"");
        check(&expect, &expect);
        check(&format!("USERNAME {} \"x\"", operator.to_uppercase()), &expect);
    }
    check("Title PR", "title pr");
    check("active eq TRUE", "active eq true");
    check("active ne False", "active ne false");
}

#[test]
fn precedence_is_grouping_then_not_then_and_then_or() {
    let (a, b, c) = ("title pr", "active pr", "locale pr");
    check(&format!("{a} or {b} and {c}"), "title pr or (active pr and locale pr)");
    check(&format!("{a} and {b} or {c}"), "(title pr and active pr) or locale pr");
    check(
        &format!("({a} or {b}) and {c}"),
        "(title pr or active pr) and locale pr",
    );
    check(&format!("not ({a}) and {b}"), "not (title pr) and active pr");
    check(&format!("not ({a} or {b})"), "not (title pr or active pr)");
    check(&format!("NOT({a})AND({b})"), "not (title pr) and active pr");
    check(&format!("not (not ({a}))"), "not (not (title pr))");
    check(&format!("(({a}))"), a);
    check(&format!("{a} or {b} or {c}"), "title pr or active pr or locale pr");
}

#[test]
fn names_resolve_to_canonical_paths() {
    check(
        "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"x\"",
        "userName eq \"x\"",
    );
    check(
        "URN:IETF:PARAMS:SCIM:SCHEMAS:CORE:2.0:USER:NAME.FAMILYNAME eq \"x\"",
        "name.familyName eq \"x\"",
    );
    check(
        &format!("{ENTERPRISE}:manager.value eq \"1\""),
        &format!("{ENTERPRISE}:manager.value eq \"1\""),
    );
    check("emails co \"x\"", "emails.value co \"x\"");
    check("emails.type eq \"work\"", "emails.type eq \"work\"");
    check("emails pr", "emails pr");
    check("name pr", "name pr");
    check(
        "meta.lastModified gt \"2026-01-31T11:00:00+02:00\"",
        "meta.lastModified gt \"2026-01-31T09:00:00Z\"",
    );
    check(
        "id eq \"x\" and externalId eq \"y\"",
        "id eq \"x\" and externalId eq \"y\"",
    );
    check("title eq null", "not (title pr)");
    check("title ne NULL", "title pr");
}

#[test]
fn values_are_json_strings() {
    check(r#"title eq "a\"b\\c\u0041\/é""#, r#"title eq "a\"b\\cA/é""#);
    check("title eq \"\"", "title eq \"\"");
    check("title eq \"a) or (b\"", "title eq \"a) or (b\"");
    check("userName co \"%_\"", "userName co \"%_\"");
}

#[test]
fn value_filters_stay_together() {
    check(
        "emails[type eq \"work\" and value co \"@x\"]",
        "emails[type eq \"work\" and value co \"@x\"]",
    );
    check(
        "Emails[Type Eq \"work\" Or Not (Primary Pr)] And title pr",
        "emails[type eq \"work\" or not (primary pr)] and title pr",
    );
    check("emails [primary eq true]", "emails[primary eq true]");
}

#[test]
fn what_is_no_filter_is_refused_with_its_place() {
    for (text, expect) in [
        ("", "at byte 0: an attribute name"),
        ("   ", "an attribute name"),
        ("userName", "at byte 8: an operator"),
        ("userName eq", "at byte 11: a value"),
        ("userName eq x", "at byte 12: a value"),
        ("userName eq 'x'", "double quotes"),
        ("userName eq \"x", "no closing quote"),
        ("userName is \"x\"", "\"is\" is no operator"),
        ("userName eq \"x\" title", "at byte 16: the end"),
        ("userName eq \"x\")", "the end"),
        ("userName eq \"x\") OR 1=1--", "the end"),
        ("(userName eq \"x\"", "a closing parenthesis"),
        ("not userName pr", "an opening parenthesis"),
        ("userName eq \"x\" and", "an attribute name"),
        ("and userName pr", "\"and\" is no known attribute"),
        ("emails[type eq \"work\"", "a closing bracket"),
        ("emails[]", "an attribute name"),
        ("emails[type eq \"work\"] title", "the end"),
        ("emails[emails[type eq \"x\"]]", "no known attribute"),
        ("emails[type[value eq \"x\"]]", "cannot stand inside another"),
        ("emails.value[type eq \"work\"]", "takes no value filter"),
        ("name[familyName eq \"x\"]", "not multi-valued"),
        ("1userName eq \"x\"", "no number"),
        ("\"userName\" eq \"x\"", "an attribute name"),
    ] {
        check_refused(text, expect);
    }
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    for (text, expect) in [
        ("nope eq \"x\"", "\"nope\" is no known attribute"),
        ("name.nope eq \"x\"", "\"name.nope\""),
        ("emails[nope eq \"x\"]", "\"nope\""),
        ("urn:x:y:userName eq \"x\"", "no known attribute"),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr",
            "is a schema",
        ),
        ("name eq \"x\"", "wrong at name: it has sub-attributes"),
        ("meta gt \"x\"", "wrong at meta"),
        ("password eq \"x\"", "password: it cannot be filtered on"),
        ("password pr", "password: it cannot be filtered on"),
        ("userName eq 5", "compared with a string, not with a number"),
        ("userName eq true", "not with a boolean"),
        ("active eq \"maybe\"", "compared with true or false, not with a string"),
        ("active eq 1", "active"),
        ("active gt true", "gt does not apply"),
        ("active co true", "co does not apply"),
        ("title gt null", "null"),
        ("x509Certificates.value gt \"AQ==\"", "gt does not apply"),
        ("meta.lastModified gt \"2026-01-31\"", "a date and time"),
        ("meta.lastModified co \"2026\"", "co does not apply"),
        ("meta.created gt 5", "not with a number"),
    ] {
        check_refused(text, expect);
    }
}

#[test]
fn deviations_are_read_by_interop_alone() {
    let manager = format!("{ENTERPRISE}:manager.value eq \"1\"");
    let (urn_manager, bare) = (format!("{ENTERPRISE}:manager eq \"1\""), "manager eq \"1\"");
    for (text, expect) in [
        (
            "emails[type eq \"work\"].value eq \"x\"",
            "emails[type eq \"work\" and value eq \"x\"]",
        ),
        (
            "emails[type eq \"work\" or primary pr].value pr",
            "emails[(type eq \"work\" or primary pr) and value pr]",
        ),
        (
            "emails[type eq \"work\" and primary eq \"True\"].value sw \"x\"",
            "emails[type eq \"work\" and primary eq true and value sw \"x\"]",
        ),
        ("active eq \"False\"", "active eq false"),
        (&urn_manager, &manager),
        (bare, &manager),
    ] {
        assert_eq!(read(text, Quirks::INTEROP).as_deref(), Ok(expect), "{text}");
        assert!(read(text, Quirks::STRICT).is_err(), "{text}");
    }
    assert!(read("emails[type eq \"work\"].nope eq \"x\"", Quirks::INTEROP).is_err());
}

/// What a filter on both types asks of users, and of groups.
fn check_among(text: &str, of_users: &str, of_groups: &str) {
    for (resource, other, expect) in [(&USER, &GROUP, of_users), (&GROUP, &USER, of_groups)] {
        let found = parse_among(resource, other, text, Quirks::STRICT).map(|filter| filter.to_string());
        assert_eq!(found.as_deref(), Ok(expect), "{text} of {}", resource.name);
    }
}

#[test]
fn what_only_the_other_type_has_is_absent() {
    let (none, all) = ("id eq \"\"", "id ne \"\"");
    let both = "displayName eq \"Red\" or userName eq \"ann\"";
    check_among(both, both, &format!("displayName eq \"Red\" or {none}"));
    for (of_users, of_groups) in [
        ("userName ne \"x\"", all),
        ("userName pr", none),
        ("not (userName pr)", "not (id eq \"\")"),
        ("not (title pr)", "not (id eq \"\")"),
        ("emails[type eq \"work\"]", none),
        ("emails.value co \"x\"", none),
        ("active ne true", all),
        ("meta.resourceType eq \"User\"", "meta.resourceType eq \"User\""),
    ] {
        check_among(of_users, of_users, of_groups);
    }
    check_among("title eq null", "not (title pr)", "not (id eq \"\")");
    check_among("title ne null", "title pr", none);
    let members = "members[value eq \"1\" and type eq \"User\"]";
    check_among(members, none, members);
    check_among("members eq \"1\"", none, "members.value eq \"1\"");
    check_among("members ne \"1\"", all, "members.value ne \"1\"");
    let manager = format!("{ENTERPRISE}:manager.value eq \"1\"");
    check_among(&manager, &manager, none);
    let name = "urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq \"x\"";
    check_among(name, none, "displayName eq \"x\"");
    let bare = |resource, other| parse_among(resource, other, "manager eq \"1\"", Quirks::INTEROP);
    assert_eq!(
        bare(&GROUP, &USER).map(|filter| filter.to_string()).as_deref(),
        Ok(none)
    );
}

#[test]
fn what_is_absent_is_checked_and_what_is_unknown_to_both_is_refused() {
    for text in [
        "nope eq \"x\"",
        "name.nope eq \"x\"",
        "userName eq 5",
        "active gt true",
        "active ne 5",
        "name eq \"x\"",
        "password pr",
        "title gt null",
        "emails[nope eq \"x\"]",
        "members[emails eq \"x\"]",
        "members[value eq 5]",
        "displayName[value eq \"x\"]",
        "urn:ietf:params:scim:schemas:core:2.0:Group pr",
        "manager eq \"1\"",
    ] {
        for (resource, other) in [(&USER, &GROUP), (&GROUP, &USER)] {
            let refusal = parse_among(resource, other, text, Quirks::STRICT).expect_err(text);
            assert_eq!(refusal.reason, ErrorReason::InvalidFilter, "{text}: {}", refusal.detail);
        }
    }
}

#[test]
fn as_many_conditions_may_be_on_what_is_absent() {
    let many = vec!["title ne \"\""; MAX_NODES - 1].join(" or ");
    assert!(parse_among(&GROUP, &USER, &many, Quirks::STRICT).is_ok());
}

#[test]
fn what_is_printed_is_read_as_the_same() {
    for text in [
        "title pr",
        "userName eq \"a\\\"b\\\\\"",
        "not (title pr or not (active eq true)) and (title pr or active pr or locale sw \"d\")",
        "(title pr and active pr) and locale pr",
        "(title pr or active pr) or locale pr",
        "emails[type eq \"work\" and (value co \"@a\" or not (primary pr))] or emails.value pr",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value ne \"1\"",
        "meta.created ge \"2026-01-31T09:00:00.250Z\"",
        "title eq null and externalId ne null",
    ] {
        let filter = parse(&USER, text, Quirks::STRICT).unwrap();
        assert_eq!(
            parse(&USER, &filter.to_string(), Quirks::STRICT).as_ref(),
            Ok(&filter),
            "{text}"
        );
    }
}

#[test]
fn size_is_capped() {
    let any_of = |count: usize| vec!["title pr"; count].join(" or ");
    assert!(parse(&USER, &any_of(MAX_NODES - 1), Quirks::STRICT).is_ok());
    check_refused(&any_of(MAX_NODES), "more than 1000 expressions");
    check_refused(
        &format!("title eq \"{}\"", "x".repeat(MAX_TEXT)),
        "longer than 16384 bytes",
    );
}

#[test]
fn nesting_is_capped_and_never_overflows_the_stack() {
    let nested = |open: &str, depth: usize| format!("{}title pr{}", open.repeat(depth), ")".repeat(depth));
    assert!(parse(&USER, &nested("(", MAX_DEPTH), Quirks::STRICT).is_ok());
    assert!(parse(&USER, &nested("not (", MAX_DEPTH - 1), Quirks::STRICT).is_ok());
    let deep = move || {
        for open in ["(", "not ("] {
            check_refused(&nested(open, MAX_DEPTH + 1), "deeper than 32");
            check_refused(&open.repeat(10_000)[..MAX_TEXT.min(open.len() * 10_000)], "");
            check_refused(&nested(open, 10_000), "");
        }
        check_refused(&"emails[".repeat(1_000), "no known attribute");
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(deep).unwrap().join().unwrap();
}
