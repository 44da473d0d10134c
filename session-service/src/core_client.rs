//! What the session service asks the core: whether a login may become a session, and where access stands when the
//! registers cannot tell.

use std::time::Duration;

use identity_proto::identity::v1::access_service_client::AccessServiceClient;
use identity_proto::identity::v1::{
    AcknowledgePruneRequest, BeginLoginRequest, BeginLoginResponse, CheckLoginRequest, CheckLoginResponse, Epochs,
    ResolveAccessRequest,
};
use runtime::grpc::Channel;
use runtime::service_auth::WithServiceKey;
use tonic::Response;
use tonic::service::interceptor::InterceptedService;
use uuid::Uuid;

use crate::error::Error;

/// A validation waits no longer than this for the core.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Clones share the connection.
#[derive(Clone)]
pub struct CoreClient(AccessServiceClient<InterceptedService<Channel, WithServiceKey>>);

impl CoreClient {
    /// A client that connects when first used.
    pub fn new(channel: Channel, key: WithServiceKey) -> Self {
        CoreClient(AccessServiceClient::with_interceptor(channel, key))
    }

    /// Begins a login.
    pub async fn begin_login(&self, request: BeginLoginRequest) -> Result<BeginLoginResponse, Error> {
        let mut client = self.0.clone();
        answer(client.begin_login(request)).await
    }

    /// Asks whether a login may become a session, and with which epochs.
    pub async fn check_login(&self, request: CheckLoginRequest) -> Result<CheckLoginResponse, Error> {
        let mut client = self.0.clone();
        answer(client.check_login(request)).await
    }

    /// Where access stands, by PostgreSQL.
    pub async fn resolve(&self, tenant: Uuid, user: Uuid) -> Result<Epochs, Error> {
        let request = ResolveAccessRequest {
            tenant_id: tenant.to_string(),
            user_id: user.to_string(),
        };
        let mut client = self.0.clone();
        Ok(answer(client.resolve_access(request)).await?.epochs.unwrap_or_default())
    }

    /// Ends all sessions of a user; answers the new epoch.
    pub async fn end_access(&self, request: identity_proto::identity::v1::EndAccessRequest) -> Result<i64, Error> {
        let mut client = self.0.clone();
        Ok(answer(client.end_access(request)).await?.epoch)
    }

    /// Tells the core how many sessions ended with an epoch.
    pub async fn acknowledge(&self, request: AcknowledgePruneRequest) -> Result<(), Error> {
        let mut client = self.0.clone();
        answer(client.acknowledge_prune(request)).await.map(drop)
    }
}

async fn answer<T>(call: impl Future<Output = Result<Response<T>, tonic::Status>>) -> Result<T, Error> {
    match tokio::time::timeout(TIMEOUT, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Error::Core(status)),
        Err(_) => Err(Error::Core(tonic::Status::deadline_exceeded(
            "the core did not answer in time",
        ))),
    }
}
