//! OAuth clients of tenants: who may ask the token endpoint for tokens, and how it proves who it is (RFC 6749 section 2).

mod check;
mod create;
mod list;
mod prove;
mod redirect_uri;
mod revoke;
mod rotate;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::identity::v1::client::Kind;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

pub(crate) use prove::unknown;
pub(crate) use redirect_uri::matches as redirect_uri_matches;

use crate::Error;
use crate::assertions::{Assertions, PrivateHosts};
use crate::credentials::SCOPES;
use crate::error::database;
use crate::store::{Lease, SystemStore, Turns};

/// How many questions of the OAuth endpoints run at once. Anyone can invent clients, secrets and codes: they must not take every
/// connection.
const LOOK_UPS: usize = 4;

/// Keeps a client as it is. Whoever gives it a token holds it shared, before anything else, so a token is there before its
/// client's end or not at all, and the two never wait for each other.
const LOCK_CLIENT: &str = "SELECT tenant_id FROM oauth_client WHERE client_id = $1 FOR UPDATE";

/// Operations on clients.
#[derive(Clone)]
pub(crate) struct Clients {
    store: SystemStore,
    assertions: Assertions,
    private_hosts: PrivateHosts,
    turns: Turns,
}

impl Clients {
    /// The clients that `store` reaches. Their issuers' keys are at public addresses, or at one of `private_hosts`.
    pub(crate) fn new(store: SystemStore, private_hosts: PrivateHosts) -> Self {
        Clients {
            store,
            assertions: Assertions::new(private_hosts.clone()),
            private_hosts,
            turns: Turns::new(LOOK_UPS, "too many clients ask at once; try again in a moment"),
        }
    }

    /// To be held while the database is asked on a stranger's behalf.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.turns.take().await
    }

    /// A transaction in which the client stays as it is, and the client's tenant.
    async fn locked(&self, client: &str) -> Result<(Lease, Uuid, Uuid), Error> {
        let not_found = || Error::not_found("client");
        let id = Uuid::parse_str(client).map_err(|_| not_found())?;
        let mut connection = self.store.connection().await?;
        connection.begin("BEGIN".to_owned()).await.map_err(database)?;
        let tenant: Option<Uuid> = sqlx::query_scalar(LOCK_CLIENT)
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        Ok((connection, id, tenant.ok_or_else(not_found)?))
    }
}

/// A live client, as the token endpoint and the consent page need it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Client {
    #[sqlx(rename = "client_id")]
    pub(crate) id: Uuid,
    #[sqlx(rename = "tenant_id")]
    pub(crate) tenant: Uuid,
    pub(crate) tenant_name: String,
    pub(crate) name: String,
    kind: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uris: Vec<String>,
    issuer: Option<String>,
    jwks_url: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    pub(crate) token_seconds: i32,
    tenant_state: String,
    scim_enabled: bool,
    /// Seconds of PostgreSQL's clock.
    now: i64,
}

impl Client {
    pub(crate) fn kind(&self) -> Kind {
        kind(&self.kind)
    }

    /// Of what is asked for, or of everything if nothing is: refused if it is more than the client may have.
    pub(crate) fn scopes(&self, asked: &[String]) -> Result<Vec<String>, Error> {
        within(&self.scopes, asked)
    }
}

/// What Entra ID asks for as well.
const READ_WRITE: &str = "scim.readwrite";

/// `asked`, or all of `held` if nothing is asked for; refused where it is more. What is no scope here is ignored (RFC 6749 section 3.3):
/// Entra ID asks for scopes of its own, such as `scim`, and the answer says what was granted.
pub(crate) fn within(held: &[String], asked: &[String]) -> Result<Vec<String>, Error> {
    let (known, unknown): (Vec<&String>, Vec<&String>) =
        asked.iter().partition(|scope| SCOPES.contains(&scope.as_str()));
    // Who mistypes a scope of ours must not get all of them.
    let mistyped = |scope: &&String| scope.to_ascii_lowercase().starts_with("scim.") && *scope != READ_WRITE;
    let asked = known;
    if unknown.iter().any(mistyped) || asked.iter().any(|scope| !held.contains(scope)) {
        let message = format!("the scopes that can be granted are {}", held.join(" "));
        return Err(Error::new(ErrorReason::ScopeInvalid, message));
    }
    let granted = held.iter().filter(|scope| asked.is_empty() || asked.contains(scope));
    Ok(granted.cloned().collect())
}

/// Reads the column `kind`.
fn kind(column: &str) -> Kind {
    match column {
        "code" => Kind::Code,
        "public_code" => Kind::PublicCode,
        "secret" => Kind::Secret,
        "assertion" => Kind::Assertion,
        _ => Kind::Unspecified,
    }
}

/// Writes the column `kind`.
fn column(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Code => "code",
        Kind::PublicCode => "public_code",
        Kind::Secret => "secret",
        Kind::Assertion => "assertion",
        Kind::Unspecified => return None,
    })
}

/// Whether clients of the kind have secrets.
fn has_secrets(kind: Kind) -> bool {
    matches!(kind, Kind::Code | Kind::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_granted_than_is_held() {
        let check = |held: &[&str], asked: &[&str], expect: Option<&[&str]>| {
            let held: Vec<_> = held.iter().map(|&scope| scope.to_owned()).collect();
            let asked: Vec<_> = asked.iter().map(|&scope| scope.to_owned()).collect();
            let granted = within(&held, &asked).ok();
            let granted: Option<Vec<&str>> = granted.as_ref().map(|all| all.iter().map(String::as_str).collect());
            assert_eq!(granted.as_deref(), expect, "{asked:?}");
        };
        let both = ["scim.read", "scim.write"];
        check(&both, &[], Some(&both));
        check(&both, &["scim.write"], Some(&["scim.write"]));
        check(&both, &["scim.write", "scim.write"], Some(&["scim.write"]));
        check(&both, &["scim.read", "scim"], Some(&["scim.read"]));
        check(&both, &["scim"], Some(&both));
        check(&both, &["scim.readwrite"], Some(&both));
        check(&both, &["scim.reed"], None);
        check(&both, &["SCIM.READ"], None);
        check(&["scim.read"], &["scim"], Some(&["scim.read"]));
        check(&["scim.read"], &["scim.read", "scim.write"], None);
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for one in [Kind::Code, Kind::PublicCode, Kind::Secret, Kind::Assertion] {
            assert_eq!(kind(column(one).expect("a kind")), one);
        }
    }
}
