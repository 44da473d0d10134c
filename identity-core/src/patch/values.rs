//! Multi-valued attributes: which values an operation means, what becomes of them, and which one stays primary.

use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::filter::Expression;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{AttributePath, Comparison, ErrorReason, Filter};
use identity_proto::schema::Attribute;
use serde_json::{Map, Value as Json};

use super::{Action, Change, merge, object, refused};
use crate::Error;
use crate::filter::{check_value_filter, selects};
use crate::validate::{MAX_VALUES, is_primary, prune};

/// The value that an operation made because its filter matched none. Operations that follow with the same filter mean
/// it, even where a value given to it no longer matches: Entra ID sends one operation for each sub-attribute.
pub(super) struct Created {
    attribute: &'static str,
    filter: Filter,
    index: usize,
}

/// Changes the values of one attribute.
pub(super) fn change(
    inside: &mut Map<String, Json>,
    change: Change,
    attribute: &'static Attribute,
    sub_attribute: Option<&'static Attribute>,
    created: &mut Option<Created>,
) -> Result<(), Error> {
    let mut values = match inside.shift_remove(attribute.name) {
        Some(Json::Array(values)) => values,
        _ => Vec::new(),
    };
    let before = created.take();
    let before = before.filter(|made| made.attribute == attribute.name && change.filter.as_ref() == Some(&made.filter));
    match (change.action, change.filter) {
        (Action::Add(Json::Null), _) => {}
        (Action::Remove, filter) => remove(&mut values, attribute, sub_attribute, filter.as_ref(), change.create)?,
        (Action::Add(value), None) if sub_attribute.is_none() => add_all(&mut values, &change.path, value)?,
        (Action::Replace(value), None) if sub_attribute.is_none() => {
            values.clear();
            add_all(&mut values, &change.path, value)?;
        }
        (action, Some(filter)) => {
            let mut chosen = choose(&values, attribute, &filter)?;
            if chosen.is_empty() {
                chosen.extend(before.as_ref().map(|made| made.index));
            }
            *created = before;
            if chosen.is_empty() {
                let made = make(&change.path, attribute, sub_attribute, &action, &filter, change.create)?;
                let index = values.len();
                values.push(made);
                *created = Some(Created {
                    attribute: attribute.name,
                    filter,
                    index,
                });
                settle_primary(&mut values, &[index])?;
            } else {
                let seed = equalities(&filter);
                for index in &chosen {
                    if let Some(value) = values.get_mut(*index) {
                        set(value, &change.path, attribute, sub_attribute, &action, &seed)?;
                    }
                }
                settle_primary(&mut values, &chosen)?;
            }
        }
        (action, None) => {
            if values.is_empty() {
                values.push(Json::Object(Map::new()));
            }
            for value in &mut values {
                set(value, &change.path, attribute, sub_attribute, &action, &Map::new())?;
            }
            let all: Vec<usize> = (0..values.len()).collect();
            settle_primary(&mut values, &all)?;
        }
    }
    finish(inside, attribute, values)
}

fn choose(values: &[Json], attribute: &'static Attribute, filter: &Filter) -> Result<Vec<usize>, Error> {
    let filter = check_value_filter(attribute, filter)?;
    let chosen = values.iter().enumerate().filter(|(_, value)| selects(&filter, value));
    Ok(chosen.map(|(index, _)| index).collect())
}

fn no_target(attribute: &Attribute) -> Error {
    let message = format!("no value of {} matches the filter in the path", attribute.name);
    Error::new(ErrorReason::NoTarget, message)
}

fn remove(
    values: &mut [Json],
    attribute: &'static Attribute,
    sub_attribute: Option<&'static Attribute>,
    filter: Option<&Filter>,
    create: bool,
) -> Result<(), Error> {
    let chosen = match filter {
        Some(filter) => choose(values, attribute, filter)?,
        None => (0..values.len()).collect(),
    };
    if filter.is_some() && chosen.is_empty() && !create {
        return Err(no_target(attribute));
    }
    for index in chosen {
        match (values.get_mut(index), sub_attribute) {
            (Some(Json::Object(value)), Some(sub)) => drop(value.shift_remove(sub.name)),
            (Some(value), _) => *value = Json::Null,
            (None, _) => {}
        }
    }
    Ok(())
}

