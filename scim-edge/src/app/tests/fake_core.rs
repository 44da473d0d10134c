//! A core that knows three tokens, one user, one group and two OAuth clients, remembers what it was asked, and fails on demand.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use identity_proto::identity::v1::credential_service_server::{CredentialService, CredentialServiceServer};
use identity_proto::identity::v1::group_service_server::GroupServiceServer;
use identity_proto::identity::v1::o_auth_service_server::OAuthServiceServer;
use identity_proto::identity::v1::tenant::Profile;
use identity_proto::identity::v1::user_service_server::{UserService, UserServiceServer};
use identity_proto::identity::v1::{
    AuthenticateRequest, AuthenticateResponse, CreateTokenRequest, CreateTokenResponse, CreateUserRequest,
    DeleteUserRequest, ErrorReason, GetUserRequest, ListTokensRequest, ListTokensResponse, ListUsersRequest,
    ListUsersResponse, Membership, Meta, PatchUserRequest, QuirkSetting, RevokeTokenRequest, RotateTokenRequest, Token,
    UpdateUserRequest, User, UserView,
};
use identity_proto::{ADDRESS_METADATA, CREDENTIAL_METADATA, credential, status};
use runtime::{Secret, ServiceKeys};
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

mod groups;
mod oauth;

pub use groups::{AskedOfGroups, GROUP_ID, member_id};
pub use oauth::{AskedOfOAuth, CLIENT, PUBLIC_CLIENT, REDIRECT, code, refresh_token, secret};

pub const SERVICE_KEY: &str = "the-edges-service-key";
pub const USER_ID: &str = "2819c223-7f76-453a-919d-413861904646";
pub const VERSION: i64 = 7;

/// What the core was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Authenticate,
    Get(GetUserRequest),
    List(ListUsersRequest),
    Create(CreateUserRequest),
    Update(UpdateUserRequest),
    Patch(PatchUserRequest),
    Delete(DeleteUserRequest),
    Groups(AskedOfGroups),
    OAuth(AskedOfOAuth),
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// From where each question about a credential came.
    addresses: Vec<Option<String>>,
    failure: Option<Status>,
    authorize_fails: Option<ErrorReason>,
    takes: Option<Duration>,
    quirks: Vec<QuirkSetting>,
    group: groups::State,
}

#[derive(Clone, Default)]
pub struct FakeCore(Arc<Mutex<State>>);

/// A token that may read and write.
pub fn writer() -> String {
    credential::Kind::Token.write([1; 32])
}

/// A token that may only read, of a strict tenant.
pub fn reader() -> String {
    credential::Kind::Token.write([2; 32])
}

/// A token that may read and write, of another tenant.
pub fn neighbour() -> String {
    credential::Kind::Token.write([3; 32])
}

pub fn user() -> User {
    User {
        id: USER_ID.to_owned(),
        user_name: "ann".to_owned(),
        display_name: Some("Ann".to_owned()),
        active: Some(true),
        meta: Some(Meta {
            version: VERSION,
            ..Meta::default()
        }),
        ..User::default()
    }
}

/// The user in this view.
fn seen(view: UserView) -> User {
    let membership = Membership {
        group_id: GROUP_ID.to_owned(),
        display: "Team".to_owned(),
        direct: true,
    };
    User {
        groups: if view == UserView::Full {
            vec![membership]
        } else {
            vec![]
        },
        ..user()
    }
}

impl FakeCore {
    /// Starts serving and says where.
    pub async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = runtime::grpc::server()
            .add_service(tonic_health::server::health_reporter().1)
            .add_service(UserServiceServer::new(self.clone()))
            .add_service(GroupServiceServer::new(self.clone()))
            .add_service(CredentialServiceServer::new(self.clone()))
            .add_service(OAuthServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(runtime::grpc::incoming(listener, &runtime::Shutdown::default())));
        url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    /// From where each question about a credential came since the last time.
    pub fn addresses(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.state().addresses)
    }

    /// Lets every call about users and of OAuth fail from now on.
    pub fn fail(&self, code: Code, reason: ErrorReason, message: &str) {
        self.fail_with(status::status(code, reason, message, [], None));
    }

    pub fn fail_with(&self, status: Status) {
        self.state().failure = Some(status);
    }

    /// Lets calls about resources take so long from now on.
    pub fn take(&self, time: Duration) {
        self.state().takes = Some(time);
    }

    /// Switches a quirk of every tenant from now on; edges remember for a moment how it was.
    pub fn set_quirk(&self, setting: QuirkSetting) {
        self.state().quirks.push(setting);
    }

    async fn call(&self, metadata: &MetadataMap, asked: Asked) -> Result<(), Status> {
        authenticate(metadata)?;
        self.ask(asked).await
    }

    async fn ask(&self, asked: Asked) -> Result<(), Status> {
        let (failure, takes) = {
            let mut state = self.state();
            state.asked.push(asked);
            (state.failure.clone(), state.takes)
        };
        if let Some(time) = takes {
            tokio::time::sleep(time).await;
        }
        failure.map_or(Ok(()), Err)
    }

    fn note_address(&self, metadata: &MetadataMap) {
        let address = metadata.get(ADDRESS_METADATA).and_then(|address| address.to_str().ok());
        self.state().addresses.push(address.map(str::to_owned));
    }

    fn known(id: &str) -> Result<(), Status> {
        if id == USER_ID || id == GROUP_ID {
            return Ok(());
        }
        Err(status::status(
            Code::NotFound,
            ErrorReason::NotFound,
            "no such resource",
            [],
            None,
        ))
    }
}

