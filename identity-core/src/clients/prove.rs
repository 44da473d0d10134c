//! Who asks at the token endpoint: RFC 6749 section 2.3, RFC 7523 section 2.2.

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::client_authentication::Proof;
use identity_proto::identity::v1::tenant::State;
use identity_proto::identity::v1::{ClientAuthentication, ErrorReason};
use uuid::Uuid;

use super::{Client, Clients};
use crate::Error;
use crate::assertions::{Expected, Unverified};
use crate::error::database;
use crate::tenants;

const FIND: &str = "SELECT client.client_id, client.tenant_id, client.name, client.kind, client.scopes, client.redirect_uris,
        client.issuer, client.jwks_url, client.subject, client.audience, client.token_seconds, tenant.name AS tenant_name, tenant.state AS tenant_state, tenant.scim_enabled,
        extract(epoch FROM clock_timestamp())::bigint AS now
    FROM oauth_client AS client JOIN tenant ON tenant.tenant_id = client.tenant_id
    WHERE client.client_id = $1 AND client.revoked_at IS NULL AND tenant.state <> 'deleted'";

const SECRET: &str = "SELECT secret_id, expires_at, expires_at <= clock_timestamp() AS expired,
        coalesce(last_used_at < clock_timestamp() - interval '60 seconds', true) AS note_use
    FROM client_secret WHERE client_id = $1 AND sha256 = $2 AND revoked_at IS NULL";

const NOTE_USE: &str =
    "UPDATE client_secret SET last_used_at = clock_timestamp(), last_used_address = coalesce($2, last_used_address)
    WHERE secret_id = $1 AND coalesce(last_used_at < clock_timestamp() - interval '60 seconds', true)";

/// Ids are kept for as long as their assertions are taken.
const USE_ID: &str = "INSERT INTO assertion_used (client_id, jti, expires_at) VALUES ($1, $2, to_timestamp($3::float8))
    ON CONFLICT DO NOTHING";

#[derive(sqlx::FromRow)]
struct Secret {
    #[sqlx(rename = "secret_id")]
    id: Uuid,
    expires_at: jiff_sqlx::Timestamp,
    expired: bool,
    note_use: bool,
}

impl Clients {
    /// The live client that a request is from, as it says: by its id, or by its assertion's subject where that is the id.
    pub(crate) async fn claimed(&self, authentication: &ClientAuthentication) -> Result<Client, Error> {
        match (authentication.client_id.as_str(), &authentication.proof) {
            ("", Some(Proof::Assertion(assertion))) => {
                let unverified = Unverified::read(assertion).ok_or_else(unknown)?;
                self.find(&unverified.claimed_subject).await
            }
            (id, _) => self.find(id).await,
        }
    }

    /// The live client of this id.
    pub(crate) async fn find(&self, id: &str) -> Result<Client, Error> {
        let id = Uuid::parse_str(id).map_err(|_| unknown())?;
        let _turn = self.turn().await?;
        let found: Option<Client> = sqlx::query_as(FIND)
            .bind(id)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        found.ok_or_else(unknown)
    }

    /// That the client is who it says, in the way that was agreed when it was made, and that its tenant lets it in. The secret by
    /// which it is, if by one.
    pub(crate) async fn prove(
        &self,
        client: &Client,
        authentication: &ClientAuthentication,
        address: Option<&str>,
    ) -> Result<Option<Uuid>, Error> {
        let secret = match (client.kind(), &authentication.proof) {
            (Kind::Code | Kind::Secret, Some(Proof::SecretSha256(sha256))) => {
                Some(self.prove_by_secret(client, sha256, address).await?)
            }
            (Kind::Assertion, Some(Proof::Assertion(assertion))) => {
                self.prove_by_assertion(client, assertion).await?;
                None
            }
            (Kind::PublicCode, None) => None,
            (kind, _) => return Err(other_way(kind)),
        };
        if tenants::state(&client.tenant_state) != State::Active || !client.scim_enabled {
            let message = "the tenant is suspended, or SCIM is switched off for it; ask the service's operator";
            return Err(Error::new(ErrorReason::ClientUnauthorized, message));
        }
        Ok(secret)
    }

    async fn prove_by_secret(&self, client: &Client, sha256: &[u8], address: Option<&str>) -> Result<Uuid, Error> {
        let _turn = self.turn().await?;
        let mut connection = self.store.connection().await?;
        let found: Option<Secret> = sqlx::query_as(SECRET)
            .bind(client.id)
            .bind(sha256)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        let secret = found.ok_or_else(unknown)?;
        if secret.expired {
            let message = format!(
                "this client secret expired at {}; configure a newer one, which portcullis client rotate makes",
                secret.expires_at.to_jiff()
            );
            return Err(Error::new(ErrorReason::ClientInvalid, message));
        }
        if secret.note_use {
            let noted = sqlx::query(NOTE_USE).bind(secret.id).bind(address);
            // Failing to note a use must not fail the use.
            if let Err(error) = noted.execute(&mut *connection).await {
                tracing::warn!(error = &error as &dyn std::error::Error, client.id = %client.id, "last use not noted");
            }
        }
        Ok(secret.id)
    }

    /// An id is good for one use; an assertion without one, until it expires: RFC 7523 leaves it to the issuer.
    async fn prove_by_assertion(&self, client: &Client, assertion: &str) -> Result<(), Error> {
        let expected = client
            .expected()
            .ok_or_else(|| Error::internal("a client without its issuer"))?;
        let claims = self.assertions.verify(assertion, &expected, client.now).await?;
        let Some(jti) = claims.jti else {
            return Ok(());
        };
        let used = sqlx::query(USE_ID).bind(client.id).bind(jti).bind(claims.expires);
        let used = used
            .execute(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        if used.rows_affected() == 0 {
            let message = "this assertion was used before; the identity provider signs another for each request";
            return Err(Error::new(ErrorReason::ClientInvalid, message));
        }
        Ok(())
    }
}

impl Client {
    /// What its assertions must say.
    fn expected(&self) -> Option<Expected<'_>> {
        Some(Expected {
            issuer: self.issuer.as_deref()?,
            jwks_url: self.jwks_url.as_deref()?,
            subject: self.subject.as_deref()?,
            audience: self.audience.as_deref()?,
        })
    }
}

/// The same for what is unknown, revoked and wrong.
pub(crate) fn unknown() -> Error {
    let message = "the client id or its secret is not known here, or was revoked; check both in the identity provider";
    Error::new(ErrorReason::ClientInvalid, message)
}

fn other_way(kind: Kind) -> Error {
    let message = match kind {
        Kind::Assertion => "this client proves itself by client_assertion alone",
        Kind::PublicCode => "this client has no secret: send its client_id alone",
        _ => "this client proves itself by its client secret alone",
    };
    Error::new(ErrorReason::ClientInvalid, message)
}
