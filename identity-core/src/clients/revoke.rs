//! Ends a client with all that it holds, or one of its secrets.

use identity_proto::identity::v1::{Client, RevokeClientRequest};
use uuid::Uuid;

use super::Clients;
use crate::error::{Error, database};
use crate::store::{Actor, Audited};

/// The client is locked: no token of it comes up while this looks.
const REVOKE: Audited = Audited::new(
    "change AS (
        UPDATE oauth_client SET revoked_at = clock_timestamp() WHERE client_id = $4 AND revoked_at IS NULL
        RETURNING tenant_id, client_id AS subject_id, '{}'::jsonb AS detail
    ),
    grants AS (UPDATE oauth_grant SET revoked_at = clock_timestamp() WHERE client_id = $4 AND revoked_at IS NULL),
    secrets AS (UPDATE client_secret SET revoked_at = clock_timestamp() WHERE client_id = $4 AND revoked_at IS NULL),
    tokens AS (UPDATE credential SET revoked_at = clock_timestamp() WHERE client_id = $4 AND revoked_at IS NULL)",
    "SELECT subject_id FROM change",
);

/// Its tokens live on: a rotation ends by this, and whoever got them has another secret by now.
const REVOKE_SECRET: Audited = Audited::new(
    "change AS (
        UPDATE client_secret SET revoked_at = clock_timestamp()
        WHERE client_id = $4 AND secret_id = $5 AND revoked_at IS NULL
        RETURNING $6::uuid AS tenant_id, client_id AS subject_id,
            jsonb_build_object('secret_id', secret_id, 'hint', hint) AS detail
    )",
    "SELECT subject_id FROM change",
);

impl Clients {
    /// Ends it now. What has ended already stays as it is.
    #[tracing::instrument(skip_all, fields(client.id = request.id))]
    pub(crate) async fn revoke(&self, actor: &Actor, request: &RevokeClientRequest) -> Result<Client, Error> {
        let (mut connection, id, tenant) = self.locked(&request.id).await?;
        if request.secret_id.is_empty() {
            let _: Option<(Uuid,)> = REVOKE
                .by(actor, "client.revoke")
                .bind(id)
                .fetch_optional(&mut *connection)
                .await
                .map_err(database)?;
        } else {
            let secret = Uuid::parse_str(&request.secret_id).ok();
            let _: Option<(Uuid,)> = REVOKE_SECRET
                .by(actor, "client.revoke_secret")
                .bind(id)
                .bind(secret)
                .bind(tenant)
                .fetch_optional(&mut *connection)
                .await
                .map_err(database)?;
        }
        let client = Self::shown(&mut connection, id).await?;
        let there = |secret: &str| client.secrets.iter().any(|one| one.id == secret);
        if !request.secret_id.is_empty() && !there(&request.secret_id.to_lowercase()) {
            return Err(Error::not_found("secret of this client"));
        }
        connection.commit().await.map_err(database)?;
        Ok(client)
    }
}
