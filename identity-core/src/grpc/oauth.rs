//! OAuthService.

use identity_proto::identity::v1::o_auth_service_server::OAuthService;
use identity_proto::identity::v1::{
    Authorization, AuthorizeRequest, AuthorizeResponse, ClientAuthentication, GetAuthorizationRequest,
    IntrospectTokenRequest, IntrospectTokenResponse, IssueTokenRequest, IssueTokenResponse, RevokeIssuedTokenRequest,
    RevokeIssuedTokenResponse,
};
use tonic::{Request, Response, Status};

use super::auth::address;
use super::{Caller, Core, missing};
use crate::Error;
use crate::oauth::{OAuth, Proven};

#[tonic::async_trait]
impl OAuthService for Core {
    async fn get_authorization(
        &self,
        request: Request<GetAuthorizationRequest>,
    ) -> Result<Response<Authorization>, Status> {
        let caller = Caller::of(request.extensions())?;
        let client = self.oauth.client(&request.get_ref().client_id).await?;
        // An edge that is limited to tenants serves the others' clients no more than their users.
        caller.tenant(&client.tenant.to_string())?;
        let GetAuthorizationRequest {
            redirect_uri, scopes, ..
        } = request.get_ref();
        Ok(Response::new(OAuth::authorization(client, redirect_uri, scopes)?))
    }

    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let caller = Caller::of(request.extensions())?.clone();
        let client = self.oauth.client(&request.get_ref().client_id).await?;
        caller.tenant("")?;
        let consented = self
            .oauth
            .authorize(&client, caller.credential()?, request.into_inner())
            .await?;
        Ok(Response::new(consented))
    }

    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Result<Response<IssueTokenResponse>, Status> {
        let client = self.proven(&request, |request| request.client.as_ref()).await?;
        let issued = self.oauth.issue(&client, request.into_inner().grant).await?;
        Ok(Response::new(issued))
    }

    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Result<Response<IntrospectTokenResponse>, Status> {
        let client = self.proven(&request, |request| request.client.as_ref()).await?;
        let told = self.oauth.introspect(&client, &request.get_ref().token_sha256).await?;
        Ok(Response::new(told))
    }

    async fn revoke_issued_token(
        &self,
        request: Request<RevokeIssuedTokenRequest>,
    ) -> Result<Response<RevokeIssuedTokenResponse>, Status> {
        let client = self.proven(&request, |request| request.client.as_ref()).await?;
        self.oauth.revoke(&client, &request.get_ref().token_sha256).await?;
        Ok(Response::new(RevokeIssuedTokenResponse {}))
    }
}

impl Core {
    /// The client that a request is of, once it has proved that.
    async fn proven<T>(
        &self,
        request: &Request<T>,
        authentication: impl Fn(&T) -> Option<&ClientAuthentication>,
    ) -> Result<Proven, Error> {
        let authentication = authentication(request.get_ref()).ok_or_else(|| missing("client"))?;
        let caller = Caller::of(request.extensions())?;
        let client = self.oauth.claimed(authentication).await?;
        caller.tenant(&client.tenant.to_string())?;
        let address = address(request.metadata());
        self.oauth.prove(client, authentication, address).await
    }
}
