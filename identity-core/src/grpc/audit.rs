//! AuditService.

use identity_proto::identity::v1::audit_service_server::AuditService;
use identity_proto::identity::v1::{ListAuditEntriesRequest, ListAuditEntriesResponse};
use tonic::{Request, Response, Status};

use super::Core;

#[tonic::async_trait]
impl AuditService for Core {
    async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        let tenant = self.tenants.find(&request.get_ref().tenant).await?;
        let entries = self.audit.list(tenant.id, request.get_ref()).await?;
        Ok(Response::new(entries))
    }
}
