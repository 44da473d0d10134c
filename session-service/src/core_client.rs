//! What the session service asks the core: whether a login may become a session, and where access stands when the
//! registers cannot tell.

use std::time::Duration;

use identity_proto::identity::v1::access_service_client::AccessServiceClient;
use identity_proto::identity::v1::{
    AcknowledgePruneRequest, BeginLoginRequest, BeginLoginResponse, CheckLoginRequest, CheckLoginResponse, Epochs,
    ResolveAccessRequest,
};
use runtime::RequestId;
use runtime::grpc::Channel;
use runtime::service_auth::WithServiceKey;
use tonic::service::interceptor::InterceptedService;
use tonic::{Response, Status};
use tracing::Instrument;
use uuid::Uuid;

use crate::error::Error;
use crate::questions::Questions;

/// A validation waits no longer than this for the core.
const TIMEOUT: Duration = Duration::from_secs(1);

type Client = AccessServiceClient<InterceptedService<Channel, WithServiceKey>>;

/// Clones share the connection, and questions about the same user.
#[derive(Clone)]
pub struct CoreClient {
    client: Client,
    resolving: Questions<(Uuid, Uuid), Result<Epochs, Status>>,
}

impl CoreClient {
    /// A client that connects when first used.
    pub fn new(channel: Channel, key: WithServiceKey) -> Self {
        CoreClient {
            client: AccessServiceClient::with_interceptor(channel, key),
            resolving: Questions::default(),
        }
    }

    /// Begins a login.
    pub async fn begin_login(&self, request: BeginLoginRequest) -> Result<BeginLoginResponse, Error> {
        let mut client = self.client.clone();
        answer(client.begin_login(request)).await
    }

    /// Asks whether a login may become a session, and with which epochs.
    pub async fn check_login(&self, request: CheckLoginRequest) -> Result<CheckLoginResponse, Error> {
        let mut client = self.client.clone();
        answer(client.check_login(request)).await
    }

    /// Where access stands, by PostgreSQL, no earlier than this was called.
    pub async fn resolve(&self, tenant: Uuid, user: Uuid) -> Result<Epochs, Error> {
        let mut client = self.client.clone();
        let question = async move {
            let request = ResolveAccessRequest {
                tenant_id: tenant.to_string(),
                user_id: user.to_string(),
            };
            let answer = in_time(client.resolve_access(request)).await?;
            Ok(answer.epochs.unwrap_or_default())
        };
        let asked = self.resolving.ask((tenant, user), Box::pin(for_this_request(question)));
        let answer = tokio::time::timeout(TIMEOUT, asked).await.ok().flatten();
        answer.unwrap_or_else(|| Err(late())).map_err(Error::Core)
    }

    /// Ends all sessions of a user; answers the new epoch.
    pub async fn end_access(&self, request: identity_proto::identity::v1::EndAccessRequest) -> Result<i64, Error> {
        let mut client = self.client.clone();
        Ok(answer(client.end_access(request)).await?.epoch)
    }

    /// Tells the core how many sessions ended with an epoch.
    pub async fn acknowledge(&self, request: AcknowledgePruneRequest) -> Result<(), Error> {
        let mut client = self.client.clone();
        answer(client.acknowledge_prune(request)).await.map(drop)
    }
}

async fn answer<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Error> {
    in_time(call).await.map_err(Error::Core)
}

async fn in_time<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    let answer = tokio::time::timeout(TIMEOUT, call).await;
    answer.unwrap_or_else(|_| Err(late())).map(Response::into_inner)
}

fn late() -> Status {
    Status::deadline_exceeded("the core did not answer in time")
}

/// Works for the request that this task works for, also in another task.
fn for_this_request<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let request = RequestId::current();
    let work = async move {
        match request {
            Some(request) => request.scope(work).await,
            None => work.await,
        }
    };
    work.in_current_span()
}
