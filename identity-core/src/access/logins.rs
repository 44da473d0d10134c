//! A login that began before a change of access must not land after it: where a login begins, where it is checked, and
//! the truth for a validation that the registers cannot answer.

use std::time::Duration;

use identity_proto::identity::v1::{AccessState, ErrorReason};
use uuid::Uuid;

use super::login::Login;
use super::relay::answer;
use super::{Access, state};
use crate::error::{Error, database};
use crate::keys::fold;
use crate::store::TenantStore;

/// How long a login may take, in microseconds.
const LOGIN_LIFE: i64 = 10 * 60 * 1_000_000;
/// How old an assertion may be that an identity provider sent unasked.
const MAX_ASSERTION_AGE: Duration = Duration::from_mins(1);

/// A login that began.
pub struct Begun {
    pub token: String,
    /// Microseconds since 1970, PostgreSQL's clock.
    pub expires: i64,
}

/// How the login that is to be checked began.
pub enum LoginStart {
    /// By `begin_login`.
    Token(String),
    /// At the identity provider: the age of its assertion.
    Assertion(Duration),
}

/// How the caller names the user.
pub enum UserRef {
    Id(Uuid),
    UserName(String),
}

/// Epochs and states of a tenant and one of its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    pub tenant: (i64, AccessState),
    pub user: (i64, AccessState),
}

/// A login that may become a session.
pub struct Checked {
    pub user: Uuid,
    pub epochs: Epochs,
    pub jti: Uuid,
    /// Microseconds since 1970, PostgreSQL's clock: until when the jti must be remembered.
    pub expires: i64,
}

#[derive(sqlx::FromRow)]
struct AccessRow {
    user_id: Uuid,
    tenant_epoch: i64,
    tenant_state: String,
    user_epoch: i64,
    user_state: String,
}

impl AccessRow {
    fn epochs(&self) -> Epochs {
        Epochs {
            tenant: (self.tenant_epoch, state(&self.tenant_state)),
            user: (self.user_epoch, state(&self.user_state)),
        }
    }
}

#[derive(sqlx::FromRow)]
struct LoginRow {
    #[sqlx(flatten)]
    access: AccessRow,
    /// No access changed since the login began.
    unchanged: bool,
    expired: bool,
    now: i64,
}

impl Access {
    /// Begins a login of an active tenant.
    pub async fn begin_login(&self, store: &TenantStore) -> Result<Begun, Error> {
        let row: Option<(String, String, i64, String)> = sqlx::query_as(
            "SELECT pg_current_snapshot()::text, pg_incarnation(),
                    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, state
             FROM tenant_access WHERE tenant_id = $1",
        )
        .bind(store.tenant())
        .fetch_optional(&mut *store.read().await?)
        .await
        .map_err(database)?;
        let (snapshot, pg_incarnation, now, tenant_state) = row.ok_or_else(|| Error::not_found("tenant"))?;
        if state(&tenant_state) != AccessState::AccessActive {
            return Err(ended(
                "the tenant is not active: nobody of it can log in until it is resumed",
            ));
        }
        let expires = now + LOGIN_LIFE;
        let token = Login::begin(store.tenant(), expires, snapshot, pg_incarnation).sign(&self.login_key);
        Ok(Begun { token, expires })
    }

    /// Whose login a token is. Its expiry is judged by [`Access::check_login`].
    pub fn login_tenant(&self, token: &str) -> Result<Uuid, Error> {
        Ok(Login::verify(&self.login_key, token)?.tenant())
    }

    /// Says with which epochs a login may become a session, and moves the registers there before it answers.
    pub async fn check_login(&self, store: &TenantStore, user: &UserRef, start: LoginStart) -> Result<Checked, Error> {
        // Taken before the read: an answer may only fill registers of the generation that it was read under.
        let links = self.registers.now();
        let (row, jti, expires) = match start {
            LoginStart::Token(token) => {
                let login = Login::verify(&self.login_key, &token)?;
                if login.tenant() != store.tenant() {
                    return Err(login_invalid("the login token is another tenant's"));
                }
                let (jti, expires) = (login.jti(), login.expires);
                (read_by_token(store, user, &login).await?, jti, expires)
            }
            LoginStart::Assertion(age) => {
                if age > MAX_ASSERTION_AGE {
                    return Err(login_invalid("the assertion is older than 60 s; start the login again"));
                }
                let row = read_by_assertion(store, user, age).await?;
                let expires = row.as_ref().map_or(0, |row| row.now) + LOGIN_LIFE;
                (row, Uuid::new_v4(), expires)
            }
        };
        let row = row.ok_or_else(|| Error::not_found("user"))?;
        judge(&row)?;
        let checked = Checked {
            user: row.access.user_id,
            epochs: row.access.epochs(),
            jti,
            expires,
        };
        answer(links, store.tenant(), checked.user, checked.epochs).await;
        Ok(checked)
    }

