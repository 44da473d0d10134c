//! The edge's side of identity.v1: every call carries the edge's own service key, the hash of the caller's token, and
//! a deadline.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use identity_proto::identity::v1::credential_service_client::CredentialServiceClient;
use identity_proto::identity::v1::group_service_client::GroupServiceClient;
use identity_proto::identity::v1::o_auth_service_client::OAuthServiceClient;
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::identity::v1::{AuthenticateRequest, AuthenticateResponse, ErrorReason};
use identity_proto::{ADDRESS_METADATA, CREDENTIAL_METADATA, status};
use runtime::grpc::{Channel, Deadline};
use runtime::service_auth::WithServiceKey;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use crate::error::Error;

/// How long the core has to resolve a token. One that was resolved a moment ago is not asked about.
const AUTHENTICATE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the core has for a call that reads, or changes a user. Beside the time that its body takes to arrive, a request
/// that reads waits for the core 5 s at most, as it authenticates and makes one such call; a search at the root makes two,
/// and waits 8 s. One that changes a user waits 11 s: the version is asked for before if it says If-None-Match, and the
/// user is read after if it names groups. Each page of members that follows an answer's head has this time again.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the core has to change a group, which may be by many members. Its own limit is shorter, so that it is the core
/// that gives up and says so. With what may stand before and after, as for users, such a request waits 33 s at most.
const GROUP_CHANGE_TIMEOUT: Duration = Duration::from_secs(25);
/// How long the core has for a question of the OAuth endpoints, for which it may have to fetch the keys that sign a client's
/// assertion. Its own limit is shorter.
const OAUTH_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of 1,000 users is about 1 MB; tonic's own limit of 4 MB would fail pages of large ones.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// What a call goes through.
pub type Authenticated = InterceptedService<Channel, WithServiceKey>;

/// The SHA-256 of a bearer token in the form that crosses the boundary.
#[derive(Clone, Debug)]
pub struct CredentialHash(MetadataValue<Ascii>);

impl CredentialHash {
    /// Writes the hash in lower-case hex.
    pub fn new(hash: &[u8; 32]) -> Result<Self, Error> {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in hash {
            write!(hex, "{byte:02x}").map_err(|_| Error::HeaderUnfit)?;
        }
        let mut value: MetadataValue<Ascii> = hex.parse().map_err(|_| Error::HeaderUnfit)?;
        value.set_sensitive(true);
        Ok(CredentialHash(value))
    }
}

/// The clients of the core's services.
#[derive(Clone)]
pub struct Core {
    channel: Channel,
    users: UserServiceClient<Authenticated>,
    groups: GroupServiceClient<Authenticated>,
    credentials: CredentialServiceClient<Authenticated>,
    oauth: OAuthServiceClient<Authenticated>,
}

impl Core {
    /// Clients on one channel, with the edge's service key.
    pub fn new(channel: Channel, key: WithServiceKey) -> Self {
        let users = UserServiceClient::with_interceptor(channel.clone(), key.clone());
        let groups = GroupServiceClient::with_interceptor(channel.clone(), key.clone());
        Core {
            channel: channel.clone(),
            groups: groups.max_decoding_message_size(MAX_ANSWER),
            users: users.max_decoding_message_size(MAX_ANSWER),
            credentials: CredentialServiceClient::with_interceptor(channel.clone(), key.clone()),
            oauth: OAuthServiceClient::with_interceptor(channel, key),
        }
    }

    /// The client of UserService; to be called through [`call`].
    pub fn users(&self) -> UserServiceClient<Authenticated> {
        self.users.clone()
    }

    /// The client of GroupService for what changes nothing; to be called through [`call`].
    pub fn groups(&self) -> GroupServiceClient<Authenticated> {
        self.groups.clone()
    }

    /// Changes a group on behalf of the holder of a token: makes this call of GroupService and waits as long as it may take.
    pub async fn change_group<M, T>(
        &self,
        message: M,
        hash: &CredentialHash,
        change: impl AsyncFnOnce(GroupServiceClient<Authenticated>, Request<M>) -> Result<Response<T>, Status>,
    ) -> Result<T, Error> {
        let mut request = with_credential(message, hash);
        request.extensions_mut().insert(Deadline(GROUP_CHANGE_TIMEOUT));
        within(GROUP_CHANGE_TIMEOUT, change(self.groups(), request)).await
    }

    /// Makes this call of OAuthService for a client at this address, and waits as long as it may take. `hash` is what
    /// consents, where something does.
    pub async fn oauth<M, T>(
        &self,
        message: M,
        address: Option<IpAddr>,
        hash: Option<&CredentialHash>,
        ask: impl AsyncFnOnce(OAuthServiceClient<Authenticated>, Request<M>) -> Result<Response<T>, Status>,
    ) -> Result<T, Error> {
        let mut request = match hash {
            Some(hash) => with_credential(message, hash),
            None => Request::new(message),
        };
        say_address(&mut request, address)?;
        request.extensions_mut().insert(Deadline(OAUTH_TIMEOUT));
        within(OAUTH_TIMEOUT, ask(self.oauth.clone(), request)).await
    }

    /// Whom a token belongs to, which was sent from this address.
    pub async fn authenticate(
        &self,
        hash: &CredentialHash,
        address: Option<IpAddr>,
    ) -> Result<AuthenticateResponse, Error> {
        let mut client = self.credentials.clone();
        let mut request = with_credential(AuthenticateRequest {}, hash);
        say_address(&mut request, address)?;
        within(AUTHENTICATE_TIMEOUT, client.authenticate(request)).await
    }

    /// Whether a core says that it can serve, and knows this edge: without a token, it gets as far as asking for one.
    pub async fn is_ready(&self) -> bool {
        if !runtime::health::serves(self.channel.clone()).await {
            return false;
        }
        let mut client = self.credentials.clone();
        match within(AUTHENTICATE_TIMEOUT, client.authenticate(AuthenticateRequest {})).await {
            Err(Error::Core(status)) => status::reason(&status) == Some(ErrorReason::CredentialInvalid),
            Ok(_) | Err(_) => false,
        }
    }
}

/// A request on behalf of the holder of a token.
pub fn with_credential<T>(message: T, hash: &CredentialHash) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(CREDENTIAL_METADATA, hash.0.clone());
    request
}

/// Says from where a credential is used, where that is known.
fn say_address<T>(request: &mut Request<T>, address: Option<IpAddr>) -> Result<(), Error> {
    if let Some(address) = address {
        let address = address.to_string().parse().map_err(|_| Error::HeaderUnfit)?;
        request.metadata_mut().insert(ADDRESS_METADATA, address);
    }
    Ok(())
}

/// Waits for a call as long as a request may.
pub async fn call<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Error> {
    within(CALL_TIMEOUT, call).await
}

async fn within<T>(timeout: Duration, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Error> {
    match tokio::time::timeout(timeout, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(Error::Timeout),
    }
}
