//! One condition of a filter, checked against the schema: RFC 7644 section 3.4.2.2, table 3. The value must fit the
//! attribute's type and the operator must make sense for it, so that a mistake is refused and never an empty success.

use identity_proto::identity::v1::Quirk;
use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::{AttributePath, Filter, Value};
use identity_proto::schema::{Attribute, Returned, Type};
use serde_json::Value as Json;

use super::quirks::{self, Quirks};
use super::value::{canonical_instant, expected, found};
use super::{Refusal, Result};

/// An attribute that a filter names.
#[derive(Clone, Debug)]
pub struct Name {
    pub path: AttributePath,
    /// The top-level attribute, or the sub-attribute inside a value filter.
    pub attribute: &'static Attribute,
    /// The sub-attribute if one is named, else the attribute.
    pub leaf: &'static Attribute,
    /// Whether resources of the type that is asked for never have it.
    pub is_absent: bool,
    /// As the client wrote it, for messages.
    pub text: String,
}

/// The operator of that name, in any case.
pub fn operator(word: &str) -> Option<Operator> {
    Some(match word.to_ascii_lowercase().as_str() {
        "eq" => Operator::Eq,
        "ne" => Operator::Ne,
        "co" => Operator::Co,
        "sw" => Operator::Sw,
        "ew" => Operator::Ew,
        "gt" => Operator::Gt,
        "ge" => Operator::Ge,
        "lt" => Operator::Lt,
        "le" => Operator::Le,
        _ => return None,
    })
}

/// A filter that finds every resource, or none: no id is empty.
pub fn constant(finds_all: bool) -> Filter {
    let operator = if finds_all { Operator::Ne } else { Operator::Eq };
    Filter::compare(AttributePath::core("id"), operator, Json::from("").into())
}

/// `name pr`.
pub fn present(name: &Name) -> Result<Filter> {
    filterable(name)?;
    if name.is_absent {
        return Ok(constant(false));
    }
    Ok(Filter::present(name.path.clone()))
}

/// `name operator value`. Comparing with null asks whether the attribute is there: section 2.5 of RFC 7643 makes null
/// and absent the same state.
pub fn compare(name: &Name, operator: Operator, value: Json, quirks: Quirks) -> Result<Filter> {
    filterable(name)?;
    let name = &with_default_sub_attribute(name, quirks)?;
    if value.is_null() {
        let present = present(name)?;
        return match operator {
            Operator::Eq => Ok(Filter::not(present)),
            Operator::Ne => Ok(present),
            _ => Err(refused(name, "null can only be compared by eq and ne")),
        };
    }
    if !fits(name.leaf.kind, operator) {
        let operator = operator.as_str_name().to_ascii_lowercase();
        return Err(refused(
            name,
            &format!("{operator} does not apply to {}", expected(name.leaf.kind)),
        ));
    }
    let value = typed(name, value, quirks)?;
    if name.is_absent {
        return Ok(constant(operator == Operator::Ne));
    }
    Ok(Filter::compare(name.path.clone(), operator, value))
}

fn filterable(name: &Name) -> Result<()> {
    match name.leaf.returned {
        Returned::Never => Err(refused(name, "it cannot be filtered on")),
        _ => Ok(()),
    }
}

/// `emails co "x"` means `emails.value co "x"`; a complex attribute without a default value cannot be compared.
fn with_default_sub_attribute(name: &Name, quirks: Quirks) -> Result<Name> {
    if name.leaf.kind != Type::Complex {
        return Ok(name.clone());
    }
    let has_default = name.leaf.multi_valued || (name.leaf.name == "manager" && quirks.has(Quirk::ManagerForms));
    match name.leaf.sub_attribute("value").filter(|_| has_default) {
        Some(value) => Ok(Name {
            path: name.path.clone().with_sub(value.name),
            leaf: value,
            ..name.clone()
        }),
        None => Err(refused(
            name,
            "it has sub-attributes: name one of them, as in name.familyName",
        )),
    }
}

fn fits(kind: Type, operator: Operator) -> bool {
    let equality = matches!(operator, Operator::Eq | Operator::Ne);
    let substring = matches!(operator, Operator::Co | Operator::Sw | Operator::Ew);
    match kind {
        Type::String | Type::Reference => true,
        Type::Boolean | Type::Complex => equality,
        Type::Binary => equality || substring,
        Type::Integer | Type::DateTime => !substring,
    }
}

fn typed(name: &Name, value: Json, quirks: Quirks) -> Result<Value> {
    let kind = name.leaf.kind;
    let value = if quirks.has(Quirk::StringBooleans) {
        quirks::booleans(name.leaf, value)
    } else {
        value
    };
    let canonical = match (kind, &value) {
        (Type::String | Type::Reference | Type::Binary, Json::String(_)) | (Type::Boolean, Json::Bool(_)) => value,
        (Type::Integer, Json::Number(number)) if number.is_i64() => value,
        (Type::DateTime, Json::String(text)) => match canonical_instant(text) {
            Some(instant) => instant.into(),
            None => return Err(refused(name, &format!("it is compared with {}", expected(kind)))),
        },
        _ => {
            let what = format!("it is compared with {}, not with {}", expected(kind), found(&value));
            return Err(refused(name, &what));
        }
    };
    Ok(canonical.into())
}

fn refused(name: &Name, what: &str) -> Refusal {
    Refusal::filter(format!("The filter is wrong at {}: {what}.", name.text))
}
