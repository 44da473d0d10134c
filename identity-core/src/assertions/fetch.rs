//! The fetch of a key set, from a URL that somebody else chose: over HTTPS from a public address, or from a host on the operator's
//! list; without redirects or a proxy; in three seconds and 256 KiB.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::sync::OnceCell;

use super::address::is_global;
use super::jwk::{self, Key};
use super::keys::{Failure, FailureKind, Fetch};
use super::source::{PrivateHosts, Source, source};
use crate::metrics::{self, JwksFetch};

/// How long a fetch may take.
const TOTAL: Duration = Duration::from_secs(3);
/// And how long it may take until it is connected: the name, TCP and TLS.
const CONNECT: Duration = Duration::from_secs(2);
/// The largest body, in bytes. Entra's sets have about 15 KB.
const MAX_BODY: usize = 256 * 1024;

/// Fetches over HTTP.
pub(super) struct Fetcher {
    private_hosts: PrivateHosts,
    /// Made with the first fetch, as it needs the system's certificates: who uses no assertions need not have any.
    public: OnceCell<Client>,
    /// For hosts on the list.
    private: OnceCell<Client>,
}

impl Fetcher {
    pub(super) fn new(private_hosts: PrivateHosts) -> Self {
        Fetcher {
            private_hosts,
            public: OnceCell::new(),
            private: OnceCell::new(),
        }
    }

    async fn client(&self, private: bool) -> Result<&Client, Failure> {
        let (cell, builder) = if private {
            (&self.private, Client::builder())
        } else {
            let builder = Client::builder().https_only(true).dns_resolver(PublicOnly);
            (&self.public, builder)
        };
        let build = async || {
            builder
                .no_proxy()
                .redirect(Policy::none())
                .timeout(TOTAL)
                .connect_timeout(CONNECT)
                .pool_max_idle_per_host(0)
                .user_agent("portcullis")
                .build()
        };
        cell.get_or_try_init(build).await.map_err(|error| unreached(&error))
    }

    async fn ask(&self, url: &str) -> Result<Vec<Key>, Failure> {
        // Checked when the client was created; but the list of hosts may have become shorter.
        let Source { url, private } =
            source(url, &self.private_hosts).map_err(|error| failed(FailureKind::Refused, error.message))?;
        let request = self.client(private).await?.get(url);
        let answer = request.send().await.map_err(|error| unreached(&error))?;
        let status = answer.status();
        if status != StatusCode::OK {
            let is_passing = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            let kind = if is_passing || status.is_server_error() {
                FailureKind::Down
            } else {
                FailureKind::NoKeys
            };
            return Err(failed(kind, format!("it answers with status {}", status.as_u16())));
        }
        let body = body(answer).await?;
        jwk::read_set(&body)
            .ok_or_else(|| failed(FailureKind::NoKeys, "its answer is not a JWK set of at most 100 keys"))
    }
}

impl Fetch for Fetcher {
    async fn fetch(&self, url: &str) -> Result<Vec<Key>, Failure> {
        let keys = self.ask(url).await;
        metrics::jwks_fetched(match &keys {
            Ok(_) => JwksFetch::Fetched,
            Err(failure) if failure.kind == FailureKind::Refused => JwksFetch::Refused,
            Err(_) => JwksFetch::Failed,
        });
        keys
    }
}

/// Reads no more than it has to in order to know that it is too much.
async fn body(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreached(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(failed(FailureKind::NoKeys, "its answer is larger than 256 KiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Resolves names as the system does, to addresses that are out in the world. The connection is made to what it says, so a
/// name cannot lead elsewhere between the check and the use.
pub(super) struct PublicOnly;

#[derive(Debug, thiserror::Error)]
#[error("its host has no public address; an operator can allow it by PORTCULLIS_JWKS_PRIVATE_HOSTS")]
struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_global(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// With all that an error of the client has behind it, for the log.
fn unreached(error: &reqwest::Error) -> Failure {
    let causes = || std::iter::successors(Some(error as &dyn StdError), |&cause| cause.source());
    if let Some(not_public) = causes().find(|cause| cause.is::<NotPublic>()) {
        return failed(FailureKind::Refused, not_public.to_string());
    }
    let said = if error.is_timeout() {
        "it does not answer in time"
    } else if error.is_builder() {
        "this service has no certificates to trust; its log says more"
    } else {
        "it cannot be reached, or breaks off"
    };
    let causes: Vec<String> = causes().map(ToString::to_string).collect();
    Failure {
        cause: Some(causes.join(": ")),
        ..failed(FailureKind::Down, said)
    }
}

fn failed(kind: FailureKind, said: impl Into<String>) -> Failure {
    Failure {
        said: said.into(),
        kind,
        cause: None,
    }
}
