//! Makes a client, with its first secret if it has one.

use identity_proto::credential;
use identity_proto::identity::v1::{CreateClientRequest, CreateClientResponse, ErrorReason};
use uuid::Uuid;

use super::check::checked;
use super::{Clients, has_secrets};
use crate::Error;
use crate::assertions::check_url;
use crate::credentials::secret::Secret;
use crate::error::database;
use crate::store::{Actor, Audited};

/// How many live clients a tenant may have.
const MOST: i64 = 20;

const CREATE: Audited = Audited::new(
    "change AS (
        INSERT INTO oauth_client (client_id, tenant_id, name, kind, scopes, redirect_uris, token_seconds,
            issuer, jwks_url, subject, audience)
        SELECT $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
        WHERE (SELECT count(*) FROM oauth_client WHERE tenant_id = $5 AND revoked_at IS NULL) < $15
        RETURNING *, client_id AS subject_id,
            jsonb_build_object('name', name, 'kind', kind, 'scopes', scopes, 'redirect_uris', redirect_uris,
                'issuer', issuer, 'jwks_url', jwks_url, 'subject', subject, 'audience', audience) AS detail
    ),
    secret AS (
        INSERT INTO client_secret (secret_id, client_id, sha256, hint, expires_at)
        SELECT $16, client_id, $17, $18, clock_timestamp() + make_interval(secs => $19::bigint)
        FROM change WHERE $17 IS NOT NULL
    )",
    "SELECT client_id FROM change",
);

impl Clients {
    /// Makes a client of the tenant. An assertion without issuer or subject has the client's own id as both, as RFC 7523
    /// section 3 has it for clients.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub(crate) async fn create(
        &self,
        actor: &Actor,
        tenant: Uuid,
        request: CreateClientRequest,
    ) -> Result<CreateClientResponse, Error> {
        let checked = checked(request)?;
        if let Some(assertion) = &checked.assertion {
            check_url(&assertion.jwks_url, &self.private_hosts)?;
        }
        let secret = has_secrets(checked.kind).then(|| Secret::random(credential::Kind::ClientSecret));
        let secret = secret.transpose()?;
        let id = Uuid::now_v7();
        let or_own_id = |claim: &str| {
            if claim.is_empty() {
                id.to_string()
            } else {
                claim.to_owned()
            }
        };
        let assertion = checked.assertion.as_ref();
        let statement = CREATE
            .by::<(Uuid,)>(actor, "client.create")
            .bind(id)
            .bind(tenant)
            .bind(checked.name)
            .bind(checked.column)
            .bind(checked.scopes)
            .bind(checked.redirect_uris)
            .bind(checked.token_seconds)
            .bind(assertion.map(|assertion| or_own_id(&assertion.issuer)))
            .bind(assertion.map(|assertion| assertion.jwks_url.clone()))
            .bind(assertion.map(|assertion| or_own_id(&assertion.subject)))
            .bind(assertion.map(|assertion| assertion.audience.clone()))
            .bind(MOST)
            .bind(Uuid::now_v7())
            .bind(secret.as_ref().map(|secret| secret.sha256.clone()))
            .bind(secret.as_ref().map(|secret| secret.hint.clone()))
            .bind(checked.secret_seconds);
        let mut connection = self.store.counting(tenant).await?;
        let made = statement.fetch_optional(&mut *connection).await.map_err(database)?;
        made.ok_or_else(|| {
            let message = format!("the tenant has {MOST} live clients, which is the most; revoke one first");
            Error::new(ErrorReason::TooMany, message)
        })?;
        let client = Self::shown(&mut connection, id).await?;
        connection.commit().await.map_err(database)?;
        Ok(CreateClientResponse {
            client: Some(client),
            secret: secret.map(|secret| secret.text).unwrap_or_default(),
        })
    }
}
