//! A change and its event as one statement: a mutating statement cannot be executed without the outbox row that tells of
//! it. The stores add the row themselves; a read-only session is all they give otherwise.

use runtime::{RequestId, trace};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use tracing::Span;

use crate::outbox::Event;

/// The common table expression that writes the outbox row, once for each row of `change`. The row names users, who have a
/// bucket, and no groups.
const EVENT: &str = "event AS (
    INSERT INTO outbox (tenant_id, user_id, event_id, kind, body, bucket, request_id, trace_parent, access_epoch)
    SELECT $1, CASE WHEN $6 IS NOT NULL THEN $2 END, $3, $4, $5, $6, $7, $8, change.access_epoch FROM change
)";

/// A statement that changes rows of one tenant.
///
/// `changes` is a list of common table expressions, of which the last is named `change`: one row with the column
/// `access_epoch` if something changed, no row if nothing did. `answer` selects what the caller gets. Eight parameters are
/// bound by the store: `$1` the tenant, `$2` the user or group (null: the whole tenant), four of the event, and two of the request that
/// makes the change; an operation's own begin at `$9`.
pub(crate) struct Mutation {
    changes: &'static str,
    answer: &'static str,
}

/// A mutation whose first eight parameters are bound.
pub(crate) type Binding<T> = QueryAs<'static, Postgres, T, PgArguments>;

impl Mutation {
    pub(crate) const fn new(changes: &'static str, answer: &'static str) -> Self {
        Mutation { changes, answer }
    }

    /// The whole statement, with the event's parameters bound.
    pub(super) fn with<T>(&self, tenant: uuid::Uuid, event: Event) -> Binding<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let statement = format!("WITH {}, {EVENT} {}", self.changes, self.answer);
        let bucket = event.bucket(tenant);
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(tenant)
            .bind(event.subject.id())
            .bind(event.id)
            .bind(event.kind)
            .bind(event.body)
            .bind(bucket)
            .bind(RequestId::current().map(|id| id.to_string()))
            .bind(trace::parent(&Span::current()))
    }
}
