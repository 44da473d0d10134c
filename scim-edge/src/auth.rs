//! Who is calling: RFC 7644 section 2 and RFC 6750. Authentication comes before routing, whatever the path, so that no
//! spelling of a path is routed without it. The extractors [`Reader`] and [`Writer`] then stand in a handler's signature
//! as the proof that the caller may do what it does.
//!
//! A revoked token must be dead everywhere within a second, so a positive answer of the core is kept for
//! [`CACHED_FOR`], counted from before the question, and a negative one not at all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use identity_proto::credential;
use identity_proto::identity::v1::AuthenticateResponse;

use crate::address;
use crate::app::Edge;
use crate::core::{Core, CredentialHash};
use crate::error::Error;
use crate::listen::Activity;
use crate::scim::Refusal;
use crate::scim::quirks::Quirks;

const CACHED_FOR: Duration = Duration::from_millis(400);
const CACHED_AT_MOST: usize = 10_000;

/// Scopes, as tokens carry them.
pub const SCOPES: [&str; 2] = [READ, WRITE];
const READ: &str = "scim.read";
const WRITE: &str = "scim.write";

/// The holder of a valid token.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant_id: String,
    pub quirks: Quirks,
    refuse_passwords: bool,
    pub hash: CredentialHash,
    scopes: Vec<String>,
}

impl Caller {
    /// Whether the tenant takes the password that a request carries.
    pub fn check_password(&self, sent: bool) -> Result<(), Error> {
        if sent && self.refuse_passwords {
            let detail = "Passwords are not taken for this tenant: switch password synchronization off, or leave password out of the attribute mapping.";
            return Err(Refusal::value(detail).into());
        }
        Ok(())
    }

    fn require(&self, scope: &'static str) -> Result<(), Error> {
        if self.scopes.iter().any(|one| one == scope) {
            Ok(())
        } else {
            Err(Error::ScopeMissing(scope))
        }
    }
}

/// A caller, and when the core was asked about its token.
type Known = (Instant, Arc<Caller>);

/// Resolves tokens, with a short memory.
#[derive(Default)]
pub struct Authenticator {
    known: Mutex<HashMap<[u8; 32], Known>>,
}

impl Authenticator {
    async fn authenticate(
        &self,
        core: &Core,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<Arc<Caller>, Error> {
        let token = bearer_token(headers)?;
        if !credential::Kind::Token.fits(token) {
            return Err(Error::MalformedToken);
        }
        let hash = credential::hash(token);
        let asked = Instant::now();
        if let Some(caller) = self.recall(&hash, asked) {
            return Ok(caller);
        }
        let forwarded = CredentialHash::new(&hash)?;
        let answer = core.authenticate(&forwarded, address).await?;
        let caller = Arc::new(caller(answer, forwarded));
        self.remember(hash, asked, &caller);
        Ok(caller)
    }

    fn recall(&self, hash: &[u8; 32], now: Instant) -> Option<Arc<Caller>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, caller) = known.get(hash)?;
        (now.duration_since(*since) < CACHED_FOR).then(|| Arc::clone(caller))
    }

    fn remember(&self, hash: [u8; 32], since: Instant, caller: &Arc<Caller>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CACHED_AT_MOST {
            known.retain(|_, (asked, _)| since.duration_since(*asked) < CACHED_FOR);
        }
        if known.len() < CACHED_AT_MOST {
            known.insert(hash, (since, Arc::clone(caller)));
        }
    }
}

fn caller(answer: AuthenticateResponse, hash: CredentialHash) -> Caller {
    Caller {
        quirks: Quirks::of(answer.profile(), &answer.quirks),
        refuse_passwords: answer.refuse_passwords,
        tenant_id: answer.tenant_id,
        scopes: answer.scopes,
        hash,
    }
}

/// The token of the one Authorization header; two of them are refused, as one could be picked silently.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Error::NoToken);
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(Error::NoToken)?;
    match token.trim() {
        "" => Err(Error::NoToken),
        token if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(Error::NoToken),
    }
}

/// Lets only authenticated requests through and attaches their [`Caller`].
pub async fn authenticated(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let address = address::of(request.headers(), request.extensions(), edge.settings.trust_forwarded);
    let authenticated = edge.authenticator.authenticate(&edge.core, request.headers(), address);
    match authenticated.await {
        Ok(caller) => {
            tracing::Span::current().record("tenant.id", caller.tenant_id.as_str());
            if let Some(connection) = request.extensions().get::<Arc<Activity>>() {
                connection.mark_known();
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// A caller that may read.
pub struct Reader(pub Arc<Caller>);

/// A caller that may write.
pub struct Writer(pub Arc<Caller>);

impl FromRequestParts<Arc<Edge>> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Edge>) -> Result<Self, Error> {
        let caller = attached(parts)?;
        caller.require(READ)?;
        Ok(Reader(caller))
    }
}

impl FromRequestParts<Arc<Edge>> for Writer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Edge>) -> Result<Self, Error> {
        let caller = attached(parts)?;
        caller.require(WRITE)?;
        Ok(Writer(caller))
    }
}

/// The caller of a request that came through [`authenticated`].
pub fn attached(parts: &Parts) -> Result<Arc<Caller>, Error> {
    parts.extensions.get::<Arc<Caller>>().cloned().ok_or(Error::NoToken)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(values: &[&'static str], expect: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert_eq!(bearer_token(&headers).ok(), expect, "{values:?}");
    }

    #[test]
    fn one_bearer_token_is_taken() {
        check(&["Bearer abc"], Some("abc"));
        check(&["bearer abc"], Some("abc"));
        check(&["BEARER   abc "], Some("abc"));
        check(&[], None);
        check(&["Bearer"], None);
        check(&["Bearer "], None);
        check(&["Basic abc"], None);
        check(&["abc"], None);
        check(&["Bearer abc", "Bearer abc"], None);
    }

    #[test]
    fn memory_is_short_and_bounded() {
        let authenticator = Authenticator::default();
        let hash = CredentialHash::new(&[7; 32]).unwrap();
        let caller = Arc::new(caller(AuthenticateResponse::default(), hash));
        let then = Instant::now();
        authenticator.remember([7; 32], then, &caller);
        assert!(authenticator.recall(&[7; 32], then + CACHED_FOR / 2).is_some());
        assert!(authenticator.recall(&[7; 32], then + CACHED_FOR).is_none());
        assert!(authenticator.recall(&[8; 32], then).is_none());
        let entry = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            hash
        };
        for number in 0..CACHED_AT_MOST + 5 {
            authenticator.remember(entry(number), then, &caller);
        }
        assert_eq!(authenticator.known.lock().unwrap().len(), CACHED_AT_MOST);
        authenticator.remember([9; 32], then + CACHED_FOR, &caller);
        assert_eq!(
            authenticator.known.lock().unwrap().len(),
            1,
            "what is too old makes room"
        );
    }
}
