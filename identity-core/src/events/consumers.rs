//! Consumers: how far the platform's services came, each under a name of its own. Events are kept for them for longer than for
//! nobody.

use identity_proto::identity::v1::{ErrorReason, EventConsumer};

use super::{Events, invalid};
use crate::error::{Error, database};
use crate::store::TenantStore;
use crate::time::to_proto;

/// How many a tenant may have, about: two that come at once may both be the last.
const MAX_CONSUMERS: i64 = 100;
const MAX_NAME: usize = 63;
/// How many write at once. Their connections are those that bearer tokens are looked up with: services that acknowledge all at
/// once must not take them.
pub(super) const WRITES: usize = 2;
pub(super) const TOO_OFTEN: &str =
    "too many services acknowledge events at once; try again in a moment, and acknowledge less often";

/// Who begins with 0 begins with the oldest that is kept. Who came to a number misses what was removed after it.
const ACKNOWLEDGE: &str = "WITH stream AS (
        SELECT coalesce(s.last_sequence, 0) AS last_sequence, coalesce(s.trimmed_sequence, 0) AS trimmed_sequence,
               (SELECT count(*) FROM event_consumer AS c WHERE c.tenant_id = $1 AND c.name <> $2) AS others
        FROM tenant_access AS t LEFT JOIN event_stream AS s ON s.tenant_id = t.tenant_id WHERE t.tenant_id = $1
    ), noted AS (
        INSERT INTO event_consumer AS c (tenant_id, name, acknowledged_sequence, acknowledged_at)
        SELECT $1, $2, CASE WHEN $3 = 0 THEN stream.trimmed_sequence ELSE $3 END, clock_timestamp()
        FROM stream WHERE $3 <= stream.last_sequence AND stream.others < $4
        ON CONFLICT (tenant_id, name) DO UPDATE
            SET acknowledged_sequence = greatest(c.acknowledged_sequence, $3),
                acknowledged_at = excluded.acknowledged_at
        RETURNING c.name, c.acknowledged_sequence, c.acknowledged_at
    )
    SELECT stream.last_sequence, stream.trimmed_sequence, noted.name, noted.acknowledged_sequence, noted.acknowledged_at
    FROM stream LEFT JOIN noted ON true";

const LIST: &str =
    "SELECT coalesce(s.last_sequence, 0) AS last_sequence, coalesce(s.trimmed_sequence, 0) AS trimmed_sequence,
           c.name, c.acknowledged_sequence, c.acknowledged_at
    FROM tenant_access AS t
    LEFT JOIN event_stream AS s ON s.tenant_id = t.tenant_id
    LEFT JOIN event_consumer AS c ON c.tenant_id = t.tenant_id
    WHERE t.tenant_id = $1 ORDER BY c.name";

/// The numbers of the tenant, and a consumer if there is one.
#[derive(sqlx::FromRow)]
struct Row {
    last_sequence: i64,
    trimmed_sequence: i64,
    name: Option<String>,
    acknowledged_sequence: Option<i64>,
    acknowledged_at: Option<jiff_sqlx::Timestamp>,
}

impl Events {
    /// Notes that everything up to this number took effect at a consumer, which need not be known yet.
    #[tracing::instrument(skip_all, fields(tenant.id = %store.tenant()))]
    pub async fn acknowledge(&self, store: &TenantStore, name: &str, sequence: i64) -> Result<EventConsumer, Error> {
        check_name(name)?;
        if sequence < 0 {
            return Err(invalid("sequence is the number of an event, or 0 for none yet"));
        }
        let _turn = self.turns.take().await?;
        let row: Option<Row> = sqlx::query_as(ACKNOWLEDGE)
            .bind(store.tenant())
            .bind(name)
            .bind(sequence)
            .bind(MAX_CONSUMERS)
            .fetch_optional(&mut *self.system.connection().await?)
            .await
            .map_err(database)?;
        let row = row.ok_or_else(|| Error::not_found("tenant"))?;
        let last = row.last_sequence;
        row.consumer().ok_or_else(|| {
            if sequence > last {
                let message = format!("there is no event {sequence}: the last one is {last}");
                return invalid(message).with("last_sequence", last.to_string());
            }
            let message = format!(
                "the tenant has {MAX_CONSUMERS} consumers, and no more are kept; delete those that are not used any more"
            );
            Error::new(ErrorReason::TooMany, message)
        })
    }

    /// The consumers of a tenant, by name.
    #[tracing::instrument(skip_all, fields(tenant.id = %store.tenant()))]
    pub async fn consumers(&self, store: &TenantStore) -> Result<Vec<EventConsumer>, Error> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(store.tenant())
            .fetch_all(&mut *store.read().await?)
            .await
            .map_err(database)?;
        if rows.is_empty() {
            return Err(Error::not_found("tenant"));
        }
        Ok(rows.into_iter().filter_map(Row::consumer).collect())
    }

    /// Forgets a consumer.
    #[tracing::instrument(skip_all, fields(tenant.id = %store.tenant()))]
    pub async fn forget(&self, store: &TenantStore, name: &str) -> Result<(), Error> {
        let _turn = self.turns.take().await?;
        let gone = sqlx::query("DELETE FROM event_consumer WHERE tenant_id = $1 AND name = $2")
            .bind(store.tenant())
            .bind(name)
            .execute(&mut *self.system.connection().await?)
            .await
            .map_err(database)?;
        if gone.rows_affected() == 0 {
            return Err(Error::not_found("event consumer"));
        }
        Ok(())
    }
}

impl Row {
    fn consumer(self) -> Option<EventConsumer> {
        let acknowledged = self.acknowledged_sequence?;
        Some(EventConsumer {
            name: self.name?,
            acknowledged_sequence: acknowledged,
            acknowledge_time: self.acknowledged_at.map(to_proto),
            waiting: self.last_sequence - acknowledged.max(self.trimmed_sequence),
        })
    }
}

/// Whether a consumer may have this name.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(invalid("the name of a consumer is 1 to 63 of a-z, 0-9 and hyphen"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_short() {
        let check = |name: &str, expect: bool| assert_eq!(check_name(name).is_ok(), expect, "{name}");
        check("portal-2", true);
        check(&"a".repeat(63), true);
        check(&"a".repeat(64), false);
        for wrong in ["", "Portal", "a b", "a_b", "ä", "a\0"] {
            check(wrong, false);
        }
    }
}
