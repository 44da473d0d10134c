//! Keys: what makes text comparable without regard to case, RFC 7643 section 2.2. [`fold`] is the one such function of
//! the system; uniqueness, filters and PATCH's value filters all compare by it, so no two of them can disagree.

use caseless::Caseless as _;
use identity_proto::schema::{Attribute, COMMON, USER};
use serde_json::{Map, Value as Json};
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// Folding settles after two rounds on all of Unicode as we know it; the rest is for the Unicode that we do not know.
const MAX_ROUNDS: usize = 8;

/// The key of a text: compatibility form (NFKC) and full case folding, repeated until nothing changes, so that
/// `fold(fold(x)) == fold(x)`. White space stays as it is.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut key = fold_once(text);
    for _ in 0..MAX_ROUNDS {
        let next = fold_once(&key);
        if next == key {
            break;
        }
        key = next;
    }
    key
}

fn fold_once(text: &str) -> String {
    text.chars().nfkc().default_case_fold().nfkc().collect()
}

/// The `users.keys` document: the attributes with every string folded, save those of caseExact attributes. What is
/// unassigned (null, an empty list, a complex value without sub-attributes) is left out, RFC 7643 section 2.5.
pub fn document(attributes: &Map<String, Json>) -> Map<String, Json> {
    assigned(attributes.iter().map(|(name, value)| {
        let key = match USER.schemas().find(|schema| schema.id == name) {
            Some(extension) => fold_attributes(extension.attributes, value),
            None => fold_attribute(core(name), value),
        };
        (name, key)
    }))
}

/// Reads an id in the one spelling that we give out. Any other text names nobody and nothing.
pub fn id(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text)
        .ok()
        .filter(|id| id.hyphenated().to_string() == text)
}

/// Whether a value counts as assigned, RFC 7643 section 2.5.
pub fn is_assigned(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Array(values) => values.iter().any(is_assigned),
        Json::Object(attributes) => attributes.values().any(is_assigned),
        Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
    }
}

fn core(name: &str) -> Option<&'static Attribute> {
    let attributes = || COMMON.iter().chain(USER.schema.attributes);
    attributes().find(|attribute| attribute.name == name)
}

fn fold_attributes(definitions: &'static [Attribute], value: &Json) -> Json {
    let Json::Object(attributes) = value else {
        return value.clone();
    };
    let definition = |name: &str| definitions.iter().find(|attribute| attribute.name == name);
    let folded = attributes
        .iter()
        .map(|(name, value)| (name, fold_attribute(definition(name), value)));
    Json::Object(assigned(folded))
}

/// An attribute that no schema defines compares without regard to case: that is caseExact's default.
fn fold_attribute(definition: Option<&'static Attribute>, value: &Json) -> Json {
    match value {
        Json::String(text) if definition.is_none_or(|attribute| !attribute.case_exact) => Json::String(fold(text)),
        Json::Array(values) => values
            .iter()
            .map(|value| fold_attribute(definition, value))
            .filter(is_assigned)
            .collect(),
        Json::Object(_) => fold_attributes(definition.map_or(&[], |attribute| attribute.sub_attributes), value),
        Json::String(_) | Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

fn assigned<'a>(attributes: impl Iterator<Item = (&'a String, Json)>) -> Map<String, Json> {
    attributes
        .filter(|(_, value)| is_assigned(value))
        .map(|(name, value)| (name.clone(), value))
        .collect()
}

#[cfg(test)]
mod tests;
