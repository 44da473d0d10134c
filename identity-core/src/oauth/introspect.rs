//! What a token is, for the client that it belongs to: RFC 7662.

use identity_proto::identity::v1::IntrospectTokenResponse;

use super::{OAuth, Proven};
use crate::Error;
use crate::error::database;
use crate::time::to_proto;

const LOOK: &str = "SELECT scopes, created_at, expires_at, false AS refresh FROM credential
    WHERE sha256 = $1 AND client_id = $2 AND revoked_at IS NULL AND expires_at > clock_timestamp()
    UNION ALL
    SELECT granted.scopes, token.created_at, token.expires_at, true FROM refresh_token AS token
        JOIN oauth_grant AS granted ON granted.grant_id = token.grant_id
    WHERE token.sha256 = $1 AND granted.client_id = $2 AND granted.revoked_at IS NULL
          AND token.rotated_at IS NULL AND token.expires_at > clock_timestamp()";

#[derive(sqlx::FromRow)]
struct Token {
    scopes: Vec<String>,
    created_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
    refresh: bool,
}

impl OAuth {
    /// Whether a token is live, and what it may; of another client's it says no more than of none.
    #[tracing::instrument(skip_all, fields(client.id = %client.0.id))]
    pub(crate) async fn introspect(&self, client: &Proven, sha256: &[u8]) -> Result<IntrospectTokenResponse, Error> {
        let _turn = self.clients.turn().await?;
        let token: Option<Token> = sqlx::query_as(LOOK)
            .bind(sha256)
            .bind(client.0.id)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        Ok(
            token.map_or_else(IntrospectTokenResponse::default, |token| IntrospectTokenResponse {
                active: true,
                client_id: client.0.id.to_string(),
                tenant_id: client.0.tenant.to_string(),
                scopes: token.scopes,
                create_time: Some(to_proto(token.created_at)),
                expire_time: Some(to_proto(token.expires_at)),
                refresh: token.refresh,
            }),
        )
    }
}