fn refused(reason: ErrorReason) -> Status {
    status::status(Code::Unauthenticated, reason, "refused", [], None)
}

fn check_service(metadata: &MetadataMap) -> Result<(), Status> {
    let keys = Secret::new(format!("edge:edge:{SERVICE_KEY}"));
    let keys = ServiceKeys::parse("SERVICE_KEYS", &keys, &["edge"]).unwrap();
    let known = keys.authenticate(metadata);
    known.map(drop).ok_or_else(|| refused(ErrorReason::ServiceKeyInvalid))
}

fn authenticate(metadata: &MetadataMap) -> Result<AuthenticateResponse, Status> {
    check_service(metadata)?;
    let given = metadata.get(CREDENTIAL_METADATA).and_then(|hash| hash.to_str().ok());
    let given = given.ok_or_else(|| refused(ErrorReason::CredentialInvalid))?;
    let is = |token: String| {
        let hash = credential::hash(&token).map(|byte| format!("{byte:02x}"));
        given == hash.concat()
    };
    let (tenant_id, scopes, profile): (_, &[&str], _) = match () {
        () if is(writer()) => ("t", &["scim.read", "scim.write"], Profile::Interop),
        () if is(reader()) => ("t", &["scim.read"], Profile::Strict),
        () if is(neighbour()) => ("n", &["scim.read", "scim.write"], Profile::Interop),
        () => return Err(refused(ErrorReason::CredentialInvalid)),
    };
    Ok(AuthenticateResponse {
        tenant_id: tenant_id.to_owned(),
        credential_id: "c".to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        profile: profile.into(),
        ..AuthenticateResponse::default()
    })
}

#[tonic::async_trait]
impl CredentialService for FakeCore {
    async fn create_token(&self, _: Request<CreateTokenRequest>) -> Result<Response<CreateTokenResponse>, Status> {
        Err(Status::unimplemented("not the edge's"))
    }

    async fn list_tokens(&self, _: Request<ListTokensRequest>) -> Result<Response<ListTokensResponse>, Status> {
        Err(Status::unimplemented("not the edge's"))
    }

    async fn revoke_token(&self, _: Request<RevokeTokenRequest>) -> Result<Response<Token>, Status> {
        Err(Status::unimplemented("not the edge's"))
    }

    async fn rotate_token(&self, _: Request<RotateTokenRequest>) -> Result<Response<CreateTokenResponse>, Status> {
        Err(Status::unimplemented("not the edge's"))
    }

    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        self.note_address(request.metadata());
        let quirks = {
            let mut state = self.state();
            state.asked.push(Asked::Authenticate);
            state.quirks.clone()
        };
        let mut answer = authenticate(request.metadata())?;
        answer.quirks = quirks;
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl UserService for FakeCore {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let (metadata, _, message) = request.into_parts();
        let (id, view) = (message.id.clone(), message.view());
        self.call(&metadata, Asked::Get(message)).await?;
        Self::known(&id)?;
        Ok(Response::new(seen(view)))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let is_empty = message.count_only || message.skip > 0;
        let users = if is_empty { vec![] } else { vec![seen(message.view())] };
        self.call(&metadata, Asked::List(message)).await?;
        Ok(Response::new(ListUsersResponse {
            users,
            total_size: 1,
            ..ListUsersResponse::default()
        }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.call(&metadata, Asked::Create(message)).await?;
        Ok(Response::new(user()))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<User>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.call(&metadata, Asked::Update(message)).await?;
        Ok(Response::new(user()))
    }

    async fn patch_user(&self, request: Request<PatchUserRequest>) -> Result<Response<User>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.call(&metadata, Asked::Patch(message)).await?;
        Ok(Response::new(user()))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<()>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.call(&metadata, Asked::Delete(message)).await?;
        Ok(Response::new(()))
    }
}
