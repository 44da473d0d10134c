//! UserService.

use identity_proto::identity::v1::user_service_server::UserService;
use identity_proto::identity::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, ListUsersResponse, PatchUserRequest,
    UpdateUserRequest, User,
};
use tonic::{Request, Response, Status};

use super::{Caller, Core, check_mask, missing};
use crate::Error;
use crate::users::Users;

impl Core {
    /// The users that the caller may act on, and what it asks.
    fn users_for<T>(&self, request: Request<T>, named: impl Fn(&T) -> &str) -> Result<(Users, T), Error> {
        let tenant = Caller::of(request.extensions())?.tenant(named(request.get_ref()))?;
        Ok((self.users(tenant), request.into_inner()))
    }
}

#[tonic::async_trait]
impl UserService for Core {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let (users, request) = self.users_for(request, |request| &request.tenant_id)?;
        Ok(Response::new(users.get(&request.id, request.view()).await?))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let (users, request) = self.users_for(request, |request| &request.tenant_id)?;
        let page = users.list(request).await?;
        Ok(Response::new(ListUsersResponse {
            users: page.resources,
            next_page_token: page.next_page_token,
            total_size: page.total_size,
        }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Status> {
        self.check_tenant(&request, |request| &request.tenant_id).await?;
        let (users, request) = self.users_for(request, |request| &request.tenant_id)?;
        let user = request.user.ok_or_else(|| missing("user"))?;
        Ok(Response::new(users.create(user, request.password).await?))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<User>, Status> {
        let (users, request) = self.users_for(request, |request| &request.tenant_id)?;
        let user = request.user.ok_or_else(|| missing("user"))?;
        check_mask(request.update_mask, "PatchUser")?;
        let updated = users.update(user, request.password, &request.if_match).await?;
        Ok(Response::new(updated))
    }

    async fn patch_user(&self, request: Request<PatchUserRequest>) -> Result<Response<User>, Status> {
        let (users, request) = self.users_for(request, |request| &request.tenant_id)?;
        let patched = users.patch(&request.id, request.operations, &request.if_match).await?;
        Ok(Response::new(patched))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<()>, Status> {
        let (users, request) = self.users_for(request, |request| &request.tenant_id)?;
        users.delete(&request.id, request.if_match).await?;
        Ok(Response::new(()))
    }
}
