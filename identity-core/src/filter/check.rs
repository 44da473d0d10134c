//! First step: the message held against the limits and the schema table. What comes out names only attributes that
//! exist, and tests that fit their types.

use identity_proto::filter::{MAX_DEPTH, MAX_NODES};
use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::filter::Expression;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{AttributePath, Comparison, Filter, ValuePath};
use identity_proto::schema::{Attribute, ResourceType, Returned, Schema, Target, Type};

use super::test::{Test, invalid};
use super::tree::Tree;
use crate::Error;

/// One statement about a resource.
#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    Attribute(Place, Test),
    /// One value of a multi-valued attribute satisfies the whole inner tree.
    Value(Place, Tree<InValue>),
}

/// An attribute's place in a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) extension: Option<&'static Schema>,
    pub(crate) attribute: &'static Attribute,
    pub(crate) sub_attribute: Option<&'static Attribute>,
}

/// One statement about one value of a multi-valued attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InValue {
    pub(crate) sub_attribute: &'static str,
    pub(crate) case_exact: bool,
    pub(crate) test: Test,
}

/// Checks a filter on resources of a type.
pub(crate) fn check(resource: &'static ResourceType, filter: &Filter) -> Result<Tree<Leaf>, Error> {
    within_limits(filter)?;
    walk(filter, &|expression| match expression {
        Expression::Comparison(comparison) => {
            let path = comparison.path.clone().unwrap_or_default();
            let place = place(resource, &path)?;
            let attribute = place.sub_attribute.unwrap_or(place.attribute);
            compare(&path.to_string(), attribute, comparison, |test| {
                Leaf::Attribute(place, test)
            })
        }
        Expression::Present(path) => Ok(Tree::Leaf(Leaf::Attribute(place(resource, path)?, Test::Present))),
        Expression::ValuePath(value_path) => value_leaf(resource, value_path),
        Expression::And(_) | Expression::Or(_) | Expression::Not(_) => Err(empty()),
    })
}

/// Checks a filter on the values of one multi-valued attribute, as in `emails[type eq "work"]`.
pub(crate) fn check_value_filter(attribute: &'static Attribute, filter: &Filter) -> Result<Tree<InValue>, Error> {
    within_limits(filter)?;
    walk(filter, &|expression| match expression {
        Expression::Comparison(comparison) => {
            let sub = sub_attribute(attribute, &comparison.path.clone().unwrap_or_default())?;
            let name = format!("{}.{}", attribute.name, sub.name);
            compare(&name, sub, comparison, |test| in_value(sub, test))
        }
        Expression::Present(path) => Ok(Tree::Leaf(in_value(sub_attribute(attribute, path)?, Test::Present))),
        Expression::ValuePath(_) => Err(invalid(format!(
            "{} has a value filter inside a value filter",
            attribute.name
        ))),
        Expression::And(_) | Expression::Or(_) | Expression::Not(_) => Err(empty()),
    })
}

fn within_limits(filter: &Filter) -> Result<(), Error> {
    if filter.within_limits() {
        return Ok(());
    }
    Err(invalid(format!(
        "the filter is too large: it may nest {MAX_DEPTH} deep and hold {MAX_NODES} expressions"
    )))
}

fn empty() -> Error {
    invalid("an expression of the filter is empty")
}

fn walk<L>(filter: &Filter, leaf: &impl Fn(&Expression) -> Result<Tree<L>, Error>) -> Result<Tree<L>, Error> {
    let all = |filters: &[Filter]| match filters {
        [] => Err(empty()),
        filters => filters.iter().map(|filter| walk(filter, leaf)).collect(),
    };
    match filter.expression.as_ref().ok_or_else(empty)? {
        Expression::And(list) => Ok(Tree::All(all(&list.filters)?)),
        Expression::Or(list) => Ok(Tree::Any(all(&list.filters)?)),
        Expression::Not(filter) => Ok(Tree::Not(Box::new(walk(filter, leaf)?))),
        expression => leaf(expression),
    }
}

