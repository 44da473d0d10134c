//! Values of an attribute that is a set of references, such as a group's `members`: `value` says which one each is and
//! `display` what it is called there; `type` and `$ref` follow from the id. What is done to them is said by lists.

use std::collections::{HashMap, HashSet};

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

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub id: String,
    pub display: Option<String>,
}

/// The values of a list, each id once, in order; of a name that is given twice the last one stands. Null is an empty list.
/// `name` is for messages.
pub fn references(name: &str, values: Json, form: Form) -> Result<Vec<Reference>> {
    let values = match values {
        Json::Null => return Ok(Vec::new()),
        Json::Array(values) => values,
        other => {
            let found = found(&other);
            return Err(Refusal::value(format!("{name} must be a list of values, not {found}.")));
        }
    };
    let references = values.into_iter().map(|value| match value {
        Json::Object(map) => reference(name, map),
        Json::String(id) if form == Form::ObjectsOrIds => Ok(Reference { id, display: None }),
        other => Err(Refusal::value(format!(
            "each value of {name} must be an object, not {}.",
            found(&other)
        ))),
    });
    Ok(each_once(references.collect::<Result<_>>()?))
}

fn reference(name: &str, map: Map<String, Json>) -> Result<Reference> {
    let (mut id, mut display) = (None, None);
    for (key, value) in map {
        match key.to_ascii_lowercase().as_str() {
            "value" => id = text(name, "value", value)?,
            "display" => display = text(name, "display", value)?,
            _ => {}
        }
    }
    match id {
        Some(id) => Ok(Reference { id, display }),
        None => Err(Refusal::value(format!(
            "each value of {name} must say which one it is: give its value, which is an id."
        ))),
    }
}

fn text(name: &str, sub: &str, value: Json) -> Result<Option<String>> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        other => Err(Refusal::value(format!(
            "{name}.{sub} must be a string, not {}.",
            found(&other)
        ))),
    }
}

/// The ids that a value filter selects: `value eq "…"`, or several of these joined by `or`.
pub fn selected(name: &str, filter: Filter) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    if collect(filter, &mut ids) {
        let mut seen = HashSet::with_capacity(ids.len());
        ids.retain(|id| seen.insert(id.clone()));
        Ok(ids)
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

fn each_once(references: Vec<Reference>) -> Vec<Reference> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(references.len());
    let mut kept: Vec<Reference> = Vec::with_capacity(references.len());
    for reference in references {
        if let Some(known) = places.get(&reference.id).and_then(|place| kept.get_mut(*place)) {
            known.display = reference.display.or(known.display.take());
        } else {
            places.insert(reference.id.clone(), kept.len());
            kept.push(reference);
        }
    }
    kept
}
