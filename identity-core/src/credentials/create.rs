//! Makes a token. It leaves this process once, in the answer.

use identity_proto::credential::{hash, token};
use identity_proto::identity::v1::{CreateTokenResponse, ErrorReason};
use uuid::Uuid;

use super::{Credentials, Row, SCOPES};
use crate::Error;
use crate::error::database;

/// How many live tokens a tenant may have: enough to rotate, few enough to keep in mind.
const MAX_LIVE: i64 = 5;
const DAY: i64 = 86_400;
const DEFAULT_LIFETIME: i64 = 365 * DAY;
/// Three years, one of them a leap year.
const MAX_LIFETIME: i64 = (3 * 365 + 1) * DAY;

/// Keeps two requests from counting at the same time.
const LOCK: &str = "SELECT 1 FROM tenant WHERE tenant_id = $1 AND state <> 'deleted' FOR NO KEY UPDATE";

const CREATE: &str = "INSERT INTO credential (credential_id, tenant_id, sha256, hint, scopes, expires_at)
    SELECT $1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6::bigint)
    WHERE (SELECT count(*) FROM credential
           WHERE tenant_id = $2 AND revoked_at IS NULL AND expires_at > clock_timestamp()) < $7
    RETURNING credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at, revoked_at";

impl Credentials {
    /// Makes a token of the tenant. No scopes means all of them; no lifetime, a year.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub async fn create(
        &self,
        tenant: Uuid,
        scopes: Vec<String>,
        lifetime: Option<prost_types::Duration>,
    ) -> Result<CreateTokenResponse, Error> {
        let (scopes, seconds) = (checked_scopes(scopes)?, checked_lifetime(lifetime)?);
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Error::internal(error.to_string()))?;
        let secret = token(random);
        let hint = secret.get(secret.len() - 4..).unwrap_or_default().to_owned();
        let mut connection = self.store.connection().await?;
        connection.begin("BEGIN".to_owned()).await.map_err(database)?;
        let found = sqlx::query(LOCK)
            .bind(tenant)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        found.ok_or_else(|| Error::not_found("tenant"))?;
        let row: Option<Row> = sqlx::query_as(CREATE)
            .bind(Uuid::now_v7())
            .bind(tenant)
            .bind(hash(&secret).to_vec())
            .bind(hint)
            .bind(scopes)
            .bind(seconds)
            .bind(MAX_LIVE)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        connection.commit().await.map_err(database)?;
        let row = row.ok_or_else(|| {
            let message = format!("the tenant has {MAX_LIVE} live tokens, which is the most; revoke one first");
            Error::new(ErrorReason::TooMany, message)
        })?;
        Ok(CreateTokenResponse {
            token: Some(row.into()),
            secret,
        })
    }
}

fn checked_scopes(mut scopes: Vec<String>) -> Result<Vec<String>, Error> {
    if scopes.is_empty() {
        return Ok(SCOPES.map(str::to_owned).to_vec());
    }
    if scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        let message = format!("a token's scopes may be {}", SCOPES.join(" and "));
        return Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "scopes"));
    }
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

fn checked_lifetime(lifetime: Option<prost_types::Duration>) -> Result<i64, Error> {
    let seconds = lifetime.map_or(DEFAULT_LIFETIME, |lifetime| lifetime.seconds);
    if (1..=MAX_LIFETIME).contains(&seconds) {
        return Ok(seconds);
    }
    let message = format!(
        "a token lives for at least a second and at most {} days",
        MAX_LIFETIME / DAY
    );
    Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "lifetime"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_and_named_once() {
        let check = |given: &[&str], expect: Option<&[&str]>| {
            let given: Vec<_> = given.iter().map(|&scope| scope.to_owned()).collect();
            assert_eq!(
                checked_scopes(given)
                    .ok()
                    .as_deref()
                    .map(|s| s.iter().map(String::as_str).collect()),
                expect.map(<[_]>::to_vec)
            );
        };
        check(&[], Some(&["scim.read", "scim.write"]));
        check(
            &["scim.write", "scim.read", "scim.write"],
            Some(&["scim.read", "scim.write"]),
        );
        check(&["scim.read"], Some(&["scim.read"]));
        check(&["scim.read", "admin"], None);
        check(&["SCIM.READ"], None);
    }

    #[test]
    fn lifetimes_are_bounded() {
        let check = |seconds: Option<i64>, expect: Option<i64>| {
            let lifetime = seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
            assert_eq!(checked_lifetime(lifetime).ok(), expect, "{seconds:?}");
        };
        check(None, Some(DEFAULT_LIFETIME));
        check(Some(1), Some(1));
        check(Some(MAX_LIFETIME), Some(MAX_LIFETIME));
        for wrong in [0, -1, MAX_LIFETIME + 1, i64::MAX] {
            check(Some(wrong), None);
        }
    }
}