fn compare<L>(
    name: &str,
    attribute: &'static Attribute,
    comparison: &Comparison,
    leaf: impl Fn(Test) -> L,
) -> Result<Tree<L>, Error> {
    if let [first, ..] = attribute.sub_attributes {
        let first = first.name;
        return Err(invalid(format!(
            "{name} has sub-attributes; compare one of them, such as {name}.{first}"
        )));
    }
    let value = comparison.value.as_ref().ok_or_else(empty)?;
    match (&value.kind, comparison.operator()) {
        (Some(Kind::Null(_)), Operator::Eq) => Ok(Tree::not_leaf(leaf(Test::Present))),
        (Some(Kind::Null(_)), Operator::Ne) => Ok(Tree::Leaf(leaf(Test::Present))),
        (Some(Kind::Null(_)), _) => Err(invalid(format!(
            "{name} is compared with null; use eq, ne or pr for that"
        ))),
        (_, operator) => Ok(Tree::Leaf(leaf(Test::new(name, attribute, operator, value)?))),
    }
}

fn place(resource: &'static ResourceType, path: &AttributePath) -> Result<Place, Error> {
    let (attribute, sub_attribute) = match resource.target(path) {
        Some(Target::Attribute(attribute, sub_attribute)) => (attribute, sub_attribute),
        Some(Target::Extension(schema)) => {
            return Err(invalid(format!(
                "{} is a whole schema; name one of its attributes",
                schema.id
            )));
        }
        None => {
            let name = resource.name.to_ascii_lowercase();
            return Err(invalid(format!("{name}s have no attribute {path}")));
        }
    };
    let is_unfit = attribute.returned == Returned::Never || attribute.name == "groups";
    if is_unfit || sub_attribute.is_some_and(|sub| is_computed(attribute, sub)) {
        return Err(unfit(path));
    }
    Ok(Place {
        extension: resource
            .extensions
            .iter()
            .copied()
            .find(|schema| schema.id == path.schema),
        attribute,
        sub_attribute,
    })
}

/// Whether the sub-attribute is made when it is read.
fn is_computed(attribute: &Attribute, sub: &Attribute) -> bool {
    sub.name == "location" || (attribute.is_set_of_references() && matches!(sub.name, "display" | "$ref"))
}

fn unfit(name: impl std::fmt::Display) -> Error {
    invalid(format!("{name} cannot be filtered on"))
}

fn value_leaf(resource: &'static ResourceType, value_path: &ValuePath) -> Result<Tree<Leaf>, Error> {
    let path = value_path.path.clone().unwrap_or_default();
    let place = place(resource, &path)?;
    if !place.attribute.multi_valued || place.attribute.kind != Type::Complex || place.sub_attribute.is_some() {
        return Err(invalid(format!(
            "{path} has no values to choose from; compare it without brackets"
        )));
    }
    let inner = value_path.filter.as_deref().ok_or_else(empty)?;
    Ok(Tree::Leaf(Leaf::Value(
        place,
        check_value_filter(place.attribute, inner)?,
    )))
}

fn sub_attribute(attribute: &'static Attribute, path: &AttributePath) -> Result<&'static Attribute, Error> {
    let sub = attribute
        .sub_attributes
        .iter()
        .find(|sub| path.schema.is_empty() && path.sub_attribute.is_empty() && sub.name == path.attribute)
        .ok_or_else(|| invalid(format!("{} has no sub-attribute {path}", attribute.name)))?;
    if is_computed(attribute, sub) {
        return Err(unfit(format_args!("{}.{}", attribute.name, sub.name)));
    }
    Ok(sub)
}

fn in_value(sub: &'static Attribute, test: Test) -> InValue {
    InValue {
        sub_attribute: sub.name,
        case_exact: sub.case_exact,
        test,
    }
}
