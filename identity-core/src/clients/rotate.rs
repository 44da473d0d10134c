//! Gives a client another secret; those before it end after the overlap, so that nothing has to be changed at once.

use identity_proto::credential;
use identity_proto::identity::v1::{ErrorReason, RotateClientSecretRequest, RotateClientSecretResponse};
use uuid::Uuid;

use super::Clients;
use crate::Error;
use crate::credentials::secret::{Secret, checked_lifetime, checked_overlap};
use crate::error::database;
use crate::store::{Actor, Audited};

/// How many live secrets a client may have.
const MOST: i64 = 5;

/// Without an overlap the secret may have leaked: what was got by it alone ends as well. Nobody needs to be warned of the end of
/// a secret that was rotated.
const ROTATE: Audited = Audited::new(
    "client AS (
        SELECT client_id, tenant_id FROM oauth_client
        WHERE client_id = $4 AND revoked_at IS NULL AND kind IN ('code', 'secret')
              AND ((SELECT count(*) FROM client_secret WHERE client_id = $4 AND revoked_at IS NULL
                   AND expires_at > clock_timestamp()) < $10 OR $9 = 0)
    ),
    before AS (
        UPDATE client_secret
        SET expires_at = least(expires_at, clock_timestamp() + make_interval(secs => $9::bigint)), warned_days = 0
        FROM client WHERE client_secret.client_id = client.client_id AND client_secret.revoked_at IS NULL
              AND client_secret.expires_at > clock_timestamp()
    ),
    tokens AS (
        UPDATE credential SET revoked_at = clock_timestamp() FROM client
        WHERE $9 = 0 AND credential.client_id = client.client_id AND credential.grant_id IS NULL AND credential.revoked_at IS NULL
    ),
    change AS (
        INSERT INTO client_secret (secret_id, client_id, sha256, hint, expires_at)
        SELECT $5, client.client_id, $6, $7, clock_timestamp() + make_interval(secs => $8::bigint) FROM client
        RETURNING client_id AS subject_id, (SELECT tenant_id FROM client) AS tenant_id,
            jsonb_build_object('secret_id', secret_id, 'hint', hint, 'overlap_seconds', $9) AS detail
    )",
    "SELECT subject_id FROM change",
);

impl Clients {
    /// Makes another secret. No overlap means a week, none at all that older ones end now.
    #[tracing::instrument(skip_all, fields(client.id = request.id))]
    pub(crate) async fn rotate(
        &self,
        actor: &Actor,
        request: RotateClientSecretRequest,
    ) -> Result<RotateClientSecretResponse, Error> {
        let (overlap, seconds) = (checked_overlap(request.overlap)?, checked_lifetime(request.lifetime)?);
        let secret = Secret::random(credential::Kind::ClientSecret)?;
        let (mut connection, id, _) = self.locked(&request.id).await?;
        let made: Option<(Uuid,)> = ROTATE
            .by(actor, "client.rotate")
            .bind(id)
            .bind(Uuid::now_v7())
            .bind(secret.sha256)
            .bind(secret.hint)
            .bind(seconds)
            .bind(overlap)
            .bind(MOST)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        let client = Self::shown(&mut connection, id).await?;
        if made.is_none() {
            let message = if client.revoke_time.is_some() {
                "this client was revoked; create another"
            } else if client.assertion.is_some() || client.secrets.is_empty() {
                "this kind of client has no secret"
            } else {
                return Err(Error::new(
                    ErrorReason::TooMany,
                    format!("the client has {MOST} live secrets, which is the most; revoke one first"),
                ));
            };
            return Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "id"));
        }
        connection.commit().await.map_err(database)?;
        Ok(RotateClientSecretResponse {
            client: Some(client),
            secret: secret.text,
        })
    }
}
