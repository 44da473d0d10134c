//! The group of the fake core: it has as many members as a test wants, and pages of them that fail.

use identity_proto::identity::v1::group_service_server::GroupService;
use identity_proto::identity::v1::member::Type;
use identity_proto::identity::v1::{
    CreateGroupRequest, DeleteGroupRequest, ErrorReason, GetGroupRequest, Group, GroupView, IsMemberRequest,
    IsMemberResponse, ListGroupsOfUserRequest, ListGroupsOfUserResponse, ListGroupsRequest, ListGroupsResponse,
    ListMembersRequest, ListMembersResponse, Member, Meta, PatchGroupRequest, UpdateGroupRequest,
};
use identity_proto::status;
use tonic::{Code, Request, Response, Status};

use super::{Asked, FakeCore, VERSION};

pub const GROUP_ID: &str = "902c246b-6245-4190-8e05-00816be7344a";
/// How many members come with the group.
const FIRST: usize = 3;

/// What was asked about groups.
#[derive(Clone, Debug, PartialEq)]
pub enum AskedOfGroups {
    Get(GetGroupRequest),
    List(ListGroupsRequest),
    Create(CreateGroupRequest),
    Update(UpdateGroupRequest),
    Patch(PatchGroupRequest),
    Delete(DeleteGroupRequest),
    Members(ListMembersRequest),
}

#[derive(Default)]
pub struct State {
    members: usize,
    /// From this member on, pages fail.
    broken_from: Option<usize>,
    reads_fail: bool,
}

/// The id of the member with this number.
pub fn member_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn member(number: usize) -> Member {
    Member {
        id: member_id(number),
        r#type: Type::User.into(),
        display: format!("m{number}"),
    }
}

impl FakeCore {
    /// Gives the group so many members.
    pub fn set_members(&self, members: usize) {
        self.state().group.members = members;
    }

    /// Lets every page of members from this one on fail.
    pub fn break_members_from(&self, number: usize) {
        self.state().group.broken_from = Some(number);
    }

    /// Lets reads of the group fail from now on.
    pub fn fail_reads_of_groups(&self) {
        self.state().group.reads_fail = true;
    }

    fn group(&self, view: GroupView) -> Group {
        let count = self.state().group.members;
        let (members, next) = match view {
            GroupView::Full if count > FIRST => (FIRST, FIRST.to_string()),
            GroupView::Full => (count, String::new()),
            _ => (0, String::new()),
        };
        Group {
            id: GROUP_ID.to_owned(),
            display_name: "Team".to_owned(),
            meta: Some(Meta {
                version: VERSION,
                ..Meta::default()
            }),
            members: (0..members).map(member).collect(),
            next_members_token: next,
            ..Group::default()
        }
    }

    async fn asked_of_groups<T>(&self, request: Request<T>, asked: fn(T) -> AskedOfGroups) -> Result<(), Status> {
        let (metadata, _, message) = request.into_parts();
        self.call(&metadata, Asked::Groups(asked(message))).await
    }
}

fn unavailable() -> Status {
    status::status(Code::Unavailable, ErrorReason::Unavailable, "broken", [], None)
}

#[tonic::async_trait]
impl GroupService for FakeCore {
    async fn get_group(&self, request: Request<GetGroupRequest>) -> Result<Response<Group>, Status> {
        let message = request.get_ref();
        let (id, view) = (message.id.clone(), message.view());
        self.asked_of_groups(request, AskedOfGroups::Get).await?;
        Self::known(&id)?;
        if self.state().group.reads_fail {
            return Err(unavailable());
        }
        Ok(Response::new(self.group(view)))
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> Result<Response<ListGroupsResponse>, Status> {
        let message = request.get_ref();
        let is_empty = message.count_only || message.skip > 0;
        let view = message.view();
        self.asked_of_groups(request, AskedOfGroups::List).await?;
        Ok(Response::new(ListGroupsResponse {
            groups: if is_empty {
                vec![]
            } else {
                vec![self.group(view), self.group(view)]
            },
            total_size: 2,
            ..ListGroupsResponse::default()
        }))
    }

    async fn create_group(&self, request: Request<CreateGroupRequest>) -> Result<Response<Group>, Status> {
        self.asked_of_groups(request, AskedOfGroups::Create).await?;
        Ok(Response::new(self.group(GroupView::Basic)))
    }

    async fn update_group(&self, request: Request<UpdateGroupRequest>) -> Result<Response<Group>, Status> {
        self.asked_of_groups(request, AskedOfGroups::Update).await?;
        Ok(Response::new(self.group(GroupView::Basic)))
    }

    async fn patch_group(&self, request: Request<PatchGroupRequest>) -> Result<Response<Group>, Status> {
        self.asked_of_groups(request, AskedOfGroups::Patch).await?;
        Ok(Response::new(self.group(GroupView::Basic)))
    }

    async fn delete_group(&self, request: Request<DeleteGroupRequest>) -> Result<Response<()>, Status> {
        self.asked_of_groups(request, AskedOfGroups::Delete).await?;
        Ok(Response::new(()))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let message = request.get_ref();
        let from: usize = message.page_token.parse().unwrap();
        let size = usize::try_from(message.page_size).unwrap();
        self.asked_of_groups(request, AskedOfGroups::Members).await?;
        let (count, broken_from) = {
            let state = self.state();
            (state.group.members, state.group.broken_from)
        };
        let to = count.min(from + size);
        if broken_from.is_some_and(|broken| to > broken) {
            return Err(unavailable());
        }
        Ok(Response::new(ListMembersResponse {
            members: (from..to).map(member).collect(),
            next_page_token: if to < count { to.to_string() } else { String::new() },
        }))
    }

    async fn list_groups_of_user(
        &self,
        _: Request<ListGroupsOfUserRequest>,
    ) -> Result<Response<ListGroupsOfUserResponse>, Status> {
        Err(Status::unimplemented("not the edge's"))
    }

    async fn is_member(&self, _: Request<IsMemberRequest>) -> Result<Response<IsMemberResponse>, Status> {
        Err(Status::unimplemented("not the edge's"))
    }
}
