//! Filters: RFC 7644 section 3.4.2.2, from the message to SQL in three total functions. [`check`] holds the message
//! against the schema table and the limits, [`lower`] chooses where each test is read, and [`emit`] writes the SQL.
//! [`evaluate`] says the same without a database; PATCH's value filters are answered by it.
//!
//! What the RFC leaves open is settled here:
//! - `ne` holds for an attribute that is absent; `eq null` is "not present" and `ne null` is "present".
//! - A comparison on a multi-valued attribute holds if any of its values satisfies it. `ne` also holds without values.
//! - An absent boolean sub-attribute, such as `primary`, is false.
//! - A dateTime without a zone is read as UTC.
//! - `password`, `groups`, `meta.location`, `members.display` and `members.$ref` cannot be filtered on: the first never is
//!   an oracle, the others are not stored with the resource.

mod check;
mod emit;
mod evaluate;
mod layout;
mod lower;
mod test;
mod tree;

use std::fmt;

use identity_proto::identity::v1::Filter;
use identity_proto::schema::ResourceType;
use serde_json::{Map, Value as Json};
use sqlx::{Postgres, QueryBuilder};

use crate::Error;

pub(crate) use check::check_value_filter;
pub(crate) use evaluate::selects;
pub use layout::{GROUPS, Layout, USERS};

/// A condition on one row of a layout's table: SQL fragments that this crate wrote, and the values to bind between them.
#[derive(Clone, Debug)]
pub struct Predicate(Vec<Fragment>);

#[derive(Clone, Debug, PartialEq)]
enum Fragment {
    Sql(&'static str),
    Text(String),
    Boolean(bool),
    Instant(jiff::Timestamp),
    Uuid(uuid::Uuid),
}

/// Compiles a filter into a condition on the layout's table; `INVALID_FILTER` names the attribute that it does not fit.
pub fn compile(layout: &'static Layout, filter: &Filter) -> Result<Predicate, Error> {
    let checked = check::check(layout.resource, filter)?;
    Ok(emit::emit(layout, &lower::lower(layout, &checked)))
}

/// Whether a filter selects a resource, given as its JSON with `id` and `meta`. This is what [`compile`] must agree
/// with.
pub fn matches(
    resource_type: &'static ResourceType,
    filter: &Filter,
    resource: &Map<String, Json>,
) -> Result<bool, Error> {
    Ok(evaluate::matches(&check::check(resource_type, filter)?, resource))
}

impl Predicate {
    /// Writes the condition in parentheses. The statement calls the table as the layout says, binds the tenant itself, and
    /// runs where the setting `portcullis.tenant_id` names that same tenant.
    pub fn push(&self, query: &mut QueryBuilder<Postgres>) {
        query.push("(");
        for fragment in &self.0 {
            match fragment {
                Fragment::Sql(sql) => query.push(sql),
                Fragment::Text(text) => query.push_bind(text.clone()),
                Fragment::Boolean(boolean) => query.push_bind(*boolean),
                Fragment::Instant(instant) => query.push_bind(jiff_sqlx::Timestamp::from(*instant)),
                Fragment::Uuid(uuid) => query.push_bind(*uuid),
            };
        }
        query.push(")");
    }
}

/// The SQL alone: the values are the client's and stay out of logs.
impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut binds = 0;
        self.0.iter().try_for_each(|fragment| {
            if let Fragment::Sql(sql) = fragment {
                f.write_str(sql)
            } else {
                binds += 1;
                write!(f, "${binds}")
            }
        })
    }
}

#[cfg(test)]
mod tests;
