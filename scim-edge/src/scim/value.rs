//! Values by the schema table: RFC 7643 sections 2.1 to 2.5. Names get the schema's spelling, types are checked, null
//! and empty lists become "unassigned", what the client may not write or the schema does not know is left out.

use std::collections::BTreeMap;
use std::collections::hash_map::{Entry, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity_proto::schema::{Attribute, Mutability, Type};
use serde_json::{Map, Value as Json, json};

use super::{Refusal, Result};

/// The canonical value of an attribute, `None` when it is unassigned. `name` is for messages.
pub fn canonical(attribute: &'static Attribute, name: &str, value: Json) -> Result<Option<Json>> {
    if !attribute.multi_valued || value.is_null() {
        return canonical_one(attribute, name, value);
    }
    let Json::Array(values) = value else {
        let found = found(&value);
        return Err(Refusal::value(format!("{name} must be a list of values, not {found}.")));
    };
    let mut canonical = Vec::with_capacity(values.len());
    for value in values {
        if value.is_null() {
            return Err(wrong_type(attribute, name, &value));
        }
        canonical.extend(canonical_one(attribute, name, value)?);
    }
    let canonical = each_once(canonical);
    Ok((!canonical.is_empty()).then_some(Json::Array(canonical)))
}

/// RFC 7643 section 2.4: no value is kept twice. One that differs in `primary` alone is the same value, and primary if
/// either is.
fn each_once(values: Vec<Json>) -> Vec<Json> {
    let mut places = HashMap::new();
    let mut kept: Vec<Json> = Vec::with_capacity(values.len());
    for value in values {
        match places.entry(without_primary(&value)) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(value);
            }
            Entry::Occupied(place) => {
                let known = kept.get_mut(*place.get()).and_then(Json::as_object_mut);
                if let (Some(known), Some(true)) = (known, value.get("primary").and_then(Json::as_bool)) {
                    known.insert("primary".to_owned(), true.into());
                }
            }
        }
    }
    kept
}

/// What tells a value from others, with its members in order.
fn without_primary(value: &Json) -> String {
    let Json::Object(map) = value else {
        return value.to_string();
    };
    let members: BTreeMap<_, _> = map.iter().filter(|(name, _)| *name != "primary").collect();
    json!(members).to_string()
}

/// The canonical form of one value of an attribute, whether that is multi-valued or not.
pub fn canonical_one(attribute: &'static Attribute, name: &str, value: Json) -> Result<Option<Json>> {
    let fits = match (attribute.kind, &value) {
        (_, Json::Null) => return Ok(None),
        (Type::Complex, Json::Object(_)) => {
            let Json::Object(map) = value else { return Ok(None) };
            let map = canonical_map(attribute.sub_attributes, &format!("{name}."), map)?;
            return Ok((!map.is_empty()).then_some(Json::Object(map)));
        }
        (Type::String | Type::Reference, Json::String(_)) | (Type::Boolean, Json::Bool(_)) => true,
        (Type::Integer, Json::Number(number)) => number.is_i64(),
        (Type::Binary, Json::String(text)) => STANDARD.decode(text).is_ok(),
        (Type::DateTime, Json::String(text)) => canonical_instant(text).is_some(),
        _ => false,
    };
    if fits {
        Ok(Some(value))
    } else {
        Err(wrong_type(attribute, name, &value))
    }
}

