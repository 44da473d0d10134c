//! Who calls, and what it may do. Nothing is answered without a service key, save for health.
//!
//! First the key of the calling service, then the method by the key's role, then the tenant: from the credential that
//! the edge forwards, or named in the request and checked with the key. This is the only place that makes a `TenantId`.

mod layer;
mod methods;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::{ADDRESS_METADATA, CREDENTIAL_METADATA};
use runtime::{ServiceKey, ServiceKeys};
use tonic::Extensions;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::Error;
use crate::credentials::{Authenticator, Credential};
use crate::store::{Actor, TenantId};
use methods::{EDGE, Method};

pub(crate) use methods::ROLES;

/// A caller whose right to the method was checked. The layer puts it on each request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// An identity provider, through the edge.
    Scim(Arc<Credential>),
    /// A service of the platform.
    Service(ServiceKey),
}

impl Caller {
    /// Who sent the request.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, Error> {
        extensions
            .get::<Caller>()
            .ok_or_else(|| Error::internal("a request came past the authentication layer"))
    }

    /// The tenant of the request, which names it as `named`.
    pub(crate) fn tenant(&self, named: &str) -> Result<TenantId, Error> {
        match self {
            Caller::Scim(credential) if named.is_empty() => Ok(seen(credential.tenant)),
            Caller::Scim(_) => {
                let message = "a SCIM caller's tenant comes from its credential; leave tenant_id empty";
                Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "tenant_id"))
            }
            Caller::Service(key) => {
                let named = Uuid::parse_str(named).ok().filter(|id| key.covers(&id.to_string()));
                named.map(seen).ok_or_else(|| Error::not_found("tenant"))
            }
        }
    }

    /// How the audit log names it.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Caller::Scim(credential) => Actor::Credential(credential.id),
            Caller::Service(key) => Actor::Service(key.name.clone()),
        }
    }

    /// The credential of an identity provider.
    pub(crate) fn credential(&self) -> Result<&Credential, Error> {
        match self {
            Caller::Scim(credential) => Ok(credential),
            Caller::Service(_) => Err(no_credential()),
        }
    }
}

/// The tenant of the request, which the request's span tells too.
fn seen(tenant: Uuid) -> TenantId {
    tracing::Span::current().record("tenant.id", tracing::field::display(tenant));
    TenantId::authenticated(tenant)
}

/// Checks callers.
#[derive(Clone)]
pub(crate) struct Auth {
    keys: Arc<ServiceKeys>,
    authenticator: Authenticator,
}

impl Auth {
    pub(crate) fn new(keys: ServiceKeys, authenticator: Authenticator) -> Self {
        Auth {
            keys: Arc::new(keys),
            authenticator,
        }
    }

    /// Who calls, if it may call the method of this path.
    async fn check(&self, path: &str, metadata: &MetadataMap) -> Result<Caller, Error> {
        let key = self.keys.authenticate(metadata).ok_or_else(|| {
            let message =
                "the calling service's key is missing or unknown; set it to one of identity-core's PORTCULLIS_SERVICE_KEYS";
            Error::new(ErrorReason::ServiceKeyInvalid, message)
        })?;
        let method = methods::allowed(path, key)?;
        let Some(credential) = metadata.get(CREDENTIAL_METADATA) else {
            return match (key.role.as_str(), method.needs_credential_from_edge()) {
                (EDGE, true) => Err(no_credential()),
                _ => Ok(Caller::Service(key.clone())),
            };
        };
        if key.role != EDGE {
            let message = "only the edge forwards credentials; name the tenant in the request";
            return Err(Error::new(ErrorReason::MethodNotAllowed, message));
        }
        let credential = self
            .authenticator
            .authenticate(credential.to_str().unwrap_or_default(), address(metadata))
            .await?;
        if !key.covers(&credential.tenant.to_string()) {
            return Err(other_edge());
        }
        check_scope(method, &credential)?;
        Ok(Caller::Scim(credential))
    }
}

/// From where the edge was called, as it says.
pub(super) fn address(metadata: &MetadataMap) -> Option<&str> {
    let address = metadata.get(ADDRESS_METADATA)?.to_str().ok()?;
    address.parse::<std::net::IpAddr>().is_ok().then_some(address)
}

fn check_scope(method: &Method, credential: &Credential) -> Result<(), Error> {
    match method.scope {
        Some(scope) if !credential.scopes.iter().any(|held| held == scope) => {
            let message = format!("the bearer token lacks the scope {scope}; create a token that has it");
            Err(Error::new(ErrorReason::ScopeMissing, message).with("scope", scope))
        }
        _ => Ok(()),
    }
}

/// An edge whose key is limited to tenants acts for those alone.
fn other_edge() -> Error {
    let message = "this address does not serve the tenant of this bearer token; use the tenant's own SCIM address";
    Error::new(ErrorReason::CredentialInvalid, message)
}

fn no_credential() -> Error {
    let message = "a bearer token is needed; configure one of this tenant in your identity provider";
    Error::new(ErrorReason::CredentialInvalid, message)
}
