//! Revokes a token. No core answers from its cache for longer than the cache holds, which is well under a second.

use identity_proto::identity::v1::Token;
use uuid::Uuid;

use super::{Credentials, Row};
use crate::error::{Error, database};

/// A token revoked again keeps the time of the first.
const REVOKE: &str =
    "UPDATE credential SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE credential_id = $1
    RETURNING credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at, revoked_at";

impl Credentials {
    /// Revokes a token by its id.
    #[tracing::instrument(skip_all, fields(credential.id = id))]
    pub async fn revoke(&self, id: &str) -> Result<Token, Error> {
        let not_found = || Error::not_found("token");
        let id = Uuid::parse_str(id).map_err(|_| not_found())?;
        let row: Option<Row> = sqlx::query_as(REVOKE)
            .bind(id)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        row.map(Token::from).ok_or_else(not_found)
    }
}
