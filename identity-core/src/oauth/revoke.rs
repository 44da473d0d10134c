//! Revokes a token at its client's wish: RFC 7009. A refresh token takes its family along, an access token goes alone.

use uuid::Uuid;

use super::{OAuth, Proven, family};
use crate::Error;
use crate::error::database;
use crate::store::Audited;

const LOCK: &str = "SELECT grant_id FROM oauth_grant
    WHERE client_id = $2 AND grant_id = (SELECT grant_id FROM refresh_token WHERE sha256 = $1) FOR UPDATE";

const REVOKE: Audited = Audited::new(
    "change AS (
        UPDATE credential SET revoked_at = clock_timestamp()
        WHERE sha256 = $4 AND client_id = $5 AND revoked_at IS NULL
        RETURNING tenant_id, credential_id AS subject_id, jsonb_build_object('client_id', client_id, 'hint', hint) AS detail
    )",
    "SELECT subject_id FROM change",
);

impl OAuth {
    /// Ends the token of this hash if it is the client's. What is unknown, ended or another's is left as it is.
    #[tracing::instrument(skip_all, fields(client.id = %client.0.id))]
    pub(crate) async fn revoke(&self, client: &Proven, sha256: &[u8]) -> Result<(), Error> {
        let (mut connection, _turn) = self.begin(client).await?;
        let grant: Option<Uuid> = sqlx::query_scalar(LOCK)
            .bind(sha256)
            .bind(client.0.id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        if let Some(grant) = grant {
            family::revoke(&mut connection, client, grant, "grant.revoke").await?;
        } else {
            let _: Option<(Uuid,)> = REVOKE
                .by(&client.actor(), "token.revoke")
                .bind(sha256)
                .bind(client.0.id)
                .fetch_optional(&mut *connection)
                .await
                .map_err(database)?;
        }
        connection.commit().await.map_err(database)
    }
}
