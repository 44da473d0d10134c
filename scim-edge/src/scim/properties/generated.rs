//! Filters, paths, users and groups made from the schema table, so that an attribute that is added there is tried here.

use identity_proto::identity::v1::comparison::Operator::{self, Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
use identity_proto::identity::v1::{AttributePath, Filter, Value};
use identity_proto::schema::{
    Attribute, COMMON, ENTERPRISE_URN, GROUP_URN, Mutability, ResourceType, Returned, Type, USER, USER_URN,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

/// Any text that can be stored: all characters but U+0000.
pub fn text() -> BoxedStrategy<String> {
    let tricky = [
        "",
        " ",
        "\"",
        "\\",
        "\\\"",
        "]",
        ") or (",
        "é",
        "\u{1F642}",
        "\u{7f}\t\n",
        "true",
        "null",
    ];
    prop_oneof![
        2 => any::<String>().prop_map(|text| text.replace('\0', "")),
        1 => select(tricky.to_vec()).prop_map(str::to_owned),
        1 => "[a-z0-9@.]{1,12}",
    ]
    .boxed()
}

/// A canonical date and time, to the nanosecond.
fn instant() -> BoxedStrategy<String> {
    let years_1_to_9999 = -62_135_596_800_i64..=253_402_300_799;
    let nanos = prop_oneof![Just(0), Just(250_000_000), 0..1_000_000_000_i32];
    let instant = (years_1_to_9999, nanos).prop_map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos });
    instant.prop_map(|instant| instant.to_string()).boxed()
}

/// A value that an attribute of this type may be compared with, or set to.
fn simple(kind: Type) -> BoxedStrategy<Json> {
    match kind {
        Type::Boolean => any::<bool>().prop_map(Json::from).boxed(),
        Type::Integer => any::<i64>().prop_map(Json::from).boxed(),
        Type::DateTime => instant().prop_map(Json::from).boxed(),
        Type::Binary => select(vec!["", "AQI=", "TUlJQg=="]).prop_map(Json::from).boxed(),
        Type::String | Type::Reference | Type::Complex => text().prop_map(Json::from).boxed(),
    }
}

fn operators(kind: Type) -> Vec<Operator> {
    match kind {
        Type::String | Type::Reference => vec![Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le],
        Type::DateTime | Type::Integer => vec![Eq, Ne, Gt, Ge, Lt, Le],
        Type::Boolean | Type::Binary | Type::Complex => vec![Eq, Ne],
    }
}

/// Top-level attributes with the URN of their extension.
fn attributes(resource: &'static ResourceType) -> impl Iterator<Item = (&'static str, &'static Attribute)> {
    let core = COMMON.iter().chain(resource.schema.attributes).map(|one| ("", one));
    let extensions = resource
        .extensions
        .iter()
        .flat_map(|schema| schema.attributes.iter().map(|one| (schema.id, one)));
    core.chain(extensions)
}

fn path(schema: &str, attribute: &str) -> AttributePath {
    AttributePath {
        schema: schema.to_owned(),
        ..AttributePath::core(attribute)
    }
}

/// `pr` and comparisons of one attribute.
fn condition(path: AttributePath, attribute: &'static Attribute) -> BoxedStrategy<Filter> {
    let present = Just(Filter::present(path.clone()));
    if attribute.kind == Type::Complex {
        return present.boxed();
    }
    let comparison = (select(operators(attribute.kind)), simple(attribute.kind));
    let comparison =
        comparison.prop_map(move |(operator, value)| Filter::compare(path.clone(), operator, Value::from(value)));
    prop_oneof![1 => present, 6 => comparison].boxed()
}

fn logic(leaf: BoxedStrategy<Filter>, depth: u32) -> BoxedStrategy<Filter> {
    let nested = leaf.prop_recursive(depth, 24, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            some.clone().prop_map(Filter::and),
            some.prop_map(Filter::or),
            inner.prop_map(Filter::not),
        ]
    });
    nested.boxed()
}

/// What stands between the brackets behind a multi-valued attribute.
fn value_filter(attribute: &'static Attribute) -> BoxedStrategy<Filter> {
    let subs = attribute.sub_attributes.iter();
    let conditions: Vec<_> = subs.map(|sub| condition(path("", sub.name), sub)).collect();
    logic(select(conditions).prop_flat_map(|condition| condition).boxed(), 3)
}

fn takes_value_filter(attribute: &Attribute) -> bool {
    attribute.multi_valued && !attribute.sub_attributes.is_empty()
}

/// Any filter on resources of this type, in the canonical form.
pub fn filter(resource: &'static ResourceType) -> BoxedStrategy<Filter> {
    let mut leaves = Vec::new();
    for (schema, attribute) in attributes(resource).filter(|(_, one)| one.returned != Returned::Never) {
        let whole = path(schema, attribute.name);
        leaves.push(condition(whole.clone(), attribute));
        let subs = attribute.sub_attributes.iter();
        leaves.extend(subs.map(|sub| condition(whole.clone().with_sub(sub.name), sub)));
        if takes_value_filter(attribute) {
            let inner = value_filter(attribute);
            leaves.push(
                inner
                    .prop_map(move |inner| Filter::value_path(whole.clone(), inner))
                    .boxed(),
            );
        }
    }
    logic(select(leaves).prop_flat_map(|leaf| leaf).boxed(), 6)
}

