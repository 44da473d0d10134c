//! The platform's table. Each event is one transaction: what it changes, and its number.

use anyhow::{Context, ensure};
use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::{Event, User, UserCreated, UserPatched, UserReplaced};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// Beside the tables of others, under a name of its own.
const SCHEMA: &str = "
    CREATE SCHEMA IF NOT EXISTS user_table;
    CREATE TABLE IF NOT EXISTS user_table.users (
        tenant_id    uuid NOT NULL,
        user_id      uuid NOT NULL,
        user_name    text NOT NULL,
        display_name text,
        email        text,
        active       boolean NOT NULL,
        PRIMARY KEY (tenant_id, user_id)
    );
    CREATE TABLE IF NOT EXISTS user_table.progress (
        tenant_id uuid PRIMARY KEY,
        sequence  bigint NOT NULL, -- this event and all before it are in the table
        event_id  text -- its id; null after a copy
    )";

const UPSERT: &str = "INSERT INTO user_table.users (tenant_id, user_id, user_name, display_name, email, active)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant_id, user_id) DO UPDATE
    SET user_name = excluded.user_name, display_name = excluded.display_name, email = excluded.email,
        active = excluded.active";

/// The last event that is in the table.
pub struct Noted {
    pub sequence: i64,
    /// `None` after a copy, which knows the number alone.
    pub event_id: Option<String>,
}

/// The rows of one tenant.
pub struct Table {
    pool: PgPool,
    tenant: Uuid,
}

/// All rows anew, in a transaction.
pub struct Copying {
    transaction: Transaction<'static, Postgres>,
    tenant: Uuid,
}

impl Table {
    /// The table, made if there is none.
    pub async fn open(url: &str, tenant: Uuid) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
        let mut transaction = pool.begin().await?;
        // Two that start at once would make it twice.
        transaction
            .execute("SELECT pg_advisory_xact_lock(hashtext('user_table'))")
            .await?;
        transaction.execute(SCHEMA).await?;
        transaction.commit().await?;
        Ok(Table { pool, tenant })
    }

    /// The last event that is in the table; `None` if nothing was copied yet.
    pub async fn noted(&self) -> anyhow::Result<Option<Noted>> {
        let noted: Option<(i64, Option<String>)> =
            sqlx::query_as("SELECT sequence, event_id FROM user_table.progress WHERE tenant_id = $1")
                .bind(self.tenant)
                .fetch_optional(&self.pool)
                .await?;
        Ok(noted.map(|(sequence, event_id)| Noted { sequence, event_id }))
    }

    /// Applies an event and notes its number and id, or neither. Says what it did.
    pub async fn apply(&self, event: Event) -> anyhow::Result<String> {
        let mut transaction = self.pool.begin().await?;
        let next = "UPDATE user_table.progress SET sequence = $2, event_id = $3
            WHERE tenant_id = $1 AND sequence = $2 - 1";
        let noted = sqlx::query(next)
            .bind(self.tenant)
            .bind(event.sequence)
            .bind(&event.event_id)
            .execute(&mut *transaction)
            .await?;
        ensure!(
            noted.rows_affected() == 1,
            "event {} does not come next: does another process write this table?",
            event.sequence
        );
        let told = change(&mut transaction, self.tenant, event.payload).await?;
        transaction.commit().await?;
        Ok(told)
    }

    /// Begins a copy of all users.
    pub async fn copy(&self) -> anyhow::Result<Copying> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM user_table.users WHERE tenant_id = $1")
            .bind(self.tenant)
            .execute(&mut *transaction)
            .await?;
        Ok(Copying {
            transaction,
            tenant: self.tenant,
        })
    }
}

impl Copying {
    pub async fn add(&mut self, user: &User) -> anyhow::Result<()> {
        put(&mut self.transaction, self.tenant, user).await
    }

    /// Makes the copy the table, as of this event.
    pub async fn finish(mut self, sequence: i64) -> anyhow::Result<()> {
        sqlx::query(
            "INSERT INTO user_table.progress (tenant_id, sequence) VALUES ($1, $2)
             ON CONFLICT (tenant_id) DO UPDATE SET sequence = excluded.sequence, event_id = NULL",
        )
        .bind(self.tenant)
        .bind(sequence)
        .execute(&mut *self.transaction)
        .await?;
        self.transaction.commit().await?;
        Ok(())
    }
}

/// What an event does to the table.
async fn change(table: &mut PgConnection, tenant: Uuid, payload: Option<Payload>) -> anyhow::Result<String> {
    match payload {
        // Nothing but `active` was set, and nothing else is told.
        Some(Payload::UserPatched(UserPatched { user: Some(user), .. })) if user.user_name.is_empty() => {
            sqlx::query("UPDATE user_table.users SET active = $3 WHERE tenant_id = $1 AND user_id = $2")
                .bind(tenant)
                .bind(id(&user.id)?)
                .bind(user.active())
                .execute(table)
                .await?;
            Ok(told(&user))
        }
        Some(
            Payload::UserCreated(UserCreated { user: Some(user) })
            | Payload::UserReplaced(UserReplaced { user: Some(user), .. })
            | Payload::UserPatched(UserPatched { user: Some(user), .. }),
        ) => {
            put(table, tenant, &user).await?;
            Ok(told(&user))
        }
        Some(Payload::UserDeleted(deleted)) => {
            sqlx::query("DELETE FROM user_table.users WHERE tenant_id = $1 AND user_id = $2")
                .bind(tenant)
                .bind(id(&deleted.user_id)?)
                .execute(table)
                .await?;
            Ok(format!("{} deleted", deleted.user_id))
        }
        // Groups, and ends of sessions: nothing that this table holds.
        _ => Ok("not of this table".to_owned()),
    }
}

async fn put(table: &mut PgConnection, tenant: Uuid, user: &User) -> anyhow::Result<()> {
    let primary = user.emails.iter().find(|email| email.primary());
    sqlx::query(UPSERT)
        .bind(tenant)
        .bind(id(&user.id)?)
        .bind(&user.user_name)
        .bind(&user.display_name)
        .bind(primary.or(user.emails.first()).map(|email| email.value().to_owned()))
        .bind(user.active())
        .execute(table)
        .await?;
    Ok(())
}

fn id(text: &str) -> anyhow::Result<Uuid> {
    text.parse().context("an id of a user")
}

fn told(user: &User) -> String {
    let state = if user.active() { "active" } else { "inactive" };
    format!("{} {state} {}", user.id, user.user_name).trim_end().to_owned()
}
