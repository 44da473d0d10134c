//! Makes a token, or another in the place of one.

use identity_proto::credential::Kind;
use identity_proto::identity::v1::{CreateTokenResponse, ErrorReason};
use prost_types::Duration;
use uuid::Uuid;

use super::secret::{Secret, checked_lifetime, checked_overlap, checked_scopes};
use super::{Credentials, Row};
use crate::Error;
use crate::error::database;
use crate::store::{Actor, Audited};

/// How many live tokens a tenant may have: enough to rotate, few enough to keep in mind.
const MAX_LIVE: i64 = 5;

const CREATE: Audited = Audited::new(
    "change AS (
        INSERT INTO credential (credential_id, tenant_id, sha256, hint, scopes, expires_at)
        SELECT $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9::bigint)
        WHERE (SELECT count(*) FROM credential WHERE tenant_id = $5 AND client_id IS NULL
               AND revoked_at IS NULL AND expires_at > clock_timestamp()) < $10
        RETURNING *, credential_id AS subject_id, jsonb_build_object('hint', hint, 'scopes', scopes) AS detail
    )",
    "SELECT credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at FROM change",
);

/// The one before ends after the overlap, and nobody needs to be warned of that.
const ROTATE: Audited = Audited::new(
    "before AS (
        UPDATE credential SET expires_at = least(expires_at, clock_timestamp() + make_interval(secs => $10::bigint)), warned_days = 0
        WHERE credential_id = $4 AND tenant_id = $5 AND client_id IS NULL
              AND revoked_at IS NULL AND expires_at > clock_timestamp()
              AND (SELECT count(*) FROM credential WHERE tenant_id = $5 AND client_id IS NULL
                   AND revoked_at IS NULL AND expires_at > clock_timestamp()) < $11 + ($10 = 0)::int
        RETURNING *
    ),
    change AS (
        INSERT INTO credential (credential_id, tenant_id, sha256, hint, scopes, expires_at)
        SELECT $6, before.tenant_id, $7, $8, before.scopes, clock_timestamp() + make_interval(secs => $9::bigint) FROM before
        RETURNING *, credential_id AS subject_id,
            jsonb_build_object('hint', hint, 'scopes', scopes, 'rotated_from', $4) AS detail
    )",
    "SELECT credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at FROM change",
);

const LIVE: &str = "SELECT tenant_id FROM credential
    WHERE credential_id = $1 AND client_id IS NULL AND revoked_at IS NULL AND expires_at > clock_timestamp()";

impl Credentials {
    /// Makes a token of the tenant. No scopes means all of them; no lifetime, a year.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub(crate) async fn create(
        &self,
        actor: &Actor,
        tenant: Uuid,
        scopes: Vec<String>,
        lifetime: Option<Duration>,
    ) -> Result<CreateTokenResponse, Error> {
        let (scopes, seconds) = (checked_scopes(scopes)?, checked_lifetime(lifetime)?);
        let secret = Secret::random(Kind::Token)?;
        let statement = CREATE
            .by(actor, "token.create")
            .bind(Uuid::now_v7())
            .bind(tenant)
            .bind(secret.sha256.clone())
            .bind(secret.hint.clone())
            .bind(scopes)
            .bind(seconds)
            .bind(MAX_LIVE);
        self.made(tenant, secret, statement).await
    }

    /// Makes a token like this one, which ends after the overlap.
    #[tracing::instrument(skip_all, fields(credential.id = id))]
    pub(crate) async fn rotate(
        &self,
        actor: &Actor,
        id: &str,
        overlap: Option<Duration>,
        lifetime: Option<Duration>,
    ) -> Result<CreateTokenResponse, Error> {
        let (overlap, seconds) = (checked_overlap(overlap)?, checked_lifetime(lifetime)?);
        let not_found = || Error::not_found("live token");
        let id = Uuid::parse_str(id).map_err(|_| not_found())?;
        let tenant: Option<Uuid> = sqlx::query_scalar(LIVE)
            .bind(id)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        let tenant = tenant.ok_or_else(not_found)?;
        let secret = Secret::random(Kind::Token)?;
        let statement = ROTATE
            .by(actor, "token.rotate")
            .bind(id)
            .bind(tenant)
            .bind(Uuid::now_v7())
            .bind(secret.sha256.clone())
            .bind(secret.hint.clone())
            .bind(seconds)
            .bind(overlap)
            .bind(MAX_LIVE);
        self.made(tenant, secret, statement).await
    }

    async fn made(
        &self,
        tenant: Uuid,
        secret: Secret,
        statement: crate::store::Binding<Row>,
    ) -> Result<CreateTokenResponse, Error> {
        let mut connection = self.store.counting(tenant).await?;
        let row = statement.fetch_optional(&mut *connection).await.map_err(database)?;
        connection.commit().await.map_err(database)?;
        let row = row.ok_or_else(|| {
            let message = format!("the tenant has {MAX_LIVE} live tokens, which is the most; revoke one first");
            Error::new(ErrorReason::TooMany, message)
        })?;
        Ok(CreateTokenResponse {
            token: Some(row.into()),
            secret: secret.text,
        })
    }
}
