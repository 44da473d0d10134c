//! TenantService.

use identity_proto::identity::v1::tenant_service_server::TenantService;
use identity_proto::identity::v1::{
    CreateTenantRequest, DeleteTenantRequest, GetTenantRequest, ListTenantsRequest, ListTenantsResponse,
    ResumeTenantRequest, SetProfileRequest, SetScimRequest, SuspendTenantRequest, Tenant,
};
use tonic::{Request, Response, Status};

use super::Core;

#[tonic::async_trait]
impl TenantService for Core {
    async fn create_tenant(&self, request: Request<CreateTenantRequest>) -> Result<Response<Tenant>, Status> {
        let request = request.into_inner();
        let (profile, enabled) = (request.profile(), !request.scim_disabled);
        let created = self.tenants.create(&request.name, enabled, profile).await?;
        Ok(Response::new(created.into()))
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        let found = self.tenants.find(&request.get_ref().tenant).await?;
        Ok(Response::new(found.into()))
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        Ok(Response::new(self.tenants.list(request.get_ref()).await?))
    }

    async fn set_scim(&self, request: Request<SetScimRequest>) -> Result<Response<Tenant>, Status> {
        let request = request.into_inner();
        let found = self.tenants.find(&request.tenant).await?;
        let set = self.tenants.set_scim(found.id, request.enabled).await?;
        Ok(Response::new(set.into()))
    }

    async fn set_profile(&self, request: Request<SetProfileRequest>) -> Result<Response<Tenant>, Status> {
        let found = self.tenants.find(&request.get_ref().tenant).await?;
        let set = self.tenants.set_profile(found.id, request.get_ref()).await?;
        Ok(Response::new(set.into()))
    }

    async fn suspend_tenant(&self, request: Request<SuspendTenantRequest>) -> Result<Response<Tenant>, Status> {
        let found = self.tenants.find(&request.get_ref().tenant).await?;
        Ok(Response::new(self.tenants.suspend(found).await?.into()))
    }

    async fn resume_tenant(&self, request: Request<ResumeTenantRequest>) -> Result<Response<Tenant>, Status> {
        let found = self.tenants.find(&request.get_ref().tenant).await?;
        Ok(Response::new(self.tenants.resume(found).await?.into()))
    }

    async fn delete_tenant(&self, request: Request<DeleteTenantRequest>) -> Result<Response<Tenant>, Status> {
        let found = self.tenants.find(&request.get_ref().tenant).await?;
        Ok(Response::new(self.tenants.delete(found.id).await?.into()))
    }
}
