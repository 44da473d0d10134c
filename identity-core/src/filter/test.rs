//! One test of one attribute's value, with its operand already in the form that is compared: the only place that knows
//! which operator fits which type.

use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{ErrorReason, Value};
use identity_proto::schema::{Attribute, Type};
use jiff::Timestamp;

use crate::{Error, keys};

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Present,
    Equal(Operand),
    NotEqual(Operand),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Ordered(Order, Operand),
}

/// What a value is compared with. Text is a key unless the attribute is caseExact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Text(String),
    Boolean(bool),
    Instant(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Test {
    /// The test of `attribute operator value`, where the value is not null; `name` is the attribute in messages.
    pub(crate) fn new(name: &str, attribute: &Attribute, operator: Operator, value: &Value) -> Result<Self, Error> {
        match attribute.kind {
            Type::Boolean => boolean(name, operator, value),
            Type::DateTime => instant(name, operator, value),
            Type::String | Type::Reference | Type::Binary => text(name, attribute, operator, value),
            Type::Integer | Type::Complex => Err(invalid(format!("{name} cannot be compared; only pr is possible"))),
        }
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorReason::InvalidFilter, message)
}

fn boolean(name: &str, operator: Operator, value: &Value) -> Result<Test, Error> {
    let Some(Kind::Boolean(boolean)) = value.kind else {
        return Err(invalid(format!(
            "{name} is compared with true or false, written without quotation marks"
        )));
    };
    match operator {
        Operator::Eq => Ok(Test::Equal(Operand::Boolean(boolean))),
        Operator::Ne => Ok(Test::NotEqual(Operand::Boolean(boolean))),
        _ => Err(invalid(format!(
            "{name} is true or false: only eq, ne and pr are possible"
        ))),
    }
}

fn instant(name: &str, operator: Operator, value: &Value) -> Result<Test, Error> {
    let operand = match &value.kind {
        Some(Kind::Text(text)) => parse_instant(text),
        _ => None,
    };
    let operand = operand.map(Operand::Instant).ok_or_else(|| {
        invalid(format!(
            "{name} is compared with a dateTime in quotation marks, such as \"2026-01-31T08:00:00Z\""
        ))
    })?;
    match order(operator) {
        Some(order) => Ok(Test::Ordered(order, operand)),
        None if operator == Operator::Eq => Ok(Test::Equal(operand)),
        None if operator == Operator::Ne => Ok(Test::NotEqual(operand)),
        None => Err(invalid(format!("{name} is a dateTime: co, sw and ew are not possible"))),
    }
}

/// RFC 7643 section 2.3.5: date and time, with or without a zone.
pub(crate) fn parse_instant(text: &str) -> Option<Timestamp> {
    if text.as_bytes().get(10) != Some(&b'T') || text.contains('[') {
        return None;
    }
    let without_zone = || {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(without_zone)
}

fn text(name: &str, attribute: &Attribute, operator: Operator, value: &Value) -> Result<Test, Error> {
    let Some(Kind::Text(text)) = &value.kind else {
        return Err(invalid(format!("{name} is compared with text in quotation marks")));
    };
    if text.contains('\0') {
        return Err(invalid(format!(
            "{name} is compared with text that holds the character NUL; remove it"
        )));
    }
    let operand = if attribute.case_exact {
        text.clone()
    } else {
        keys::fold(text)
    };
    match operator {
        Operator::Eq => Ok(Test::Equal(Operand::Text(operand))),
        Operator::Ne => Ok(Test::NotEqual(Operand::Text(operand))),
        Operator::Co => Ok(Test::Contains(operand)),
        Operator::Sw => Ok(Test::StartsWith(operand)),
        Operator::Ew => Ok(Test::EndsWith(operand)),
        Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le if attribute.kind == Type::Binary => {
            Err(invalid(format!("{name} is binary: gt, ge, lt and le are not possible")))
        }
        operator => match order(operator) {
            Some(order) => Ok(Test::Ordered(order, Operand::Text(operand))),
            None => Err(invalid(format!("{name} is compared without an operator"))),
        },
    }
}

fn order(operator: Operator) -> Option<Order> {
    match operator {
        Operator::Gt => Some(Order::Greater),
        Operator::Ge => Some(Order::GreaterOrEqual),
        Operator::Lt => Some(Order::Less),
        Operator::Le => Some(Order::LessOrEqual),
        Operator::Unspecified | Operator::Eq | Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => None,
    }
}
