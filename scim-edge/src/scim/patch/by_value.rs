//! `remove` with values, which the RFC does not define: the values become a filter that selects those and no others.

use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::{AttributePath, Filter};
use identity_proto::schema::Attribute;
use serde_json::{Map, Value as Json};

use super::MAX_OPERATIONS;
use super::envelope::too_many;
use crate::scim::value::{canonical_map, found};
use crate::scim::{Refusal, Result};

/// The filter that selects the listed values; `None` for an empty list. It never selects more than is listed.
pub fn any_of(name: &str, attribute: &'static Attribute, values: Json) -> Result<Option<Filter>> {
    let Json::Array(values) = values else {
        return Err(Refusal::value(format!(
            "{name} must be a list of values, not {}.",
            found(&values)
        )));
    };
    let mut filters = Vec::with_capacity(values.len());
    for value in values {
        let map = match value {
            Json::Object(map) => map,
            text @ Json::String(_) => Map::from_iter([("value".to_owned(), text)]),
            other => {
                return Err(Refusal::value(format!(
                    "each value of {name} must be an object, not {}.",
                    found(&other)
                )));
            }
        };
        filters.push(equal_to(name, attribute, map)?);
    }
    if filters.is_empty() {
        return Ok(None);
    }
    let filter = Filter::or(filters);
    if filter.within_limits() {
        Ok(Some(filter))
    } else {
        Err(too_many(MAX_OPERATIONS))
    }
}

/// A value that is listed is known by its `value` if it has one, else by all that is given of it.
fn equal_to(name: &str, attribute: &'static Attribute, map: Map<String, Json>) -> Result<Filter> {
    let mut given = canonical_map(attribute.sub_attributes, &format!("{name}."), map)?;
    if let Some(value) = given.remove("value") {
        given = Map::from_iter([("value".to_owned(), value)]);
    }
    let conditions: Vec<_> = given
        .into_iter()
        .map(|(sub, value)| Filter::compare(AttributePath::core(sub), Operator::Eq, value.into()))
        .collect();
    if conditions.is_empty() {
        Err(Refusal::value(format!(
            "a value of {name} to remove must say which one it is: give its value."
        )))
    } else {
        Ok(Filter::and(conditions))
    }
}
