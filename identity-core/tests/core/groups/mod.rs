//! Groups over gRPC: what changes, what does not, who is in, and what the events say.

mod concurrent;
mod members;
mod nested;
mod reads;
mod writes;

use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::*;
use prost::Message;
use serde_json::json;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::harness::{Provider, named, operation, remove};

impl Provider {
    /// A new user's id.
    pub async fn user(&mut self, name: &str) -> String {
        self.create(named(name)).await.unwrap().id
    }

    /// A new group's id.
    pub async fn group(&mut self, name: &str, members: &[&str]) -> String {
        self.create_group(name, members, UnknownMembers::Refuse)
            .await
            .unwrap()
            .id
    }

    pub async fn create_group(
        &mut self,
        name: &str,
        members: &[&str],
        unknown: UnknownMembers,
    ) -> Result<Group, Status> {
        let request = CreateGroupRequest {
            group: Some(of(name, members)),
            unknown_members: unknown.into(),
            ..Default::default()
        };
        self.groups.create_group(request).await.map(Response::into_inner)
    }

    pub async fn put_group(&mut self, id: &str, group: Group) -> Result<Group, Status> {
        let request = UpdateGroupRequest {
            group: Some(Group {
                id: id.to_owned(),
                ..group
            }),
            ..Default::default()
        };
        self.groups.update_group(request).await.map(Response::into_inner)
    }

    pub async fn patch_group(&mut self, id: &str, operations: Vec<PatchOperation>) -> Result<Group, Status> {
        self.patch_group_with(id, operations, UnknownMembers::Refuse).await
    }

    pub async fn patch_group_with(
        &mut self,
        id: &str,
        operations: Vec<PatchOperation>,
        unknown: UnknownMembers,
    ) -> Result<Group, Status> {
        let request = PatchGroupRequest {
            id: id.to_owned(),
            operations,
            unknown_members: unknown.into(),
            ..Default::default()
        };
        self.groups.patch_group(request).await.map(Response::into_inner)
    }

    pub async fn get_group(&mut self, id: &str, view: GroupView) -> Result<Group, Status> {
        let request = GetGroupRequest {
            id: id.to_owned(),
            view: view.into(),
            ..Default::default()
        };
        self.groups.get_group(request).await.map(Response::into_inner)
    }

    pub async fn delete_group(&mut self, id: &str) -> Result<(), Status> {
        let request = DeleteGroupRequest {
            id: id.to_owned(),
            ..Default::default()
        };
        self.groups.delete_group(request).await.map(Response::into_inner)
    }

    /// The members' ids, in order.
    pub async fn members(&mut self, id: &str) -> Vec<String> {
        let group = self.get_group(id, GroupView::Full).await.unwrap();
        group.members.into_iter().map(|member| member.id).collect()
    }

    /// The payloads of the group's events, oldest first.
    pub async fn group_events(&self, id: &str) -> Vec<Payload> {
        let bodies: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT body FROM outbox WHERE tenant_id = $1 ORDER BY outbox_id")
                .bind(self.tenant)
                .fetch_all(&self.database)
                .await
                .unwrap();
        let payloads = bodies
            .iter()
            .filter_map(|body| Event::decode(body.as_slice()).unwrap().payload);
        payloads
            .filter(|payload| about(payload).as_deref() == Some(id))
            .collect()
    }
}

fn about(payload: &Payload) -> Option<String> {
    match payload {
        Payload::GroupCreated(GroupCreated { group, .. })
        | Payload::GroupReplaced(GroupReplaced { group, .. })
        | Payload::GroupPatched(GroupPatched { group, .. }) => Some(group.clone()?.id),
        Payload::GroupDeleted(GroupDeleted { group_id }) => Some(group_id.clone()),
        _ => None,
    }
}

pub fn of(name: &str, members: &[&str]) -> Group {
    let member = |id: &&str| Member {
        id: (*id).to_owned(),
        ..Member::default()
    };
    Group {
        display_name: name.to_owned(),
        members: members.iter().map(member).collect(),
        ..Group::default()
    }
}

pub fn add(ids: &[&str]) -> PatchOperation {
    operation(Op::Add, AttributePath::core("members"), json!(ids))
}

pub fn exactly(ids: &[&str]) -> PatchOperation {
    operation(Op::Replace, AttributePath::core("members"), json!(ids))
}

pub fn without(ids: &[&str]) -> PatchOperation {
    operation(Op::Remove, AttributePath::core("members"), json!(ids))
}

pub fn without_anyone() -> PatchOperation {
    remove("members")
}

pub fn version(group: &Group) -> i64 {
    group.meta.unwrap().version
}

/// The ids in the order in which they are listed.
pub fn sorted(ids: &[&str]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
    ids.sort();
    ids
}

pub fn nobody() -> String {
    Uuid::new_v4().to_string()
}
