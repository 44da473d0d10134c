//! ClientService.

use identity_proto::identity::v1::client_service_server::ClientService;
use identity_proto::identity::v1::{
    Client, CreateClientRequest, CreateClientResponse, ListClientsRequest, ListClientsResponse, RevokeClientRequest,
    RotateClientSecretRequest, RotateClientSecretResponse,
};
use tonic::{Request, Response, Status};

use super::{Caller, Core};

#[tonic::async_trait]
impl ClientService for Core {
    async fn create_client(
        &self,
        request: Request<CreateClientRequest>,
    ) -> Result<Response<CreateClientResponse>, Status> {
        let actor = Caller::of(request.extensions())?.actor();
        let tenant = self.tenants.find(&request.get_ref().tenant).await?;
        let created = self.clients.create(&actor, tenant.id, request.into_inner()).await?;
        Ok(Response::new(created))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let tenant = self.tenants.find(&request.get_ref().tenant).await?;
        let clients = self.clients.list(tenant.id).await?;
        Ok(Response::new(ListClientsResponse { clients }))
    }

    async fn rotate_client_secret(
        &self,
        request: Request<RotateClientSecretRequest>,
    ) -> Result<Response<RotateClientSecretResponse>, Status> {
        let actor = Caller::of(request.extensions())?.actor();
        Ok(Response::new(self.clients.rotate(&actor, request.into_inner()).await?))
    }

    async fn revoke_client(&self, request: Request<RevokeClientRequest>) -> Result<Response<Client>, Status> {
        let actor = Caller::of(request.extensions())?.actor();
        Ok(Response::new(self.clients.revoke(&actor, request.get_ref()).await?))
    }
}
