//! The consent of a tenant's administrator: RFC 6749 section 4.1. Whoever holds a static token of the tenant with the scopes that
//! are asked for may give them to a client of the tenant.

use identity_proto::credential;
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::{Authorization, AuthorizeRequest, AuthorizeResponse, ErrorReason};
use uuid::Uuid;

use super::OAuth;
use crate::Error;
use crate::clients::{Client, redirect_uri_matches};
use crate::credentials::Credential;
use crate::credentials::secret::Secret;
use crate::error::database;
use crate::store::{Actor, Audited};

/// How long a code works.
const CODE_SECONDS: i64 = 60;

const AUTHORIZE: Audited = Audited::new(
    "client AS (
        SELECT client_id, tenant_id FROM oauth_client
        WHERE client_id = $4 AND tenant_id = $5 AND revoked_at IS NULL FOR SHARE
    ),
    granted AS (
        INSERT INTO oauth_grant (grant_id, client_id, scopes, approved_by)
        SELECT $6, client.client_id, $7, $8 FROM client
        RETURNING *
    ),
    code AS (
        INSERT INTO authorization_code (sha256, grant_id, redirect_uri, challenge, expires_at)
        SELECT $9, grant_id, $10, $11, clock_timestamp() + make_interval(secs => $12::bigint) FROM granted
    ),
    change AS (
        SELECT $5::uuid AS tenant_id, grant_id AS subject_id,
            jsonb_build_object('client_id', client_id, 'scopes', scopes, 'redirect_uri', $10::text) AS detail FROM granted
    )",
    "SELECT subject_id FROM change",
);

impl OAuth {
    /// What the consent page shows, if the client registered this redirect URI.
    pub(crate) fn authorization(client: Client, redirect_uri: &str, scopes: &[String]) -> Result<Authorization, Error> {
        let redirect_uri = registered(&client, redirect_uri)?;
        Ok(Authorization {
            scopes: client.scopes(scopes)?,
            needs_challenge: client.kind() == Kind::PublicCode,
            client_name: client.name,
            tenant_name: client.tenant_name,
            redirect_uri,
        })
    }

    /// A code for the client, by the consent of whoever holds this credential.
    #[tracing::instrument(skip_all, fields(client.id = %client.id))]
    pub(crate) async fn authorize(
        &self,
        client: &Client,
        credential: &Credential,
        request: AuthorizeRequest,
    ) -> Result<AuthorizeResponse, Error> {
        let redirect_uri = registered(client, &request.redirect_uri)?;
        let scopes = client.scopes(&request.scopes)?;
        let challenge = challenge(client.kind(), request.code_challenge)?;
        check_consent(client, credential, &scopes)?;
        let code = Secret::random(credential::Kind::Code)?;
        let made: Option<(Uuid,)> = AUTHORIZE
            .by(&Actor::Credential(credential.id), "grant.create")
            .bind(client.id)
            .bind(credential.tenant)
            .bind(Uuid::now_v7())
            .bind(scopes)
            .bind(credential.id)
            .bind(code.sha256)
            .bind(request.redirect_uri)
            .bind(challenge)
            .bind(CODE_SECONDS)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        made.ok_or_else(refused)?;
        Ok(AuthorizeResponse {
            code: code.text,
            redirect_uri,
        })
    }
}

/// Where the answer goes: the URI of the request if it is registered, or the only registered one if the request has none.
fn registered(client: &Client, asked: &str) -> Result<String, Error> {
    let found = match (asked, client.redirect_uris.as_slice()) {
        ("", [only]) => Some(only.as_str()),
        (asked, registered) => registered
            .iter()
            .any(|one| redirect_uri_matches(one, asked))
            .then_some(asked),
    };
    found.map(str::to_owned).ok_or_else(|| {
        let message = "the redirect URI is none that this client was created with; compare them character by character";
        Error::new(ErrorReason::RedirectUriMismatch, message)
    })
}

fn challenge(kind: Kind, challenge: String) -> Result<Option<String>, Error> {
    let problem = match challenge.as_str() {
        "" if kind == Kind::PublicCode => "a public client needs a code_challenge",
        "" => return Ok(None),
        text if credential::is_challenge(text) => return Ok(Some(challenge)),
        _ => "the code_challenge is not the S256 of a code_verifier: 43 characters of base64url",
    };
    Err(Error::new(ErrorReason::InvalidValue, problem).with("attribute", "code_challenge"))
}

/// The administrator of one tenant never consents for another, and no access token makes itself another grant.
fn check_consent(client: &Client, credential: &Credential, scopes: &[String]) -> Result<(), Error> {
    let holds = scopes.iter().all(|scope| credential.scopes.contains(scope));
    if credential.tenant == client.tenant && !credential.of_client && holds {
        return Ok(());
    }
    Err(refused())
}

fn refused() -> Error {
    let message = "this key cannot consent: it needs to be a static token of the application's own tenant, with the scopes asked for";
    Error::new(ErrorReason::ConsentRefused, message)
}
