//! What a filter means, without a database. It reads documents as clients sent them and folds what it compares.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use super::check::{InValue, Leaf, Place};
use super::test::{Operand, Order, Test, parse_instant};
use super::tree::Tree;
use crate::keys;

/// Whether a resource satisfies the filter.
pub(crate) fn matches(filter: &Tree<Leaf>, resource: &Map<String, Json>) -> bool {
    filter.holds(&|leaf| match leaf {
        Leaf::Attribute(place, test) => satisfies(resource, place, test),
        Leaf::Value(place, inner) => values(resource, place).iter().any(|value| selects(inner, value)),
    })
}

/// Whether a value filter selects one value of its multi-valued attribute.
pub(crate) fn selects(filter: &Tree<InValue>, value: &Json) -> bool {
    filter.holds(&|InValue {
                       sub_attribute,
                       case_exact,
                       test,
                   }| test.holds(*case_exact, value.get(sub_attribute)))
}

fn satisfies(resource: &Map<String, Json>, place: &Place, test: &Test) -> bool {
    let case_exact = place.sub_attribute.unwrap_or(place.attribute).case_exact;
    let part = |value| match place.sub_attribute {
        Some(sub) => Json::get(value, sub.name),
        None => Some(value),
    };
    if !place.attribute.multi_valued {
        return test.holds(case_exact, attribute(resource, place).and_then(part));
    }
    let values = values(resource, place);
    let none_differs = values.is_empty() && matches!(test, Test::NotEqual(_));
    none_differs || values.iter().any(|value| test.holds(case_exact, part(value)))
}

fn attribute<'a>(resource: &'a Map<String, Json>, place: &Place) -> Option<&'a Json> {
    match place.extension {
        Some(schema) => resource.get(schema.id)?.get(place.attribute.name),
        None => resource.get(place.attribute.name),
    }
}

fn values<'a>(resource: &'a Map<String, Json>, place: &Place) -> Vec<&'a Json> {
    let values = attribute(resource, place).and_then(Json::as_array);
    values
        .into_iter()
        .flatten()
        .filter(|value| keys::is_assigned(value))
        .collect()
}

impl Test {
    /// Whether the value, or its absence, passes.
    pub(crate) fn holds(&self, case_exact: bool, value: Option<&Json>) -> bool {
        let text = || comparable(case_exact, value);
        match self {
            Test::Present => value.is_some_and(keys::is_assigned),
            Test::Equal(operand) => operand.compare(case_exact, value) == Some(Ordering::Equal),
            Test::NotEqual(operand) => operand.compare(case_exact, value) != Some(Ordering::Equal),
            Test::Contains(part) => text().is_some_and(|text| text.contains(part)),
            Test::StartsWith(part) => text().is_some_and(|text| text.starts_with(part)),
            Test::EndsWith(part) => text().is_some_and(|text| text.ends_with(part)),
            Test::Ordered(order, operand) => operand
                .compare(case_exact, value)
                .is_some_and(|found| order.admits(found)),
        }
    }
}

impl Operand {
    /// How the value stands to the operand; `None` when there is nothing to compare.
    fn compare(&self, case_exact: bool, value: Option<&Json>) -> Option<Ordering> {
        match self {
            Operand::Text(operand) => Some(comparable(case_exact, value)?.as_ref().cmp(operand)),
            Operand::Boolean(operand) => Some(value.and_then(Json::as_bool).unwrap_or(false).cmp(operand)),
            Operand::Instant(operand) => Some(parse_instant(value?.as_str()?)?.cmp(operand)),
        }
    }
}

impl Order {
    fn admits(self, found: Ordering) -> bool {
        match self {
            Order::Greater => found.is_gt(),
            Order::GreaterOrEqual => found.is_ge(),
            Order::Less => found.is_lt(),
            Order::LessOrEqual => found.is_le(),
        }
    }
}

fn comparable(case_exact: bool, value: Option<&Json>) -> Option<Cow<'_, str>> {
    let text = value?.as_str()?;
    Some(if case_exact {
        text.into()
    } else {
        keys::fold(text).into()
    })
}
