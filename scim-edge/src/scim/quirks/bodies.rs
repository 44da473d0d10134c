//! Bodies of requests as RFC 7644 would have them: JSON in, canonical JSON out. Which deviations are mended is the
//! tenant's choice; each function names its [`Quirk`].

use identity_proto::identity::v1::Quirk;
use identity_proto::schema::{Attribute, ENTERPRISE_URN, Mutability, ResourceType, Target, Type};
use serde_json::{Map, Value as Json, json};

use super::Quirks;
use crate::scim::path;

/// Prepares the body of POST and PUT.
pub fn resource(resource: &'static ResourceType, body: Map<String, Json>, quirks: Quirks) -> Map<String, Json> {
    let body = if quirks.has(Quirk::ForeignSchemas) {
        foreign_schemas(resource, body)
    } else {
        body
    };
    let coerced = body.into_iter().map(|(key, value)| {
        let value = match path::resolve(resource, &key) {
            Some((_, Target::Attribute(attribute, None))) => {
                single_value(attribute, coerce(attribute, value, quirks), quirks)
            }
            Some((_, Target::Extension(schema))) => extension(schema.attributes, value, quirks),
            _ => value,
        };
        (key, value)
    });
    coerced.collect()
}

/// Prepares the body of PATCH; `id` is that of the resource.
pub fn patch(
    resource: &'static ResourceType,
    mut body: Map<String, Json>,
    id: &str,
    quirks: Quirks,
) -> Map<String, Json> {
    let operations = body.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case("operations"));
    if let Some((_, Json::Array(operations))) = operations {
        for operation in operations.iter_mut().filter_map(Json::as_object_mut) {
            let taken = std::mem::take(operation);
            *operation = patch_operation(resource, taken, id, quirks);
        }
    }
    body
}

fn patch_operation(
    resource: &'static ResourceType,
    mut operation: Map<String, Json>,
    id: &str,
    quirks: Quirks,
) -> Map<String, Json> {
    let mut target = None;
    for (key, value) in &mut operation {
        match (key.to_ascii_lowercase().as_str(), &mut *value) {
            ("op", Json::String(op)) if quirks.has(Quirk::OpCase) => op.make_ascii_lowercase(),
            ("path", Json::String(path)) => {
                if quirks.has(Quirk::ForeignSchemas) {
                    *path = known_urn_prefix(resource, path);
                }
                if !path.eq_ignore_ascii_case(resource.schema.id) {
                    target = Some(path::parse(resource, path, quirks).ok());
                }
            }
            _ => {}
        }
    }
    let value = operation.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case("value"));
    if let Some((_, value)) = value {
        let taken = value.take();
        *value = match (target, taken) {
            (None, Json::Object(map)) => Json::Object(pathless(resource, map, id, quirks)),
            (Some(Some(path)), taken) => match path.target {
                Target::Attribute(attribute, sub) => coerce(sub.unwrap_or(attribute), taken, quirks),
                Target::Extension(schema) => extension(schema.attributes, taken, quirks),
            },
            (_, taken) => taken,
        };
    }
    operation
}

/// The value of an operation without path: keys are paths.
fn pathless(resource: &'static ResourceType, map: Map<String, Json>, id: &str, quirks: Quirks) -> Map<String, Json> {
    let mut canonical = Map::new();
    for (key, value) in map {
        let key = if quirks.has(Quirk::ForeignSchemas) {
            known_urn_prefix(resource, &key)
        } else {
            key
        };
        let Ok(found) = path::parse(resource, &key, quirks) else {
            let value = match value {
                Json::Object(map) if key.eq_ignore_ascii_case(resource.schema.id) => {
                    Json::Object(pathless(resource, map, id, quirks))
                }
                other => other,
            };
            canonical.insert(key, value);
            continue;
        };
        match found.target {
            Target::Attribute(attribute, _) if quirks.has(Quirk::ReadOnlyInValue) && ignored(attribute, &value, id) => {
            }
            Target::Attribute(attribute, sub) => {
                canonical.insert(key, coerce(sub.unwrap_or(attribute), value, quirks));
            }
            Target::Extension(schema) => {
                canonical.insert(key, extension(schema.attributes, value, quirks));
            }
        }
    }
    canonical
}

/// A resource's own id is repeated with every change; another one is an attempt to change it.
fn ignored(attribute: &Attribute, value: &Json, id: &str) -> bool {
    match attribute.name {
        "id" => value == id,
        "schemas" => true,
        _ => attribute.mutability == Mutability::ReadOnly,
    }
}

fn extension(attributes: &'static [Attribute], value: Json, quirks: Quirks) -> Json {
    let Json::Object(map) = value else { return value };
    let coerced = map.into_iter().map(|(key, value)| {
        let value = match attributes.iter().find(|one| one.name.eq_ignore_ascii_case(&key)) {
            Some(attribute) => single_value(attribute, coerce(attribute, value, quirks), quirks),
            None => value,
        };
        (key, value)
    });
    coerced.collect()
}

