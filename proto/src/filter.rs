//! Companions of the [`Filter`] message: constructors, limits, and the printed form of RFC 7644 section 3.4.2.2.

use std::fmt;

use crate::identity::v1::comparison::Operator;
use crate::identity::v1::filter::Expression;
use crate::identity::v1::{AttributePath, Comparison, Filter, FilterList, Value, ValuePath, value::Kind};

/// How deep expressions may nest. prost stops decoding at 100 levels, and each of these costs up to three.
pub const MAX_DEPTH: usize = 32;
/// How many expressions a filter may hold.
pub const MAX_NODES: usize = 1_000;
/// How long a filter may be as text, in bytes.
pub const MAX_TEXT: usize = 16_384;

impl AttributePath {
    /// A path in the core schema, or of a common attribute.
    pub fn core(attribute: impl Into<String>) -> Self {
        AttributePath {
            attribute: attribute.into(),
            ..Self::default()
        }
    }

    /// The same path with a sub-attribute.
    #[must_use]
    pub fn with_sub(mut self, sub_attribute: impl Into<String>) -> Self {
        self.sub_attribute = sub_attribute.into();
        self
    }
}

impl Filter {
    /// All of them; one alone stays itself.
    pub fn and(filters: Vec<Filter>) -> Self {
        Self::join(filters, Expression::And)
    }

    /// Any of them; one alone stays itself.
    pub fn or(filters: Vec<Filter>) -> Self {
        Self::join(filters, Expression::Or)
    }

    fn join(mut filters: Vec<Filter>, expression: fn(FilterList) -> Expression) -> Self {
        match filters.len() {
            1 => filters.remove(0),
            _ => Filter {
                expression: Some(expression(FilterList { filters })),
            },
        }
    }

    /// The opposite.
    #[expect(
        clippy::should_implement_trait,
        reason = "the RFC's word; it is a constructor, not an operator"
    )]
    pub fn not(filter: Filter) -> Self {
        Filter {
            expression: Some(Expression::Not(Box::new(filter))),
        }
    }

    /// `path operator value`.
    pub fn compare(path: AttributePath, operator: Operator, value: Value) -> Self {
        Filter {
            expression: Some(Expression::Comparison(Comparison {
                path: Some(path),
                operator: operator.into(),
                value: Some(value),
            })),
        }
    }

    /// `path eq "text"`.
    pub fn eq(path: AttributePath, text: impl Into<String>) -> Self {
        Self::compare(
            path,
            Operator::Eq,
            Value {
                kind: Some(Kind::Text(text.into())),
            },
        )
    }

    /// `path pr`.
    pub fn present(path: AttributePath) -> Self {
        Filter {
            expression: Some(Expression::Present(path)),
        }
    }

    /// `path[filter]`.
    pub fn value_path(path: AttributePath, filter: Filter) -> Self {
        Filter {
            expression: Some(Expression::ValuePath(Box::new(ValuePath {
                path: Some(path),
                filter: Some(Box::new(filter)),
            }))),
        }
    }

    /// Whether depth and size are within [`MAX_DEPTH`] and [`MAX_NODES`]. Looks no deeper than the limit.
    pub fn within_limits(&self) -> bool {
        let mut nodes = 0;
        self.walk(1, &mut nodes)
    }

    fn walk(&self, depth: usize, nodes: &mut usize) -> bool {
        *nodes += 1;
        if depth > MAX_DEPTH || *nodes > MAX_NODES {
            return false;
        }
        match &self.expression {
            Some(Expression::And(list) | Expression::Or(list)) => {
                list.filters.iter().all(|filter| filter.walk(depth + 1, nodes))
            }
            Some(Expression::Not(filter)) => filter.walk(depth + 1, nodes),
            Some(Expression::ValuePath(path)) => {
                path.filter.as_ref().is_none_or(|filter| filter.walk(depth + 1, nodes))
            }
            Some(Expression::Comparison(_) | Expression::Present(_)) | None => true,
        }
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.schema)?;
        if !self.schema.is_empty() && !self.attribute.is_empty() {
            f.write_str(":")?;
        }
        f.write_str(&self.attribute)?;
        if !self.sub_attribute.is_empty() {
            write!(f, ".{}", self.sub_attribute)?;
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expression {
            None => Ok(()),
            Some(Expression::And(list)) => write_list(f, list, " and "),
            Some(Expression::Or(list)) => write_list(f, list, " or "),
            Some(Expression::Not(filter)) => write!(f, "not ({filter})"),
            Some(Expression::Present(path)) => write!(f, "{path} pr"),
            Some(Expression::Comparison(comparison)) => {
                let path = comparison.path.clone().unwrap_or_default();
                let operator = comparison.operator().as_str_name().to_ascii_lowercase();
                let value = serde_json::Value::from(comparison.value.clone().unwrap_or_default());
                write!(f, "{path} {operator} {value}")
            }
            Some(Expression::ValuePath(value_path)) => {
                let path = value_path.path.clone().unwrap_or_default();
                match &value_path.filter {
                    Some(filter) => write!(f, "{path}[{filter}]"),
                    None => write!(f, "{path}[]"),
                }
            }
        }
    }
}

/// Every and/or inside another is put in parentheses, so that printing never depends on precedence.
fn write_list(f: &mut fmt::Formatter<'_>, list: &FilterList, separator: &str) -> fmt::Result {
    for (index, filter) in list.filters.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        match &filter.expression {
            Some(Expression::And(_) | Expression::Or(_)) => write!(f, "({filter})")?,
            _ => write!(f, "{filter}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work_email(value: &str) -> Filter {
        let inner = Filter::and(vec![
            Filter::eq(AttributePath::core("type"), "work"),
            Filter::eq(AttributePath::core("value"), value),
        ]);
        Filter::value_path(AttributePath::core("emails"), inner)
    }

    #[test]
    fn prints_as_the_rfc_writes_it() {
        let path = AttributePath::core("name").with_sub("familyName");
        let filter = Filter::or(vec![
            Filter::and(vec![Filter::present(path), Filter::not(work_email("a\"b"))]),
            Filter::eq(AttributePath::core("userName"), "ann"),
        ]);
        let text = r#"(name.familyName pr and not (emails[type eq "work" and value eq "a\"b"])) or userName eq "ann""#;
        assert_eq!(filter.to_string(), text);
    }

    #[test]
    fn limits_hold_in_depth_and_in_number() {
        let leaf = || Filter::present(AttributePath::core("title"));
        let nested = |depth: usize| (1..depth).fold(leaf(), |filter, _| Filter::not(filter));
        assert!(nested(MAX_DEPTH).within_limits());
        assert!(!nested(MAX_DEPTH + 1).within_limits());
        assert!(Filter::or((1..MAX_NODES).map(|_| leaf()).collect()).within_limits());
        assert!(!Filter::or((0..MAX_NODES).map(|_| leaf()).collect()).within_limits());
    }
}
