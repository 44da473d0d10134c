//! Lists the tokens of a tenant: what they are, never the secret.

use identity_proto::identity::v1::Token;
use uuid::Uuid;

use super::{Credentials, Row};
use crate::error::{Error, database};

const LIST: &str = "SELECT credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at,
        last_used_address, revoked_at
    FROM credential WHERE tenant_id = $1 AND client_id IS NULL ORDER BY created_at DESC, credential_id DESC LIMIT 1000";

impl Credentials {
    /// The tenant's tokens, the newest first, with those that ended.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub async fn list(&self, tenant: Uuid) -> Result<Vec<Token>, Error> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant)
            .fetch_all(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        Ok(rows.into_iter().map(Token::from).collect())
    }
}
