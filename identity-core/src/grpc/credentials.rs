//! CredentialService.

use identity_proto::identity::v1::credential_service_server::CredentialService;
use identity_proto::identity::v1::{
    AuthenticateRequest, AuthenticateResponse, CreateTokenRequest, CreateTokenResponse, ListTokensRequest,
    ListTokensResponse, RevokeTokenRequest, RotateTokenRequest, Token,
};
use tonic::{Request, Response, Status};

use super::{Caller, Core};

#[tonic::async_trait]
impl CredentialService for Core {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let actor = Caller::of(request.extensions())?.actor();
        let request = request.into_inner();
        let tenant = self.tenants.find(&request.tenant).await?;
        let created = self
            .credentials
            .create(&actor, tenant.id, request.scopes, request.lifetime)
            .await?;
        Ok(Response::new(created))
    }

    async fn rotate_token(
        &self,
        request: Request<RotateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let actor = Caller::of(request.extensions())?.actor();
        let request = request.into_inner();
        let rotated = self
            .credentials
            .rotate(&actor, &request.id, request.overlap, request.lifetime)
            .await?;
        Ok(Response::new(rotated))
    }

    async fn list_tokens(&self, request: Request<ListTokensRequest>) -> Result<Response<ListTokensResponse>, Status> {
        let tenant = self.tenants.find(&request.get_ref().tenant).await?;
        let tokens = self.credentials.list(tenant.id).await?;
        Ok(Response::new(ListTokensResponse { tokens }))
    }

    async fn revoke_token(&self, request: Request<RevokeTokenRequest>) -> Result<Response<Token>, Status> {
        let actor = Caller::of(request.extensions())?.actor();
        Ok(Response::new(
            self.credentials.revoke(&actor, &request.get_ref().id).await?,
        ))
    }

    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let caller = Caller::of(request.extensions())?;
        let (credential, tenant) = (caller.credential()?, caller.tenant("")?);
        Ok(Response::new(AuthenticateResponse {
            tenant_id: tenant.uuid().to_string(),
            credential_id: credential.id.to_string(),
            scopes: credential.scopes.clone(),
            profile: credential.profile.into(),
            quirks: credential.quirks.clone(),
            refuse_passwords: credential.refuse_passwords,
        }))
    }
}
