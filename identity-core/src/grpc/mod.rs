//! identity.v1 over gRPC. Methods are a few lines: who calls, for which tenant, one operation, the answer.

mod access;
mod audit;
mod auth;
mod clients;
mod credentials;
mod error;
mod events;
mod groups;
mod oauth;
mod tenants;
mod users;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::identity::v1::access_service_server::AccessServiceServer;
use identity_proto::identity::v1::audit_service_server::AuditServiceServer;
use identity_proto::identity::v1::client_service_server::ClientServiceServer;
use identity_proto::identity::v1::credential_service_server::CredentialServiceServer;
use identity_proto::identity::v1::event_service_server::EventServiceServer;
use identity_proto::identity::v1::group_service_server::GroupServiceServer;
use identity_proto::identity::v1::o_auth_service_server::OAuthServiceServer;
use identity_proto::identity::v1::tenant_service_server::TenantServiceServer;
use identity_proto::identity::v1::user_service_server::UserServiceServer;
use prost_types::FieldMask;
use tonic::Request;
use tonic::service::RoutesBuilder;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;

pub(crate) use auth::{Auth, Caller, ROLES};

use crate::Error;
use crate::access::{Access, Wake};
use crate::audit::Audit;
use crate::clients::Clients;
use crate::credentials::Credentials;
use crate::events::Events;
use crate::groups::{Groups, Turns};
use crate::oauth::OAuth;
use crate::page::PageTokens;
use crate::store::{Store, TenantId};
use crate::tenants::Tenants;
use crate::users::{Hasher, Users};

/// What the services share.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) access: Access,
    pub(crate) events: Events,
    pub(crate) wake: Wake,
    pub(crate) pages: PageTokens,
    pub(crate) hasher: Hasher,
    pub(crate) turns: Turns,
    pub(crate) tenants: Tenants,
    pub(crate) credentials: Credentials,
    pub(crate) clients: Clients,
    pub(crate) oauth: OAuth,
    pub(crate) audit: Audit,
}

impl Core {
    pub(crate) fn new(
        store: Store,
        access: Access,
        events: Events,
        wake: Wake,
        pages: PageTokens,
        clients: Clients,
        oauth: OAuth,
    ) -> Self {
        Core {
            audit: Audit::new(store.system(), pages.clone()),
            clients,
            oauth,
            tenants: Tenants::new(store.system(), wake.clone(), pages.clone()),
            credentials: Credentials::new(store.system()),
            hasher: Hasher::default(),
            turns: Turns::default(),
            store,
            access,
            events,
            wake,
            pages,
        }
    }

    /// The users of a tenant.
    fn users(&self, tenant: TenantId) -> Users {
        let (wake, hasher, pages) = (self.wake.clone(), self.hasher.clone(), self.pages.clone());
        Users::new(&self.store, tenant, wake, hasher, pages)
    }

    /// The groups of a tenant.
    fn groups(&self, tenant: TenantId) -> Groups {
        Groups::new(&self.store, tenant, self.turns.clone(), self.pages.clone())
    }

    /// That there is the tenant which a service names. Row-level security hides the tenants from the tenant role, so a
    /// deleted one is noticed here.
    async fn check_tenant<T>(&self, request: &Request<T>, named: impl Fn(&T) -> &str) -> Result<(), Error> {
        if let Caller::Service(_) = Caller::of(request.extensions())? {
            self.tenants.find(named(request.get_ref())).await?;
        }
        Ok(())
    }
}

/// Only whole resources are updated; single attributes are what the other method is for.
fn check_mask(mask: Option<FieldMask>, other: &str) -> Result<(), Error> {
    if mask.is_none_or(|mask| mask.paths == ["*"]) {
        return Ok(());
    }
    let message = format!("update_mask may be \"*\" or absent; use {other} to change single attributes");
    Err(Error::new(ErrorReason::InvalidValue, message))
}

fn missing(field: &str) -> Error {
    Error::new(ErrorReason::InvalidSyntax, format!("{field} is missing"))
}

/// Users, groups, access, events, tenants, credentials, clients, OAuth, the audit log, health and reflection.
pub(crate) fn routes(core: &Core, health: HealthServer<HealthService>) -> anyhow::Result<RoutesBuilder> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(identity_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let mut routes = RoutesBuilder::default();
    routes
        .add_service(UserServiceServer::new(core.clone()))
        .add_service(GroupServiceServer::new(core.clone()).max_decoding_message_size(groups::MAX_REQUEST))
        .add_service(AccessServiceServer::new(core.clone()))
        .add_service(EventServiceServer::new(core.clone()))
        .add_service(TenantServiceServer::new(core.clone()))
        .add_service(CredentialServiceServer::new(core.clone()))
        .add_service(ClientServiceServer::new(core.clone()))
        .add_service(OAuthServiceServer::new(core.clone()))
        .add_service(AuditServiceServer::new(core.clone()))
        .add_service(health)
        .add_service(reflection);
    Ok(routes)
}
