//! Warns of static tokens and client secrets that end soon, 30, 7 and 1 days ahead, by an event, a line of log and a metric; and
//! removes what ended long ago.

use std::time::Duration;

use identity_proto::identity::v1::CredentialExpiring;
use uuid::Uuid;

use crate::error::{Error, database};
use crate::failing::{Failing, Failure, within};
use crate::metrics;
use crate::outbox::Event;
use crate::store::{Mutation, SystemStore};
use crate::time::to_proto;

const EVERY: Duration = Duration::from_mins(1);
/// How many warnings a round writes at most.
const BATCH: i64 = 100;
/// How many days ahead.
pub(crate) const AHEAD: [i32; 3] = [30, 7, 1];

/// What ends within a month, and the nearest warning that is due. `warned_days` is 0 of what was rotated.
macro_rules! ending {
    () => {
        "ending AS (
            SELECT token.tenant_id, token.credential_id AS id, NULL::uuid AS client_id, token.expires_at, token.warned_days
            FROM credential AS token
            WHERE token.client_id IS NULL AND token.revoked_at IS NULL
                  AND token.expires_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '30 days'
            UNION ALL
            SELECT client.tenant_id, secret.secret_id, client.client_id, secret.expires_at, secret.warned_days
            FROM client_secret AS secret JOIN oauth_client AS client ON client.client_id = secret.client_id
            WHERE client.revoked_at IS NULL AND secret.revoked_at IS NULL
                  AND secret.expires_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '30 days'
        ),
        due AS (
            SELECT ending.*, CASE WHEN ending.expires_at <= clock_timestamp() + interval '1 day' THEN 1
                WHEN ending.expires_at <= clock_timestamp() + interval '7 days' THEN 7 ELSE 30 END AS days
            FROM ending JOIN tenant ON tenant.tenant_id = ending.tenant_id
            WHERE tenant.state <> 'deleted' AND coalesce(ending.warned_days, 31) <> 0
        )"
    };
}

const DUE: &str = concat!(
    "WITH ",
    ending!(),
    " SELECT tenant_id, id, client_id, expires_at, days FROM due WHERE coalesce(warned_days, 31) > days LIMIT $1"
);

const COUNT: &str = concat!("WITH ", ending!(), " SELECT days, count(*) FROM due GROUP BY days");

/// The warning counts for whoever comes first.
const WARN: Mutation = Mutation::new(
    "token AS (
        UPDATE credential SET warned_days = $10
        WHERE credential_id = $9 AND tenant_id = $1 AND coalesce(warned_days, 31) > $10 RETURNING 1
    ),
    secret AS (
        UPDATE client_secret SET warned_days = $10
        WHERE secret_id = $9 AND coalesce(warned_days, 31) > $10 RETURNING 1
    ),
    change AS (SELECT NULL::bigint AS access_epoch FROM (SELECT FROM token UNION ALL SELECT FROM secret) AS warned)",
    "SELECT 1 FROM change",
);

/// Rows that nothing asks for any more, so many at once. An access token is kept for a day past its end, to tell whoever still sends it.
const TRIM: [&str; 4] = [
    "DELETE FROM authorization_code WHERE sha256 IN (SELECT sha256 FROM authorization_code
        WHERE expires_at < clock_timestamp() - interval '1 day' LIMIT 1000)",
    "DELETE FROM refresh_token WHERE sha256 IN (
        (SELECT sha256 FROM refresh_token WHERE expires_at < clock_timestamp() LIMIT 500)
        UNION ALL
        (SELECT sha256 FROM refresh_token WHERE rotated_at < clock_timestamp() - interval '30 days' LIMIT 500))",
    "DELETE FROM assertion_used WHERE (client_id, jti) IN (SELECT client_id, jti FROM assertion_used
        WHERE expires_at < clock_timestamp() - interval '5 minutes' LIMIT 1000)",
    "DELETE FROM credential WHERE credential_id IN (SELECT credential_id FROM credential
        WHERE client_id IS NOT NULL AND expires_at < clock_timestamp() - interval '1 day' LIMIT 1000)",
];

#[derive(sqlx::FromRow)]
struct Ending {
    tenant_id: Uuid,
    id: Uuid,
    client_id: Option<Uuid>,
    expires_at: jiff_sqlx::Timestamp,
    days: i32,
}

/// Looks for ever, once the schema is there.
pub(crate) async fn keep_warned(store: SystemStore) {
    let mut failing = Failing::default();
    loop {
        let mut done = within(round(&store)).await;
        for statement in TRIM {
            done = done.and(within(trim(&store, statement)).await);
        }
        match done {
            Ok(()) => failing.succeeded(),
            Err(error) => failing.failed(&error, "credentials that end cannot be looked for, or removed"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn round(store: &SystemStore) -> Result<(), Failure> {
    let due: Vec<Ending> = sqlx::query_as(DUE)
        .bind(BATCH)
        .fetch_all(&mut *store.connection().await?)
        .await?;
    for ending in due {
        warn(store, &ending).await?;
    }
    let counts: Vec<(i32, i64)> = sqlx::query_as(COUNT).fetch_all(&mut *store.connection().await?).await?;
    metrics::credentials_expiring(&AHEAD, &counts);
    Ok(())
}

async fn trim(store: &SystemStore, statement: &'static str) -> Result<(), Failure> {
    sqlx::query(statement).execute(&mut *store.connection().await?).await?;
    Ok(())
}

async fn warn(store: &SystemStore, ending: &Ending) -> Result<(), Error> {
    let told = CredentialExpiring {
        credential_id: ending.id.to_string(),
        client_id: ending.client_id.map(|id| id.to_string()).unwrap_or_default(),
        expire_time: Some(to_proto(ending.expires_at)),
        days: ending.days,
    };
    let event = Event::credential_expiring(ending.tenant_id, told);
    let warned: Option<(i32,)> = store
        .change(ending.tenant_id, &WARN, event, |statement| {
            statement.bind(ending.id).bind(ending.days)
        })
        .await
        .map_err(database)?;
    if warned.is_some() {
        let kind = if ending.client_id.is_some() {
            "client secret"
        } else {
            "token"
        };
        tracing::warn!(
            tenant.id = %ending.tenant_id, credential.id = %ending.id, expires_at = %ending.expires_at.to_jiff(), days = ending.days,
            "a {kind} expires soon; rotate it and configure the new one in the identity provider"
        );
    }
    Ok(())
}