/// The assigned attributes of an object. `prefix` stands before names in messages.
pub fn canonical_map(
    attributes: &'static [Attribute],
    prefix: &str,
    map: Map<String, Json>,
) -> Result<Map<String, Json>> {
    let mut canonical_values = Map::new();
    for (key, value) in map {
        let Some(attribute) = attributes.iter().find(|one| one.name.eq_ignore_ascii_case(&key)) else {
            continue;
        };
        if attribute.mutability == Mutability::ReadOnly {
            continue;
        }
        let name = format!("{prefix}{}", attribute.name);
        if let Some(value) = canonical(attribute, &name, value)? {
            canonical_values.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(canonical_values)
}

/// A date and time as an instant in UTC; `None` if the text is none. Without a zone it is taken as UTC.
pub fn canonical_instant(text: &str) -> Option<String> {
    text.contains(['T', 't']).then_some(())?;
    let instant: prost_types::Timestamp = text.parse().ok()?;
    Some(instant.to_string())
}

/// What a value of this type looks like.
pub fn expected(kind: Type) -> &'static str {
    match kind {
        Type::String => "a string",
        Type::Boolean => "true or false",
        Type::Integer => "an integer",
        Type::DateTime => "a date and time such as \"2026-01-31T09:00:00Z\"",
        Type::Binary => "a string of base64",
        Type::Reference => "a string that holds a URI",
        Type::Complex => "an object",
    }
}

/// What a JSON value is.
pub fn found(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn wrong_type(attribute: &Attribute, name: &str, value: &Json) -> Refusal {
    let expected = expected(attribute.kind);
    let each = if attribute.multi_valued { "each value of " } else { "" };
    let detail = match (attribute.kind, value) {
        (Type::Binary | Type::DateTime, Json::String(_)) => format!("{each}{name} must be {expected}."),
        _ => format!("{each}{name} must be {expected}, not {}.", found(value)),
    };
    Refusal::value(detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::path;
    use identity_proto::schema::USER;

    fn check(name: &str, value: &Json, expect: std::result::Result<Json, &str>) {
        let (_, target) = path::resolve(&USER, name).unwrap();
        let identity_proto::schema::Target::Attribute(attribute, sub) = target else {
            panic!("{name}")
        };
        let found = canonical(sub.unwrap_or(attribute), name, value.clone());
        let found = found.map(Option::unwrap_or_default).map_err(|refusal| refusal.detail);
        assert_eq!(found, expect.map_err(str::to_owned), "{name} {value}");
    }

    #[test]
    fn values_take_the_schemas_form() {
        check("title", &json!("x"), Ok(json!("x")));
        check("title", &json!(""), Ok(json!("")));
        check("title", &json!(null), Ok(json!(null)));
        check("emails", &json!([]), Ok(json!(null)));
        check("emails", &json!([{}, {"junk": 1}]), Ok(json!(null)));
        check(
            "emails",
            &json!([{"VALUE": "a", "Type": null}]),
            Ok(json!([{"value": "a"}])),
        );
        check(
            "emails",
            &json!([{"value": "a", "type": "b"}, {"value": "a"}, {"type": "b", "primary": true, "value": "a"}]),
            Ok(json!([{"value": "a", "type": "b", "primary": true}, {"value": "a"}])),
        );
        check(
            "name",
            &json!({"GIVENNAME": "a", "junk": 1, "familyName": null}),
            Ok(json!({"givenName": "a"})),
        );
        check("name", &json!({"familyName": null}), Ok(json!(null)));
        check(
            "x509Certificates",
            &json!([{"value": "AQI="}]),
            Ok(json!([{"value": "AQI="}])),
        );
        let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
        check(
            manager,
            &json!({"value": "1", "$REF": "../Users/1", "displayName": "read-only"}),
            Ok(json!({"value": "1", "$ref": "../Users/1"})),
        );
    }

    #[test]
    fn wrong_types_are_named() {
        check(
            "active",
            &json!("true"),
            Err("active must be true or false, not a string."),
        );
        check("title", &json!(5), Err("title must be a string, not a number."));
        check("title", &json!(["x"]), Err("title must be a string, not a list."));
        check("name", &json!("x"), Err("name must be an object, not a string."));
        check(
            "emails",
            &json!("x"),
            Err("emails must be a list of values, not a string."),
        );
        check(
            "emails",
            &json!({"value": "x"}),
            Err("emails must be a list of values, not an object."),
        );
        check(
            "emails",
            &json!(["x"]),
            Err("each value of emails must be an object, not a string."),
        );
        check(
            "emails",
            &json!([[]]),
            Err("each value of emails must be an object, not a list."),
        );
        check(
            "emails",
            &json!([null]),
            Err("each value of emails must be an object, not null."),
        );
        check(
            "emails",
            &json!([{"value": {}}]),
            Err("emails.value must be a string, not an object."),
        );
        check(
            "emails",
            &json!([{"primary": 1}]),
            Err("emails.primary must be true or false, not a number."),
        );
        check(
            "x509Certificates",
            &json!([{"value": "no!"}]),
            Err("x509Certificates.value must be a string of base64."),
        );
    }

    #[test]
    fn instants_are_whole_dates_with_times() {
        for (text, instant) in [
            ("2026-01-31T09:00:00Z", Some("2026-01-31T09:00:00Z")),
            ("2026-01-31T11:00:00+02:00", Some("2026-01-31T09:00:00Z")),
            ("2026-01-31T09:00:00", Some("2026-01-31T09:00:00Z")),
            ("2026-01-31T09:00:00.5Z", Some("2026-01-31T09:00:00.500Z")),
            ("2026-01-31", None),
            ("13:00", None),
            ("2026-13-01T00:00:00Z", None),
            ("T", None),
            ("soon", None),
        ] {
            assert_eq!(canonical_instant(text).as_deref(), instant, "{text}");
        }
    }
}
