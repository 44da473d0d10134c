//! The rows of one tenant. PostgreSQL is told the tenant before each use of a connection, and its row-level security
//! hides every other tenant's rows, whatever a statement says.

use std::time::Duration;

use runtime::RequestId;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor, FromRow};
use uuid::Uuid;

use super::lane::Lane;
use super::lease::Lease;
use super::{Binding, Mutation};
use crate::error::{Error, database};
use crate::outbox::Event;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// A tenant that the caller proved to act for. Only `grpc/auth.rs` makes one; a test holds it to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantId(Uuid);

impl TenantId {
    /// To be called where a caller was authenticated and its right to the tenant was checked, and nowhere else.
    pub(crate) fn authenticated(tenant: Uuid) -> Self {
        TenantId(tenant)
    }

    /// The id itself, for binds and messages.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

/// A row that can be read and locked in one statement with the parameters tenant and id.
pub(crate) trait Lockable: for<'r> FromRow<'r, PgRow> + Send + Unpin {
    /// `SELECT … FOR UPDATE`.
    const LOCK: &'static str;
}

/// Access to the rows of one tenant.
#[derive(Clone)]
pub struct TenantStore {
    lane: Lane,
    tenant: TenantId,
}

impl TenantStore {
    pub(super) fn new(lane: Lane, tenant: TenantId) -> Self {
        TenantStore { lane, tenant }
    }

    /// Whose rows these are.
    pub fn tenant(&self) -> Uuid {
        self.tenant.0
    }

    /// A connection in a session that PostgreSQL keeps read-only.
    pub(crate) async fn read(&self) -> Result<Lease, Error> {
        self.connection("SET default_transaction_read_only = on")
            .await
            .map_err(database)
    }

    /// Executes a change together with its event, as one statement and one transaction.
    pub(crate) async fn change<T>(
        &self,
        mutation: &Mutation,
        event: Event,
        bind: impl FnOnce(Binding<T>) -> Binding<T>,
    ) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut connection = self.connection("SET default_transaction_read_only = off").await?;
        let statement = bind(mutation.with(self.tenant.0, event));
        statement.fetch_optional(&mut *connection).await
    }

    /// Begins a transaction, for a change that depends on the row as it is.
    pub(crate) async fn begin(&self) -> Result<Tx, Error> {
        self.begin_with(BEGIN).await.map_err(database)
    }

    /// The same for a change whose statements may each run for so long.
    pub(crate) async fn begin_long(&self, longest: Duration) -> Result<Tx, sqlx::Error> {
        let timeout = longest.as_millis();
        self.begin_with(&format!("{BEGIN}; SET LOCAL statement_timeout = {timeout}"))
            .await
    }

    async fn begin_with(&self, begin: &str) -> Result<Tx, sqlx::Error> {
        let statement = self.setting(begin);
        let mut connection = self.lane.connection_for(self.tenant.0).await?;
        connection.begin(statement).await?;
        Ok(Tx {
            connection,
            tenant: self.tenant.0,
        })
    }

    async fn connection(&self, mode: &str) -> Result<Lease, sqlx::Error> {
        let mut connection = self.lane.connection_for(self.tenant.0).await?;
        connection.execute(AssertSqlSafe(self.setting(mode))).await?;
        Ok(connection)
    }

    /// The tenant's setting, in one round trip with what comes after it. PostgreSQL is also told the request, which it shows
    /// as `application_name` in `pg_stat_activity` and its log. Neither an UUID nor a request id prints a quote.
    fn setting(&self, and_then: &str) -> String {
        let request = RequestId::current();
        format!(
            "SET portcullis.tenant_id = '{}'; SET application_name = '{}{}'; {and_then}",
            self.tenant.0.hyphenated(),
            if request.is_some() { "portcullis " } else { "portcullis" },
            request.as_ref().map_or("", RequestId::as_str),
        )
    }
}

/// A transaction on the rows of one tenant: what it can do is lock a row, and change it with an event.
pub(crate) struct Tx {
    connection: Lease,
    tenant: Uuid,
}

impl Tx {
    /// Reads a row and keeps it from changing until the transaction ends.
    pub(crate) async fn lock<T: Lockable>(&mut self, id: Uuid) -> Result<Option<T>, Error> {
        sqlx::query_as(T::LOCK)
            .bind(self.tenant)
            .bind(id)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(database)
    }

    /// Reads what the change depends on, by a statement whose first parameter is the tenant; the others are bound by the
    /// caller.
    pub(crate) async fn read<T>(
        &mut self,
        statement: &'static str,
        bind: impl FnOnce(Binding<T>) -> Binding<T>,
    ) -> Result<Option<T>, Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let statement = bind(sqlx::query_as(statement).bind(self.tenant));
        statement.fetch_optional(&mut *self.connection).await.map_err(database)
    }

    /// Executes a change together with its event, and commits.
    pub(crate) async fn change<T>(
        mut self,
        mutation: &Mutation,
        event: Event,
        bind: impl FnOnce(Binding<T>) -> Binding<T>,
    ) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let statement = bind(mutation.with(self.tenant, event));
        let row = statement.fetch_optional(&mut *self.connection).await?;
        self.connection.commit().await?;
        Ok(row)
    }
}
