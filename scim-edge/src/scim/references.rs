//! Values of an attribute that is a set of references, such as a group's `members`: `value` says which one each is, and
//! what else a client sends of one follows from that. What is done to them is said by lists of ids.

use std::collections::HashSet;

use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::filter::Expression;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{Comparison, Filter};
use serde_json::{Map, Value as Json};

use super::value::found;
use super::{Refusal, Result};

/// What stands in a list of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Objects with a `value`.
    Objects,
    /// Those, and ids by themselves.
    ObjectsOrIds,
}

/// The ids in a list of values, each once, in order. Null is an empty list. `name` is for messages.
pub fn ids(name: &str, values: Json, form: Form) -> Result<Vec<String>> {
    let values = match values {
        Json::Null => return Ok(Vec::new()),
        Json::Array(values) => values,
        other => {
            let found = found(&other);
            return Err(Refusal::value(format!("{name} must be a list of values, not {found}.")));
        }
    };
    let ids = values.into_iter().map(|value| match value {
        Json::Object(map) => id(name, map),
        Json::String(id) if form == Form::ObjectsOrIds => Ok(id),
        other => Err(Refusal::value(format!(
            "each value of {name} must be an object, not {}.",
            found(&other)
        ))),
    });
    Ok(each_once(ids.collect::<Result<_>>()?))
}

fn id(name: &str, map: Map<String, Json>) -> Result<String> {
    let value = map.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("value"));
    match value.map(|(_, value)| value).unwrap_or_default() {
        Json::String(id) => Ok(id),
        Json::Null => Err(Refusal::value(format!(
            "each value of {name} must say which one it is: give its value, which is an id."
        ))),
        other => Err(Refusal::value(format!(
            "{name}.value must be a string, not {}.",
            found(&other)
        ))),
    }
}

/// The ids that a value filter selects: `value eq "…"`, or several of these joined by `or`.
pub fn selected(name: &str, filter: Filter) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    if collect(filter, &mut ids) {
        Ok(each_once(ids))
    } else {
        Err(Refusal::filter(format!(
            "values of {name} are chosen by value: write {name}[value eq \"…\"], or several of these joined by or."
        )))
    }
}

/// Filters nest as deep as their parser lets them.
fn collect(filter: Filter, ids: &mut Vec<String>) -> bool {
    match filter.expression {
        Some(Expression::Or(list)) => list.filters.into_iter().all(|filter| collect(filter, ids)),
        Some(Expression::Comparison(comparison)) => equal_to(comparison).map(|id| ids.push(id)).is_some(),
        _ => false,
    }
}

fn equal_to(comparison: Comparison) -> Option<String> {
    let is_equality = comparison.operator() == Operator::Eq;
    let path = comparison.path?;
    let is_value = path.attribute == "value" && path.sub_attribute.is_empty();
    match comparison.value?.kind? {
        Kind::Text(id) if is_value && is_equality => Some(id),
        _ => None,
    }
}

fn each_once(ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity(ids.len());
    let mut ids = ids;
    ids.retain(|id| seen.insert(id.clone()));
    ids
}