fn coerce(attribute: &'static Attribute, value: Json, quirks: Quirks) -> Json {
    let value = if quirks.has(Quirk::ManagerForms) && attribute.name == "manager" {
        manager(value)
    } else {
        value
    };
    if quirks.has(Quirk::StringBooleans) {
        booleans(attribute, value)
    } else {
        value
    }
}

/// `StringBooleans`: text in any case for each boolean of the attribute.
pub fn booleans(attribute: &'static Attribute, value: Json) -> Json {
    match (attribute.kind, value) {
        (Type::Boolean, Json::String(text)) if text.eq_ignore_ascii_case("true") => Json::Bool(true),
        (Type::Boolean, Json::String(text)) if text.eq_ignore_ascii_case("false") => Json::Bool(false),
        (Type::Complex, Json::Array(values)) => values.into_iter().map(|one| booleans(attribute, one)).collect(),
        (Type::Complex, Json::Object(map)) => {
            let coerced = map.into_iter().map(|(key, value)| match attribute.sub_attribute(&key) {
                Some(sub) => (key, booleans(sub, value)),
                None => (key, value),
            });
            Json::Object(coerced.collect())
        }
        (_, value) => value,
    }
}

/// `ManagerForms`: the manager's id, or a list of one manager, becomes an object; an empty id means none. A reference
/// to the manager before is not kept beside a new id.
fn manager(value: Json) -> Json {
    match value {
        Json::Array(mut list) if list.len() == 1 && !list[0].is_array() => manager(list.remove(0)),
        Json::String(id) if id.is_empty() => Json::Null,
        Json::String(id) => json!({ "value": id, "$ref": null }),
        Json::Object(map)
            if map
                .iter()
                .any(|(key, value)| key.eq_ignore_ascii_case("value") && value == "") =>
        {
            Json::Null
        }
        other => other,
    }
}

/// `SingleValue`: one object becomes a list of one.
fn single_value(attribute: &Attribute, value: Json, quirks: Quirks) -> Json {
    if quirks.has(Quirk::SingleValue) && attribute.multi_valued && value.is_object() {
        Json::Array(vec![value])
    } else {
        value
    }
}

/// `ForeignSchemas`: what stands for a known schema becomes its URN, in `schemas` and as a key; what stands for none is
/// dropped from `schemas`. A known schema under two names keeps the first data.
fn foreign_schemas(resource: &ResourceType, body: Map<String, Json>) -> Map<String, Json> {
    let mut canonical = Map::new();
    for (key, mut value) in body {
        if let ("schemas", Json::Array(urns)) = (key.to_ascii_lowercase().as_str(), &mut value)
            && urns.iter().all(Json::is_string)
            && !urns.is_empty()
        {
            let known = urns.iter().filter_map(|urn| known_urn(resource, urn.as_str()?));
            value = known.collect();
        }
        let key = known_urn(resource, &key).map_or(key, str::to_owned);
        canonical.entry(key).or_insert(value);
    }
    canonical
}

/// The URN of ours that a provider means by this one. What stands for the core schema stands for that of the resource.
fn known_urn(resource: &ResourceType, urn: &str) -> Option<&'static str> {
    const CORE: [&str; 2] = ["urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0"];
    /// With the resource type's name behind.
    const CORE_OF: [&str; 2] = [
        "urn:scim:schemas:core:2.0:",
        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/",
    ];
    const ENTERPRISE: [&str; 4] = [
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
        "urn:scim:schemas:extension:enterprise:1.0",
        "urn:scim:schemas:extension:enterprise:2.0",
        "urn:scim:schemas:extension:enterprise:2.0:User",
    ];
    if let Some(schema) = resource.find_schema(urn) {
        return Some(schema.id);
    }
    let means = |urns: &[&str]| urns.iter().any(|one| one.eq_ignore_ascii_case(urn));
    let means_core_of = |prefix: &str| {
        let name = urn.split_at_checked(prefix.len());
        name.is_some_and(|(start, name)| start.eq_ignore_ascii_case(prefix) && name.eq_ignore_ascii_case(resource.name))
    };
    if means(&CORE) || CORE_OF.iter().any(|prefix| means_core_of(prefix)) {
        return Some(resource.schema.id);
    }
    let enterprise = resource.find_schema(ENTERPRISE_URN)?;
    means(&ENTERPRISE).then_some(enterprise.id)
}

/// The same for a URN at the start of a path.
fn known_urn_prefix(resource: &ResourceType, path: &str) -> String {
    if let Some(urn) = known_urn(resource, path) {
        return urn.to_owned();
    }
    let colons = path.match_indices(':').map(|(at, _)| at);
    let mut known = colons.filter_map(|at| known_urn(resource, &path[..at]).map(|urn| format!("{urn}{}", &path[at..])));
    known.next_back().unwrap_or_else(|| path.to_owned())
}
