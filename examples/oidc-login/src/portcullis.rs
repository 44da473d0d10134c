//! Portcullis, as the application sees it: logins, sessions, and who is provisioned.

use anyhow::{Context, anyhow};
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::identity::v1::{ErrorReason, Filter, GetUserRequest, ListUsersRequest, User};
use identity_proto::session::v1::create_session_request::Begun;
use identity_proto::session::v1::revoke_session_request::Session;
use identity_proto::session::v1::session_service_client::SessionServiceClient;
use identity_proto::session::v1::{
    BeginLoginRequest, CreateSessionRequest, RevokeSessionRequest, ValidateSessionRequest, ValidateSessionResponse,
};
use identity_proto::status::reason;
use runtime::grpc::Channel;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::refusal::Refusal;
use crate::settings::Place;

type Connection = InterceptedService<Channel, WithKey>;

/// Puts the service key on every call.
#[derive(Clone)]
struct WithKey(AsciiMetadataValue);

impl tonic::service::Interceptor for WithKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Both services, for all tenants.
pub struct Portcullis {
    sessions: SessionServiceClient<Connection>,
    users: UserServiceClient<Connection>,
}

impl Portcullis {
    pub fn new(place: &Place) -> anyhow::Result<Self> {
        let key = WithKey(format!("Bearer {}", place.service_key).parse().context("SERVICE_KEY")?);
        let connect = |name: &'static str, urls: &str| {
            let channel = runtime::grpc::channel(urls).context(name)?;
            anyhow::Ok(InterceptedService::new(channel, key.clone()))
        };
        Ok(Portcullis {
            sessions: SessionServiceClient::new(connect("SESSION_GRPC", &place.session_grpc)?),
            users: UserServiceClient::new(connect("IDENTITY_GRPC", &place.identity_grpc)?),
        })
    }

    /// To be called before the browser is sent away: from here on a change of access makes the login void.
    pub async fn begin_login(&self, tenant_id: &str) -> Result<String, Refusal> {
        let tenant_id = tenant_id.to_owned();
        let answer = self.sessions.clone().begin_login(BeginLoginRequest { tenant_id }).await;
        Ok(answer.map_err(refused)?.into_inner().login_token)
    }

    /// The id of the one user that matches.
    pub async fn find_user(&self, tenant_id: &str, filter: Filter) -> Result<String, Refusal> {
        let request = ListUsersRequest {
            tenant_id: tenant_id.to_owned(),
            filter: Some(filter),
            page_size: 2,
            ..Default::default()
        };
        let found = self
            .users
            .clone()
            .list_users(request)
            .await
            .map_err(refused)?
            .into_inner();
        match found.users.as_slice() {
            [] => Err(Refusal::NotProvisioned),
            [user] => Ok(user.id.clone()),
            _ => Err(Refusal::Ambiguous),
        }
    }

    /// To be called once the provider said who it is; the session token.
    pub async fn create_session(&self, login_token: String, user_id: String) -> Result<String, Refusal> {
        let request = CreateSessionRequest {
            user_id,
            begun: Some(Begun::LoginToken(login_token)),
            ..Default::default()
        };
        let answer = self.sessions.clone().create_session(request).await;
        Ok(answer.map_err(refused)?.into_inner().session_token)
    }

    /// To be called on each request: an answer that is kept is one that outlives the end of access.
    pub async fn validate(&self, session_token: &str) -> Result<ValidateSessionResponse, Refusal> {
        let session_token = session_token.to_owned();
        let request = ValidateSessionRequest { session_token };
        let answer = self.sessions.clone().validate_session(request).await;
        Ok(answer.map_err(refused)?.into_inner())
    }

    /// `None` where the user was deleted, which a validation of a moment ago need not have known.
    pub async fn user(&self, tenant_id: &str, id: String) -> Result<Option<User>, Refusal> {
        let request = GetUserRequest {
            tenant_id: tenant_id.to_owned(),
            id,
            ..Default::default()
        };
        match self.users.clone().get_user(request).await {
            Ok(user) => Ok(Some(user.into_inner())),
            Err(status) if reason(&status) == Some(ErrorReason::NotFound) => Ok(None),
            Err(status) => Err(refused(status)),
        }
    }

    /// Logs out. That there was no such session is as good.
    pub async fn revoke(&self, session_token: &str) -> Result<(), Refusal> {
        let request = RevokeSessionRequest {
            session: Some(Session::SessionToken(session_token.to_owned())),
        };
        self.sessions.clone().revoke_session(request).await.map_err(refused)?;
        Ok(())
    }
}

/// What a call that failed means for the person at the browser. What bears no reason is not of Portcullis, but of a connection
/// that broke or a proxy: nobody can know.
fn refused(status: Status) -> Refusal {
    match reason(&status) {
        Some(ErrorReason::LoginStale) => Refusal::Changed,
        Some(ErrorReason::LoginInvalid) => Refusal::NoLogin,
        Some(ErrorReason::AccessEnded) => Refusal::AccessEnded,
        Some(ErrorReason::Unavailable) | None => Refusal::Unavailable(status),
        Some(_) => Refusal::Internal(anyhow!(status)),
    }
}