/// Any PATCH path of this type: where it leads, the value filter, and the text.
pub fn patch_path(resource: &'static ResourceType) -> BoxedStrategy<(AttributePath, Option<Filter>, String)> {
    let mut paths = Vec::new();
    for (schema, attribute) in attributes(resource) {
        let whole = path(schema, attribute.name);
        let subs = attribute.sub_attributes.iter().map(|sub| sub.name);
        for sub in std::iter::once("").chain(subs) {
            let bare = whole.clone();
            let path = whole.clone().with_sub(sub);
            let plain = (path.clone(), None, path.to_string());
            paths.push(Just(plain).boxed());
            if takes_value_filter(attribute) {
                let dot = if sub.is_empty() { "" } else { "." };
                let filtered = value_filter(attribute).prop_map(move |filter| {
                    let text = format!("{bare}[{filter}]{dot}{sub}");
                    (path.clone(), Some(filter), text)
                });
                paths.push(filtered.boxed());
            }
        }
    }
    select(paths).prop_flat_map(|path| path).boxed()
}

/// A value of an attribute as a client sends it, without anything unassigned in it.
fn value(attribute: &'static Attribute) -> BoxedStrategy<Json> {
    let one = match attribute.kind {
        Type::Complex => some_of(attribute.sub_attributes.iter().collect(), 1)
            .prop_map(Json::Object)
            .boxed(),
        // An empty manager.value means no manager to some profiles.
        Type::String if attribute.name == "value" => text().prop_map(|text| json!(format!("{text}."))).boxed(),
        kind => simple(kind),
    };
    if attribute.multi_valued {
        prop::collection::vec(one, 1..4).prop_map(unrepeated).boxed()
    } else {
        one
    }
}

/// A list without values that differ in `primary` alone: those are one value.
fn unrepeated(values: Vec<Json>) -> Json {
    let mut seen = Vec::new();
    let mut values = values;
    values.retain(|value| {
        let mut bare = value.clone();
        bare.as_object_mut().and_then(|map| map.remove("primary"));
        let is_new = !seen.contains(&bare);
        seen.push(bare);
        is_new
    });
    values.into()
}

/// Some of those attributes that a client may write and read, each with a value.
fn some_of(attributes: Vec<&'static Attribute>, at_least: usize) -> BoxedStrategy<Map<String, Json>> {
    let kept = |one: &&Attribute| one.mutability != Mutability::ReadOnly && one.returned != Returned::Never;
    let attributes: Vec<_> = attributes.into_iter().filter(kept).collect();
    let count = attributes.len();
    let chosen = subsequence(attributes, at_least..=count);
    let values = chosen.prop_flat_map(|chosen| {
        let named = chosen
            .into_iter()
            .map(|one| value(one).prop_map(|value| (one.name.to_owned(), value)));
        named.collect::<Vec<_>>()
    });
    values.prop_map(Map::from_iter).boxed()
}

/// Attributes of a user, core and extension, in the form of a resource. There may be none.
pub fn changes() -> BoxedStrategy<Map<String, Json>> {
    let core = COMMON
        .iter()
        .filter(|one| one.name == "externalId")
        .chain(USER.schema.attributes);
    let extensions = USER.extensions.iter().map(|schema| {
        let inside = some_of(schema.attributes.iter().collect(), 0);
        inside.prop_map(|inside| (schema.id.to_owned(), Json::Object(inside)))
    });
    let parts = (some_of(core.collect(), 0), extensions.collect::<Vec<_>>());
    let joined = parts.prop_map(|(mut core, extensions)| {
        core.extend(extensions.into_iter().filter(|(_, inside)| inside != &json!({})));
        core
    });
    joined.boxed()
}

/// The body of a user as a client sends it.
pub fn user() -> BoxedStrategy<Map<String, Json>> {
    let body = (changes(), text()).prop_map(|(mut user, name)| {
        user.insert("userName".to_owned(), name.into());
        user.insert("schemas".to_owned(), json!([USER_URN]));
        let manager = user.get_mut(ENTERPRISE_URN).and_then(|one| one.get_mut("manager"));
        if let Some(manager) = manager.and_then(Json::as_object_mut) {
            // What a client sends here is not taken, and a manager needs something else then.
            manager.remove("$ref");
            manager.entry("value").or_insert_with(|| json!("."));
        }
        user
    });
    body.boxed()
}

/// The body of a group as a client sends it, with ids of its members that may repeat.
pub fn group() -> BoxedStrategy<(Map<String, Json>, Vec<String>)> {
    let members = prop::collection::vec("[a-d]{1,2}", 0..8);
    let body = (text(), prop::option::of(text()), members).prop_map(|(name, external_id, members)| {
        let mut group = Map::new();
        group.insert("schemas".to_owned(), json!([GROUP_URN]));
        group.insert("displayName".to_owned(), name.into());
        group.extend(external_id.map(|id| ("externalId".to_owned(), id.into())));
        let values: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
        group.insert("members".to_owned(), values.into());
        (group, members)
    });
    body.boxed()
}