    /// Where access stands, by PostgreSQL; a user that it does not know has none. The registers follow behind the answer.
    pub async fn resolve(&self, store: &TenantStore, user: Uuid) -> Result<Epochs, Error> {
        let links = self.registers.now();
        let row: Option<AccessRow> = sqlx::query_as(
            "SELECT $2 AS user_id, t.epoch AS tenant_epoch, t.state AS tenant_state,
                    coalesce(u.epoch, 0) AS user_epoch, coalesce(u.state, 'deleted') AS user_state
             FROM tenant_access AS t LEFT JOIN user_access AS u ON u.tenant_id = t.tenant_id AND u.user_id = $2
             WHERE t.tenant_id = $1",
        )
        .bind(store.tenant())
        .bind(user)
        .fetch_optional(&mut *store.read().await?)
        .await
        .map_err(database)?;
        let epochs = row.ok_or_else(|| Error::not_found("tenant"))?.epochs();
        tokio::spawn(answer(links, store.tenant(), user, epochs));
        Ok(epochs)
    }
}

/// What both ways of checking select; the user is named by id or by key, the other parameter is null.
macro_rules! check_login {
    ($unchanged:literal, $expired:literal) => {
        concat!(
            "SELECT u.user_id, t.epoch AS tenant_epoch, t.state AS tenant_state,
                    u.epoch AS user_epoch, u.state AS user_state,
                    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now,
                    ",
            $unchanged,
            " AS unchanged, ",
            $expired,
            " AS expired
             FROM tenant_access AS t JOIN user_access AS u USING (tenant_id)
             WHERE t.tenant_id = $1 AND u.user_id = coalesce($2,
                   (SELECT n.user_id FROM users AS n WHERE n.tenant_id = $1 AND n.user_name_key = $3))"
        )
    };
}

async fn read_by_token(store: &TenantStore, user: &UserRef, login: &Login) -> Result<Option<LoginRow>, Error> {
    let (id, key) = named(user);
    sqlx::query_as(check_login!(
        "pg_incarnation() = $4 AND is_unchanged_since($5::pg_snapshot, t.changed_xid)
             AND is_unchanged_since($5::pg_snapshot, u.changed_xid)",
        "clock_timestamp() >= to_timestamp($6::bigint / 1000000.0)"
    ))
    .bind(store.tenant())
    .bind(id)
    .bind(key)
    .bind(&login.pg_incarnation)
    .bind(&login.snapshot)
    .bind(login.expires)
    .fetch_optional(&mut *store.read().await?)
    .await
    .map_err(database)
}

/// The time of a change is noted before its commit, and an age grows on its way here: two seconds are kept clear of both.
async fn read_by_assertion(store: &TenantStore, user: &UserRef, age: Duration) -> Result<Option<LoginRow>, Error> {
    let (id, key) = named(user);
    sqlx::query_as(check_login!(
        "greatest(t.changed_at, u.changed_at) < clock_timestamp() - make_interval(secs => $4) - interval '2 s'",
        "false"
    ))
    .bind(store.tenant())
    .bind(id)
    .bind(key)
    .bind(age.as_secs_f64())
    .fetch_optional(&mut *store.read().await?)
    .await
    .map_err(database)
}

fn named(user: &UserRef) -> (Option<Uuid>, Option<String>) {
    match user {
        UserRef::Id(id) => (Some(*id), None),
        UserRef::UserName(name) => (None, Some(fold(name))),
    }
}

fn judge(row: &LoginRow) -> Result<(), Error> {
    let epochs = row.access.epochs();
    if row.expired {
        return Err(login_invalid("the login took longer than ten minutes; begin it again"));
    }
    if epochs.tenant.1 != AccessState::AccessActive {
        return Err(ended(
            "the tenant is not active: nobody of it can log in until it is resumed",
        ));
    }
    if epochs.user.1 != AccessState::AccessActive {
        return Err(ended(
            "the user is not active: the identity provider must activate the user first",
        ));
    }
    if !row.unchanged {
        let message = "access changed after this login began; begin the login again";
        return Err(Error::new(ErrorReason::LoginStale, message));
    }
    Ok(())
}

fn ended(message: &str) -> Error {
    Error::new(ErrorReason::AccessEnded, message)
}

fn login_invalid(message: &str) -> Error {
    Error::new(ErrorReason::LoginInvalid, message)
}