/// Appends what is not there yet. A value that differs in `primary` alone is the same value.
fn add_all(values: &mut Vec<Json>, path: &AttributePath, given: Json) -> Result<(), Error> {
    let given = match given {
        Json::Array(given) => given,
        one => vec![one],
    };
    if given.len() > MAX_VALUES {
        return Err(refused(format!(
            "{path} has {} values; it may have at most {MAX_VALUES}",
            given.len()
        )));
    }
    let mut primary = Vec::new();
    for value in given {
        let mut value = object(path, value)?;
        prune(&mut value);
        let value = Json::Object(value);
        let arrives = is_primary(&value);
        let index = values
            .iter()
            .position(|known| same_value(known, &value))
            .unwrap_or(values.len());
        match values.get_mut(index) {
            Some(Json::Object(known)) if arrives => drop(known.insert("primary".to_owned(), Json::Bool(true))),
            Some(_) => {}
            None => values.push(value),
        }
        if arrives {
            primary.push(index);
        }
    }
    settle_primary(values, &primary)
}

fn same_value(left: &Json, right: &Json) -> bool {
    let (Json::Object(left), Json::Object(right)) = (left, right) else {
        return left == right;
    };
    let count = |value: &Map<String, Json>| value.len() - usize::from(value.contains_key("primary"));
    let held = |(name, value): (&String, &Json)| name == "primary" || right.get(name) == Some(value);
    count(left) == count(right) && left.iter().all(held)
}

/// Sets one value, or its sub-attribute. Replaced as a whole, it keeps of the old one only what its filter is equal to.
fn set(
    value: &mut Json,
    path: &AttributePath,
    attribute: &'static Attribute,
    sub_attribute: Option<&'static Attribute>,
    action: &Action,
    seed: &Map<String, Json>,
) -> Result<(), Error> {
    let Json::Object(into) = value else {
        return Err(refused(format!("{path} must be an object with sub-attributes")));
    };
    match (action, sub_attribute) {
        (Action::Add(given) | Action::Replace(given), Some(sub)) => {
            into.insert(sub.name.to_owned(), given.clone());
        }
        (Action::Add(given), None) => merge(into, attribute, object(path, given.clone())?, false),
        (Action::Replace(given), None) => {
            into.clone_from(seed);
            merge(into, attribute, object(path, given.clone())?, true);
        }
        (Action::Remove, _) => {}
    }
    Ok(())
}

/// A value made of a filter's equalities and what is given, if the filter asks for such a value at all.
fn make(
    path: &AttributePath,
    attribute: &'static Attribute,
    sub_attribute: Option<&'static Attribute>,
    action: &Action,
    filter: &Filter,
    create: bool,
) -> Result<Json, Error> {
    let seed = equalities(filter);
    if !create || seed.is_empty() {
        return Err(no_target(attribute));
    }
    let bare = Json::Object(seed.clone());
    let mut made = bare.clone();
    set(&mut made, path, attribute, sub_attribute, action, &seed)?;
    let filter = check_value_filter(attribute, filter)?;
    if selects(&filter, &bare) || selects(&filter, &made) {
        Ok(made)
    } else {
        Err(no_target(attribute))
    }
}

/// The sub-attributes that a filter, or each part of its top-level `and`, compares by `eq`.
fn equalities(filter: &Filter) -> Map<String, Json> {
    let parts = match &filter.expression {
        Some(Expression::And(list)) => list.filters.as_slice(),
        _ => std::slice::from_ref(filter),
    };
    let equality = |part: &Filter| match &part.expression {
        Some(Expression::Comparison(comparison)) if comparison.operator() == Operator::Eq => equal_to(comparison),
        _ => None,
    };
    parts.iter().filter_map(equality).collect()
}

fn equal_to(comparison: &Comparison) -> Option<(String, Json)> {
    let name = comparison.path.as_ref()?.attribute.clone();
    let value = comparison.value.clone()?;
    (!matches!(value.kind, Some(Kind::Null(_)))).then(|| (name, value.into()))
}

/// Of the values that an operation touched, one at most may be primary; then no other is. RFC 7644 section 3.5.2.
fn settle_primary(values: &mut [Json], touched: &[usize]) -> Result<(), Error> {
    let mut arrived = touched
        .iter()
        .copied()
        .filter(|index| values.get(*index).is_some_and(is_primary));
    let Some(first) = arrived.next() else {
        return Ok(());
    };
    if arrived.any(|other| other != first) {
        return Err(refused("primary would be true in more than one value; set it in one"));
    }
    for (index, value) in values.iter_mut().enumerate() {
        if index != first && is_primary(value) {
            value["primary"] = Json::Bool(false);
        }
    }
    Ok(())
}

fn finish(inside: &mut Map<String, Json>, attribute: &'static Attribute, values: Vec<Json>) -> Result<(), Error> {
    let name = attribute.name.to_owned();
    if values.len() > MAX_VALUES {
        return Err(refused(format!("{name} would have more than {MAX_VALUES} values")));
    }
    inside.insert(name, Json::Array(values));
    prune(inside);
    Ok(())
}
