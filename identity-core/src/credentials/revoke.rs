//! Revokes a token. No core answers from its cache for longer than the cache holds, which is well under a second.

use identity_proto::identity::v1::Token;
use uuid::Uuid;

use super::{Credentials, Row};
use crate::error::{Error, database};
use crate::store::{Actor, Audited};

const REVOKE: Audited = Audited::new(
    "change AS (
        UPDATE credential SET revoked_at = clock_timestamp()
        WHERE credential_id = $4 AND client_id IS NULL AND revoked_at IS NULL
        RETURNING *, credential_id AS subject_id, jsonb_build_object('hint', hint) AS detail
    )",
    "SELECT credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at FROM change",
);

const FIND: &str =
    "SELECT credential_id, tenant_id, hint, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at
    FROM credential WHERE credential_id = $1 AND client_id IS NULL";

impl Credentials {
    /// Revokes a token by its id. One that is revoked again keeps the time of the first, and the log has no second entry.
    #[tracing::instrument(skip_all, fields(credential.id = id))]
    pub(crate) async fn revoke(&self, actor: &Actor, id: &str) -> Result<Token, Error> {
        let not_found = || Error::not_found("token");
        let id = Uuid::parse_str(id).map_err(|_| not_found())?;
        let mut connection = self.store.connection().await?;
        let revoked: Option<Row> = REVOKE
            .by(actor, "token.revoke")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        let row = match revoked {
            Some(row) => Some(row),
            // By somebody else, perhaps a moment ago: what this statement sees is newer.
            None => sqlx::query_as(FIND)
                .bind(id)
                .fetch_optional(&mut *connection)
                .await
                .map_err(database)?,
        };
        row.map(Token::from).ok_or_else(not_found)
    }
}
