//! Shows clients to administrators, with their secrets' lives and never the secrets.

use identity_proto::identity::v1 as proto;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Clients, kind};
use crate::error::{Error, database};
use crate::store::Lease;
use crate::time::{jiff_to_proto, to_proto};

/// `$1` the tenant or null, `$2` the client or null.
const SHOW: &str = "SELECT client.client_id, client.tenant_id, client.name, client.kind, client.scopes, client.redirect_uris,
        client.issuer, client.jwks_url, client.subject, client.audience, client.token_seconds, client.created_at, client.revoked_at, (
        SELECT coalesce(jsonb_agg(to_jsonb(secret) - 'sha256' ORDER BY secret.created_at DESC, secret.secret_id DESC), '[]')
        FROM client_secret AS secret WHERE secret.client_id = client.client_id
    ) AS secrets
    FROM oauth_client AS client
    WHERE (client.tenant_id = $1 OR client.client_id = $2)
    ORDER BY client.created_at DESC, client.client_id DESC LIMIT 1000";

#[derive(sqlx::FromRow)]
struct Row {
    client_id: Uuid,
    tenant_id: Uuid,
    name: String,
    kind: String,
    scopes: Vec<String>,
    redirect_uris: Vec<String>,
    issuer: Option<String>,
    jwks_url: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    token_seconds: i32,
    created_at: jiff_sqlx::Timestamp,
    revoked_at: Option<jiff_sqlx::Timestamp>,
    secrets: Json<Vec<Secret>>,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "secret_id")]
    id: Uuid,
    hint: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    last_used_at: Option<Timestamp>,
    last_used_address: Option<String>,
    revoked_at: Option<Timestamp>,
}

impl Clients {
    /// The tenant's clients, the newest first, with those that were revoked.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub(crate) async fn list(&self, tenant: Uuid) -> Result<Vec<proto::Client>, Error> {
        let rows: Vec<Row> = sqlx::query_as(SHOW)
            .bind(tenant)
            .bind(None::<Uuid>)
            .fetch_all(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One client, as a transaction left it.
    pub(super) async fn shown(connection: &mut Lease, id: Uuid) -> Result<proto::Client, Error> {
        let row: Option<Row> = sqlx::query_as(SHOW)
            .bind(None::<Uuid>)
            .bind(id)
            .fetch_optional(&mut **connection)
            .await
            .map_err(database)?;
        row.map(Into::into).ok_or_else(|| Error::not_found("client"))
    }
}

impl From<Row> for proto::Client {
    fn from(row: Row) -> Self {
        let assertion = row.issuer.map(|issuer| proto::Assertion {
            issuer,
            jwks_url: row.jwks_url.unwrap_or_default(),
            subject: row.subject.unwrap_or_default(),
            audience: row.audience.unwrap_or_default(),
        });
        proto::Client {
            id: row.client_id.to_string(),
            tenant_id: row.tenant_id.to_string(),
            name: row.name,
            kind: kind(&row.kind).into(),
            scopes: row.scopes,
            redirect_uris: row.redirect_uris,
            assertion,
            token_lifetime: Some(prost_types::Duration {
                seconds: row.token_seconds.into(),
                nanos: 0,
            }),
            secrets: row.secrets.0.into_iter().map(Into::into).collect(),
            create_time: Some(to_proto(row.created_at)),
            revoke_time: row.revoked_at.map(to_proto),
        }
    }
}

impl From<Secret> for proto::ClientSecret {
    fn from(secret: Secret) -> Self {
        proto::ClientSecret {
            id: secret.id.to_string(),
            hint: secret.hint,
            create_time: Some(jiff_to_proto(secret.created_at)),
            expire_time: Some(jiff_to_proto(secret.expires_at)),
            last_used_time: secret.last_used_at.map(jiff_to_proto),
            last_used_address: secret.last_used_address.unwrap_or_default(),
            revoke_time: secret.revoked_at.map(jiff_to_proto),
        }
    }
}
