//! The internal services' interfaces, with the service key on every call.

use identity_proto::identity::v1::access_service_client::AccessServiceClient;
use identity_proto::identity::v1::audit_service_client::AuditServiceClient;
use identity_proto::identity::v1::client_service_client::ClientServiceClient;
use identity_proto::identity::v1::credential_service_client::CredentialServiceClient;
use identity_proto::identity::v1::event_service_client::EventServiceClient;
use identity_proto::identity::v1::tenant_service_client::TenantServiceClient;
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::session::v1::session_service_client::SessionServiceClient;
use runtime::grpc::Channel;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::system::Description;

/// A connection that carries the service key.
pub type Connection = InterceptedService<Channel, ServiceKey>;

/// Puts `authorization: Bearer <key>` on every request.
#[derive(Clone)]
pub struct ServiceKey(MetadataValue<Ascii>);

impl Interceptor for ServiceKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Clients of all services.
#[derive(Clone)]
pub struct Grpc {
    core: Connection,
    sessions: Connection,
}

impl Grpc {
    pub(crate) fn new(description: &Description) -> Self {
        Grpc::at(
            &description.identity_grpc,
            &description.session_grpc,
            &description.service_key,
        )
    }

    /// At these URLs, several of a service separated by commas.
    pub fn at(core: &str, sessions: &str, key: &str) -> Self {
        Grpc {
            core: connect(core, key),
            sessions: connect(sessions, key),
        }
    }

    pub fn tenants(&self) -> TenantServiceClient<Connection> {
        TenantServiceClient::new(self.core.clone())
    }

    pub fn credentials(&self) -> CredentialServiceClient<Connection> {
        CredentialServiceClient::new(self.core.clone())
    }

    pub fn clients(&self) -> ClientServiceClient<Connection> {
        ClientServiceClient::new(self.core.clone())
    }

    pub fn audit(&self) -> AuditServiceClient<Connection> {
        AuditServiceClient::new(self.core.clone())
    }

    pub fn users(&self) -> UserServiceClient<Connection> {
        UserServiceClient::new(self.core.clone())
    }

    pub fn events(&self) -> EventServiceClient<Connection> {
        EventServiceClient::new(self.core.clone())
    }

    pub fn access(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::new(self.core.clone())
    }

    pub fn sessions(&self) -> SessionServiceClient<Connection> {
        SessionServiceClient::new(self.sessions.clone())
    }
}

/// A lazy connection to `urls`, with `key` on every call. Like the usual gRPC clients of other languages, and unlike
/// tonic's own, it sends again what a server that leaves did not look at.
pub fn connect(urls: &str, key: &str) -> Connection {
    let channel = runtime::grpc::channel(urls).expect("dev.json holds URLs");
    let key = format!("Bearer {key}").parse().expect("a service key is printable");
    InterceptedService::new(channel, ServiceKey(key))
}
