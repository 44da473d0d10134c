//! A change of credentials and its entry in the audit log as one statement: neither can be had without the other.

use std::fmt;

use runtime::RequestId;

use super::Binding;

/// The common table expression that writes the log, an entry for each row of `change`.
const ENTRY: &str = "audited AS (
    INSERT INTO audit (tenant_id, actor, action, subject_id, request_id, detail)
    SELECT change.tenant_id, $1, $2, change.subject_id, $3, change.detail FROM change
)";

/// Who does what is logged.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    /// A service of the platform, by the name of its key.
    Service(String),
    /// A static token, by its id.
    Credential(uuid::Uuid),
    /// An OAuth client.
    Client(uuid::Uuid),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Service(name) => write!(f, "service:{name}"),
            Actor::Credential(id) => write!(f, "credential:{id}"),
            Actor::Client(id) => write!(f, "client:{id}"),
        }
    }
}

/// A statement that changes credentials.
///
/// `changes` is a list of common table expressions, of which one is named `change`, with the columns `tenant_id`, `subject_id` and
/// `detail`. `answer` selects what the caller gets. Three parameters are bound here; an operation's own begin
/// at `$4`.
pub(crate) struct Audited {
    changes: &'static str,
    answer: &'static str,
}

impl Audited {
    pub(crate) const fn new(changes: &'static str, answer: &'static str) -> Self {
        Audited { changes, answer }
    }

    /// The whole statement, with the entry's parameters bound.
    pub(crate) fn by<T>(&self, actor: &Actor, action: &'static str) -> Binding<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let statement = format!("WITH {}, {ENTRY} {}", self.changes, self.answer);
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(actor.to_string())
            .bind(action)
            .bind(RequestId::current().map(|id| id.to_string()))
    }
}
