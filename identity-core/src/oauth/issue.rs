//! Writes an access token, and a refresh token where there is a grant, into a transaction that the caller commits, and in which
//! the client is held.

use identity_proto::credential::Kind;
use identity_proto::identity::v1::{ErrorReason, IssueTokenResponse};
use prost_types::Duration;
use uuid::Uuid;

use super::Proven;
use crate::Error;
use crate::credentials::secret::{DAY, Secret};
use crate::error::database;
use crate::store::{Audited, Lease};

/// How many live access tokens a client may have: whoever asks for one before each request is told to keep them.
const MOST: i64 = 1_000;
/// How long a refresh token lives that nobody uses.
const REFRESH_SECONDS: i64 = 365 * DAY;

const ISSUE: Audited = Audited::new(
    "client AS (
        SELECT client_id, tenant_id FROM oauth_client WHERE client_id = $4
    ),
    change AS (
        INSERT INTO credential (credential_id, tenant_id, sha256, hint, scopes, expires_at, client_id, grant_id)
        SELECT $5, client.tenant_id, $6, $7, $8, clock_timestamp() + make_interval(secs => $9::int), client.client_id, $10
        FROM client
        WHERE (SELECT count(*) FROM (
            SELECT FROM credential WHERE client_id = $4 AND revoked_at IS NULL AND expires_at > clock_timestamp() LIMIT $11
        ) AS live) < $11
        RETURNING tenant_id, credential_id AS subject_id,
            jsonb_build_object('client_id', client_id, 'grant_id', grant_id, 'hint', hint, 'scopes', scopes) AS detail
    ),
    refresh AS (
        INSERT INTO refresh_token (sha256, grant_id, expires_at)
        SELECT $12, $10, clock_timestamp() + make_interval(secs => $13::bigint) FROM change WHERE $12 IS NOT NULL
    )",
    "SELECT subject_id FROM change",
);

/// Tokens that are not written yet.
pub(super) struct Tokens {
    access: Secret,
    refresh: Option<Secret>,
    grant: Option<Uuid>,
    scopes: Vec<String>,
}

impl Tokens {
    /// An access token alone.
    pub(super) fn alone(scopes: Vec<String>) -> Result<Self, Error> {
        Ok(Tokens {
            access: Secret::random(Kind::Token)?,
            refresh: None,
            grant: None,
            scopes,
        })
    }

    /// The next pair of a grant.
    pub(super) fn of(grant: Uuid, access: Secret, refresh: Secret, scopes: Vec<String>) -> Self {
        Tokens {
            access,
            refresh: Some(refresh),
            grant: Some(grant),
            scopes,
        }
    }

    /// Writes them, with their entry in the audit log.
    pub(super) async fn write(self, connection: &mut Lease, client: &Proven) -> Result<IssueTokenResponse, Error> {
        let made: Option<(Uuid,)> = ISSUE
            .by(&client.actor(), "token.issue")
            .bind(client.0.id)
            .bind(Uuid::now_v7())
            .bind(self.access.sha256)
            .bind(self.access.hint)
            .bind(&self.scopes)
            .bind(client.0.token_seconds)
            .bind(self.grant)
            .bind(MOST)
            .bind(self.refresh.as_ref().map(|refresh| refresh.sha256.clone()))
            .bind(REFRESH_SECONDS)
            .fetch_optional(&mut **connection)
            .await
            .map_err(database)?;
        made.ok_or_else(|| {
            let message = format!("this client has {MOST} live access tokens; use a token until it expires");
            Error::new(ErrorReason::TooMany, message)
        })?;
        Ok(IssueTokenResponse {
            access_token: self.access.text,
            lifetime: Some(Duration {
                seconds: client.0.token_seconds.into(),
                nanos: 0,
            }),
            refresh_token: self.refresh.map(|refresh| refresh.text).unwrap_or_default(),
            scopes: self.scopes,
        })
    }
}
