//! What an OAuth client gets, and for how long: RFC 6749, and 9700 for what has to be refused. Codes, refresh tokens and access
//! tokens are stored as their SHA-256. An access token is a row of `credential`, so that whatever ends it ends it everywhere
//! within a second.

mod authorize;
mod client_credentials;
mod code;
mod family;
mod introspect;
mod issue;
mod refresh;
mod revoke;
mod successor;

use std::time::Duration;

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::issue_token_request::Grant;
use identity_proto::identity::v1::{ClientAuthentication, ErrorReason, IssueTokenResponse};
use runtime::Secret;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::Error;
use crate::clients::{Client, Clients, unknown};
use crate::error::database;
use crate::store::{Actor, Lease, SystemStore};

const HOLD: &str = "SELECT 1 FROM oauth_client WHERE client_id = $1 AND revoked_at IS NULL FOR SHARE";

/// In a statement of its own: the one that waits for the client sees secrets as they were before.
const STILL_GOOD: &str =
    "SELECT 1 FROM client_secret WHERE secret_id = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()";

/// Operations of the OAuth endpoints.
#[derive(Clone)]
pub(crate) struct OAuth {
    store: SystemStore,
    clients: Clients,
    /// Makes refresh tokens' successors.
    key: Secret,
    /// How long a refresh token that was used answers its successor again.
    grace: Duration,
}

/// A client that proved who it is, and the secret by which it did, if by one.
pub(crate) struct Proven(Client, Option<Uuid>);

impl OAuth {
    /// What `store` reaches.
    pub(crate) fn new(store: SystemStore, clients: Clients, key: Secret, grace: Duration) -> Self {
        OAuth {
            store,
            clients,
            key,
            grace,
        }
    }

    /// The client of this id, unproven.
    pub(crate) async fn client(&self, id: &str) -> Result<Client, Error> {
        self.clients.find(id).await
    }

    /// The client that a request says it is from, unproven.
    pub(crate) async fn claimed(&self, authentication: &ClientAuthentication) -> Result<Client, Error> {
        self.clients.claimed(authentication).await
    }

    /// The client, if it is who it says.
    pub(crate) async fn prove(
        &self,
        client: Client,
        authentication: &ClientAuthentication,
        address: Option<&str>,
    ) -> Result<Proven, Error> {
        let secret = self.clients.prove(&client, authentication, address).await?;
        Ok(Proven(client, secret))
    }

    /// A transaction in which the client, which is live, stays as it is, and so does what it proved itself by: held before any
    /// grant, as its end is.
    async fn begin(&self, client: &Proven) -> Result<(Lease, OwnedSemaphorePermit), Error> {
        let turn = self.clients.turn().await?;
        let mut connection = self.store.connection().await?;
        connection.begin("BEGIN".to_owned()).await.map_err(database)?;
        let held = sqlx::query(HOLD).bind(client.0.id);
        let held = held.fetch_optional(&mut *connection).await.map_err(database)?;
        held.ok_or_else(unknown)?;
        if let Some(secret) = client.1 {
            let good = sqlx::query(STILL_GOOD).bind(secret);
            let good = good.fetch_optional(&mut *connection).await.map_err(database)?;
            good.ok_or_else(unknown)?;
        }
        Ok((connection, turn))
    }

    /// Answers a grant with tokens.
    #[tracing::instrument(skip_all, fields(client.id = %client.0.id))]
    pub(crate) async fn issue(&self, client: &Proven, grant: Option<Grant>) -> Result<IssueTokenResponse, Error> {
        match (client.0.kind(), grant) {
            (Kind::Code | Kind::PublicCode, Some(Grant::Code(code))) => self.exchange(client, &code).await,
            (Kind::Code | Kind::PublicCode, Some(Grant::Refresh(refresh))) => self.refresh(client, &refresh).await,
            (Kind::Secret | Kind::Assertion, Some(Grant::ClientCredentials(asked))) => {
                self.client_credentials(client, &asked.scopes).await
            }
            (Kind::Code | Kind::PublicCode, _) => Err(unauthorized("authorization_code and refresh_token")),
            _ => Err(unauthorized("client_credentials")),
        }
    }
}

impl Proven {
    fn actor(&self) -> Actor {
        Actor::Client(self.0.id)
    }
}

fn unauthorized(grants: &str) -> Error {
    let message = format!("this client may use the grant {grants}; create a client of another kind for others");
    Error::new(ErrorReason::ClientUnauthorized, message)
}

/// The same for what is unknown, used, expired, revoked and another client's.
fn grant_invalid() -> Error {
    let message =
        "the code or refresh token is unknown, used, expired or revoked; authenticate again in the identity provider";
    Error::new(ErrorReason::GrantInvalid, message)
}
