//! Users and changes of users, made from the schema table.

use e2e::fence_model::rng::Rng;
use identity_proto::schema::{Attribute, COMMON, Mutability, Returned, Type, USER, USER_URN};
use serde_json::{Map, Value, json};

const TEXTS: [&str; 16] = [
    "a",
    "Ann",
    "Zoë",
    "E\u{301}lodie",
    "ﬁnance",
    "李",
    "\u{1F642}",
    "100%",
    "a_b",
    "O'Neil",
    "\"x\"",
    "back\\slash",
    "",
    " ",
    "a, b",
    "true",
];

/// Top-level attributes that a client may write and read, with the URN of their extension; `userName` is not among them.
pub fn attributes() -> Vec<(&'static str, &'static Attribute)> {
    let core = COMMON
        .iter()
        .filter(|one| one.name == "externalId")
        .chain(USER.schema.attributes);
    let core = core.filter(|one| one.name != "userName").map(|one| ("", one));
    let extensions = USER.extensions.iter();
    let extensions = extensions.flat_map(|schema| schema.attributes.iter().map(|one| (schema.id, one)));
    core.chain(extensions).filter(|(_, one)| is_plain(one)).collect()
}

/// Whether a client may write it and gets back what it wrote; a `$ref` is made from the value beside it.
pub fn is_plain(attribute: &Attribute) -> bool {
    attribute.mutability != Mutability::ReadOnly && attribute.returned != Returned::Never && attribute.name != "$ref"
}

/// A text of no meaning, or one that no other call answers.
fn text(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => format!("{}-{}", rng.pick(&TEXTS), rng.bits()),
        _ => rng.pick(&TEXTS).to_owned(),
    }
}

/// One value of an attribute, never primary: which one is, is decided among all.
pub fn one_value(rng: &mut Rng, attribute: &Attribute) -> Value {
    match attribute.kind {
        Type::Boolean => rng.chance(5_000).into(),
        Type::Binary => rng.pick(&["AQI=", "TUlJQg==", "AA=="]).into(),
        Type::Complex => {
            let mut inside = Map::new();
            while inside.is_empty() {
                for sub in attribute.sub_attributes.iter().filter(|sub| is_plain(sub)) {
                    if sub.name != "primary" && rng.chance(5_000) {
                        inside.insert(sub.name.to_owned(), one_value(rng, sub));
                    }
                }
            }
            inside.into()
        }
        // Empty, manager.value means no manager: a documented deviation.
        Type::String if attribute.name == "value" => format!("{}.", text(rng)).into(),
        _ => text(rng).into(),
    }
}

/// A value of an attribute; of several values one may be primary.
pub fn value(rng: &mut Rng, attribute: &Attribute) -> Value {
    if !attribute.multi_valued {
        return one_value(rng, attribute);
    }
    let mut values: Vec<_> = (0..=rng.below(3)).map(|_| one_value(rng, attribute)).collect();
    if attribute.sub_attribute("primary").is_some() && rng.chance(5_000) {
        values[0]["primary"] = true.into();
    }
    values.into()
}

/// Some attributes in the form of a resource.
pub fn changes(rng: &mut Rng, chance: u64) -> Map<String, Value> {
    let mut changes = Map::new();
    for (schema, attribute) in attributes() {
        if !rng.chance(chance) {
            continue;
        }
        let value = value(rng, attribute);
        if schema.is_empty() {
            changes.insert(attribute.name.to_owned(), value);
        } else {
            let inside = changes.entry(schema).or_insert_with(|| json!({}));
            inside[attribute.name] = value;
        }
    }
    changes
}

/// The body of a user of this name, with any of the other attributes.
pub fn user(rng: &mut Rng, user_name: &str) -> Value {
    let chance = rng.pick(&[1_000, 4_000, 9_000]);
    let mut user = changes(rng, chance);
    user.insert("schemas".to_owned(), json!([USER_URN]));
    user.insert("userName".to_owned(), user_name.into());
    user.into()
}
