//! Users and filters in every combination that matters to a comparison.

use identity_proto::identity::v1::comparison::Operator::{self, Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
use identity_proto::identity::v1::{AttributePath, Filter, Value};
use identity_proto::schema::{ENTERPRISE_URN, USER_URN};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Text that differs in case, form, wildcards, quotes and place in the order of code points.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "",
        "a",
        "A",
        "ab",
        "É",
        "e\u{301}",
        "é",
        "ß",
        "SS",
        "%",
        "_",
        "\\",
        "'",
        "Work",
        "work",
        "home",
        "İ",
        "ﬁ",
        "🙂",
        "\u{FFFD}",
        "\u{10FFFF}",
        "z",
        "a b",
        "M-1",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => (prop::sample::select(words.to_vec()), prop::sample::select(words.to_vec())).prop_map(|(a, b)| format!("{a}{b}")),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    let text = || prop::option::of(word());
    (text(), text(), text(), any::<Option<bool>>()).prop_map(
        |(value, kind, display, primary)| json!({"value": value, "type": kind, "display": display, "primary": primary}),
    )
}

pub fn user() -> impl Strategy<Value = Json> {
    let text = || prop::option::of(word());
    let values = || prop::collection::vec(value(), 0..3);
    let core = (word(), text(), text(), text(), text(), text(), any::<bool>());
    (core, values(), values(), values(), text(), text()).prop_map(
        |(
            (user_name, external_id, display_name, title, family, url, active),
            emails,
            phones,
            roles,
            department,
            manager,
        )| {
            json!({
                "userName": user_name, "externalId": external_id, "displayName": display_name, "title": title,
                "name": {"familyName": family}, "profileUrl": url, "active": active,
                "emails": emails, "phoneNumbers": phones, "roles": roles,
                ENTERPRISE_URN: {"department": department, "manager": {"value": manager}},
            })
        },
    )
}

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

fn compare(at: &str, operator: Operator, value: Json) -> Filter {
    Filter::compare(path(at), operator, Value::from(value))
}

const TEXT: [Operator; 9] = [Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le];

/// A comparison, a null comparison or `pr` of one of these attributes.
fn text_leaf(names: &[&'static str]) -> impl Strategy<Value = Filter> + use<> {
    let name = prop::sample::select(names.to_vec());
    prop_oneof![
        8 => (name.clone(), prop::sample::select(TEXT.to_vec()), word()).prop_map(|(at, op, text)| compare(at, op, json!(text))),
        1 => (name.clone(), prop::sample::select(vec![Eq, Ne])).prop_map(|(at, op)| compare(at, op, Json::Null)),
        1 => name.prop_map(|at| Filter::present(path(at))),
    ]
}

fn boolean_leaf(names: &[&'static str]) -> impl Strategy<Value = Filter> + use<> {
    let name = prop::sample::select(names.to_vec());
    (name, prop::sample::select(vec![Eq, Ne]), any::<bool>()).prop_map(|(at, op, value)| compare(at, op, json!(value)))
}

fn instant_leaf() -> impl Strategy<Value = Filter> {
    let name = prop::sample::select(vec!["meta.created", "meta.lastModified"]);
    let operator = prop::sample::select(vec![Eq, Ne, Gt, Ge, Lt, Le]);
    (name, operator, 0..30_u32).prop_map(|(at, op, hour)| {
        let instant = format!("2026-01-{:02}T{:02}:30:00+00:30", 1 + hour / 24, hour % 24);
        compare(at, op, json!(instant))
    })
}

fn logic(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Filter::and),
            some.prop_map(Filter::or),
            inner.prop_map(Filter::not)
        ]
    });
    nested.boxed()
}

pub fn filter() -> impl Strategy<Value = Filter> {
    let single = [
        "userName",
        "externalId",
        "displayName",
        "title",
        "name.familyName",
        "profileUrl",
        "id",
        "meta.resourceType",
        "meta.version",
        "+department",
        "+manager.value",
    ];
    let multi = [
        "emails.value",
        "emails.type",
        "phoneNumbers.value",
        "roles.value",
        "roles.display",
    ];
    let inside = prop_oneof![
        6 => text_leaf(&["value", "type", "display"]),
        1 => boolean_leaf(&["primary"]),
    ];
    let attribute = prop::sample::select(vec!["emails", "phoneNumbers", "roles"]);
    let matching = (prop::sample::select(vec![Eq, Sw]), word(), word()).prop_map(|(operator, kind, value)| {
        Filter::and(vec![
            compare("type", Eq, json!(kind)),
            compare("value", operator, json!(value)),
        ])
    });
    let inner = prop_oneof![logic(inside.boxed()), matching];
    let whole = ["name", "emails", "roles", "meta", "+manager", "active"];
    let leaf = prop_oneof![
        6 => text_leaf(&single),
        4 => text_leaf(&multi),
        2 => boolean_leaf(&["active", "emails.primary", "roles.primary"]),
        2 => instant_leaf(),
        1 => prop::sample::select(whole.to_vec()).prop_map(|at| Filter::present(path(at))),
        1 => prop::sample::select(vec![USER_URN, ENTERPRISE_URN]).prop_map(|urn| compare("schemas", Eq, json!(urn))),
        5 => (attribute, inner).prop_map(|(at, inner)| Filter::value_path(path(at), inner)),
    ];
    logic(leaf.boxed())
}
