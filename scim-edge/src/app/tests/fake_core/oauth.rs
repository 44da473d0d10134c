//! The OAuth clients of the fake core: one with a secret and one without, with one redirect URI.

use identity_proto::credential::{Kind, hash};
use identity_proto::identity::v1::client_authentication::Proof;
use identity_proto::identity::v1::issue_token_request::Grant;
use identity_proto::identity::v1::o_auth_service_server::OAuthService;
use identity_proto::identity::v1::{
    Authorization, AuthorizeRequest, AuthorizeResponse, ClientAuthentication, ErrorReason, GetAuthorizationRequest,
    IntrospectTokenRequest, IntrospectTokenResponse, IssueTokenRequest, IssueTokenResponse, RevokeIssuedTokenRequest,
    RevokeIssuedTokenResponse,
};
use identity_proto::status;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use super::{Asked, FakeCore, authenticate, check_service, writer};

/// With a secret.
pub const CLIENT: &str = "0190a3b4-0000-7000-8000-000000000001";
/// Without one.
pub const PUBLIC_CLIENT: &str = "0190a3b4-0000-7000-8000-000000000002";
pub const REDIRECT: &str = "https://idp.example/cb?app=1";
const SCOPES: [&str; 2] = ["scim.read", "scim.write"];

/// What was asked of OAuthService.
#[derive(Clone, Debug, PartialEq)]
pub enum AskedOfOAuth {
    GetAuthorization(GetAuthorizationRequest),
    Authorize(AuthorizeRequest),
    Issue(IssueTokenRequest),
    Introspect(IntrospectTokenRequest),
    Revoke(RevokeIssuedTokenRequest),
}

/// The secret of [`CLIENT`].
pub fn secret() -> String {
    Kind::ClientSecret.write([5; 32])
}

/// The code that is issued, and the only one that is redeemed.
pub fn code() -> String {
    Kind::Code.write([6; 32])
}

/// The refresh token that is issued, and the only one that is redeemed.
pub fn refresh_token() -> String {
    Kind::RefreshToken.write([7; 32])
}

fn refused<T>(reason: ErrorReason) -> Result<T, Status> {
    Err(status::status(Code::FailedPrecondition, reason, "", [], None))
}

/// The scopes are looked at first, so that an edge which trusts their refusal redirects anywhere.
fn authorization(request: &GetAuthorizationRequest) -> Result<Authorization, Status> {
    if !request.scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
        return refused(ErrorReason::ScopeInvalid);
    }
    if ![CLIENT, PUBLIC_CLIENT].contains(&request.client_id.as_str()) {
        return refused(ErrorReason::ClientInvalid);
    }
    if ![REDIRECT, ""].contains(&request.redirect_uri.as_str()) {
        return refused(ErrorReason::RedirectUriMismatch);
    }
    let scopes = match &request.scopes[..] {
        [] => SCOPES.map(str::to_owned).to_vec(),
        scopes => scopes.to_vec(),
    };
    Ok(Authorization {
        client_name: "Okra <b>\"& Co\"</b>".to_owned(),
        tenant_name: "Acme's".to_owned(),
        redirect_uri: REDIRECT.to_owned(),
        scopes,
        needs_challenge: request.client_id == PUBLIC_CLIENT,
    })
}

fn check_client(client: Option<&ClientAuthentication>) -> Result<(), Status> {
    let client = client.cloned().unwrap_or_default();
    match client.proof {
        Some(Proof::SecretSha256(given)) if client.client_id == CLIENT && given == hash(&secret()) => Ok(()),
        Some(Proof::Assertion(assertion)) if assertion == "a.b.c" => Ok(()),
        None if client.client_id == PUBLIC_CLIENT => Ok(()),
        _ => refused(ErrorReason::ClientInvalid),
    }
}

impl FakeCore {
    /// Lets consents fail from now on.
    pub fn fail_authorize(&self, reason: ErrorReason) {
        self.state().authorize_fails = Some(reason);
    }

    async fn ask_oauth(&self, metadata: &MetadataMap, asked: AskedOfOAuth) -> Result<(), Status> {
        check_service(metadata)?;
        self.note_address(metadata);
        self.ask(Asked::OAuth(asked)).await
    }
}

#[tonic::async_trait]
impl OAuthService for FakeCore {
    async fn get_authorization(
        &self,
        request: Request<GetAuthorizationRequest>,
    ) -> Result<Response<Authorization>, Status> {
        let (metadata, _, message) = request.into_parts();
        let answer = authorization(&message);
        self.ask_oauth(&metadata, AskedOfOAuth::GetAuthorization(message))
            .await?;
        Ok(Response::new(answer?))
    }

    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.ask_oauth(&metadata, AskedOfOAuth::Authorize(message)).await?;
        if let Some(reason) = self.state().authorize_fails {
            return refused(reason);
        }
        let caller = authenticate(&metadata)?;
        if caller.tenant_id != "t" || caller.scopes.len() < SCOPES.len() {
            return refused(ErrorReason::ConsentRefused);
        }
        Ok(Response::new(AuthorizeResponse {
            code: code(),
            redirect_uri: REDIRECT.to_owned(),
        }))
    }

    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Result<Response<IssueTokenResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.ask_oauth(&metadata, AskedOfOAuth::Issue(message.clone())).await?;
        check_client(message.client.as_ref())?;
        let refresh_token = match message.grant {
            Some(Grant::Code(grant)) if grant.code_sha256 == hash(&code()) && grant.code_verifier != "wrong" => {
                refresh_token()
            }
            Some(Grant::Refresh(grant)) if grant.refresh_token_sha256 == hash(&refresh_token()) => refresh_token(),
            Some(Grant::ClientCredentials(_)) => String::new(),
            _ => return refused(ErrorReason::GrantInvalid),
        };
        Ok(Response::new(IssueTokenResponse {
            access_token: writer(),
            lifetime: Some(prost_types::Duration {
                seconds: 3_600,
                nanos: 0,
            }),
            refresh_token,
            scopes: SCOPES.map(str::to_owned).to_vec(),
        }))
    }

    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Result<Response<IntrospectTokenResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.ask_oauth(&metadata, AskedOfOAuth::Introspect(message.clone()))
            .await?;
        check_client(message.client.as_ref())?;
        let refresh = message.token_sha256 == hash(&refresh_token());
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 5 });
        Ok(Response::new(IntrospectTokenResponse {
            active: refresh || message.token_sha256 == hash(&writer()),
            client_id: CLIENT.to_owned(),
            tenant_id: "t".to_owned(),
            scopes: SCOPES.map(str::to_owned).to_vec(),
            create_time: time(1_000),
            expire_time: time(4_600),
            refresh,
        }))
    }

    async fn revoke_issued_token(
        &self,
        request: Request<RevokeIssuedTokenRequest>,
    ) -> Result<Response<RevokeIssuedTokenResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.ask_oauth(&metadata, AskedOfOAuth::Revoke(message.clone())).await?;
        check_client(message.client.as_ref())?;
        Ok(Response::new(RevokeIssuedTokenResponse {}))
    }
}
