//! GroupService.

use identity_proto::identity::v1::group_service_server::GroupService;
use identity_proto::identity::v1::{
    CreateGroupRequest, DeleteGroupRequest, GetGroupRequest, Group, IsMemberRequest, IsMemberResponse,
    ListGroupsOfUserRequest, ListGroupsOfUserResponse, ListGroupsRequest, ListGroupsResponse, ListMembersRequest,
    ListMembersResponse, PatchGroupRequest, UpdateGroupRequest,
};
use tonic::{Request, Response, Status};

use super::{Caller, Core, check_mask, missing};
use crate::Error;
use crate::groups::Groups;

/// Requests with 100,000 members are larger than what tonic takes by default.
pub(super) const MAX_REQUEST: usize = 16 << 20;

impl Core {
    /// The groups that the caller may act on, and what it asks.
    fn groups_for<T>(&self, request: Request<T>, named: impl Fn(&T) -> &str) -> Result<(Groups, T), Error> {
        let tenant = Caller::of(request.extensions())?.tenant(named(request.get_ref()))?;
        Ok((self.groups(tenant), request.into_inner()))
    }
}

#[tonic::async_trait]
impl GroupService for Core {
    async fn get_group(&self, request: Request<GetGroupRequest>) -> Result<Response<Group>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        Ok(Response::new(groups.get(&request.id, request.view()).await?))
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> Result<Response<ListGroupsResponse>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        let page = groups.list(request).await?;
        Ok(Response::new(ListGroupsResponse {
            groups: page.resources,
            next_page_token: page.next_page_token,
            total_size: page.total_size,
        }))
    }

    async fn create_group(&self, request: Request<CreateGroupRequest>) -> Result<Response<Group>, Status> {
        self.check_tenant(&request, |request| &request.tenant_id).await?;
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        let unknown = request.unknown_members();
        let group = request.group.ok_or_else(|| missing("group"))?;
        Ok(Response::new(groups.create(group, unknown).await?))
    }

    async fn update_group(&self, request: Request<UpdateGroupRequest>) -> Result<Response<Group>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        let unknown = request.unknown_members();
        let group = request.group.ok_or_else(|| missing("group"))?;
        check_mask(request.update_mask, "PatchGroup")?;
        Ok(Response::new(groups.update(&group, unknown, &request.if_match).await?))
    }

    async fn patch_group(&self, request: Request<PatchGroupRequest>) -> Result<Response<Group>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        let unknown = request.unknown_members();
        let patched = groups.patch(&request.id, request.operations, unknown, &request.if_match);
        Ok(Response::new(patched.await?))
    }

    async fn delete_group(&self, request: Request<DeleteGroupRequest>) -> Result<Response<()>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        groups.delete(&request.id, request.if_match).await?;
        Ok(Response::new(()))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        Ok(Response::new(groups.members(&request).await?))
    }

    async fn list_groups_of_user(
        &self,
        request: Request<ListGroupsOfUserRequest>,
    ) -> Result<Response<ListGroupsOfUserResponse>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        Ok(Response::new(groups.groups_of(&request).await?))
    }

    async fn is_member(&self, request: Request<IsMemberRequest>) -> Result<Response<IsMemberResponse>, Status> {
        let (groups, request) = self.groups_for(request, |request| &request.tenant_id)?;
        let is_member = groups.is_member(&request).await?;
        Ok(Response::new(IsMemberResponse { is_member }))
    }
}
