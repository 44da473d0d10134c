//! The table of ways in which access ends. A way that is written anywhere stands here, or `complete` fails.

use e2e::Tenant;
use e2e::scim::user;
use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{
    AttributePath, CreateUserRequest, DeleteTenantRequest, DeleteUserRequest, EndAccessRequest, GetUserRequest,
    PatchOperation, PatchUserRequest, ResumeTenantRequest, SuspendTenantRequest, UpdateUserRequest, User, Value,
};
use identity_proto::session::v1::RevokeUserSessionsRequest;
use serde_json::{Value as Json, json};

use crate::system;

/// How access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    PatchWithPath,
    PatchWithoutPath,
    PatchWithString,
    PatchAdd,
    PatchAmongOthers,
    PatchRemove,
    Put,
    PutWithString,
    Delete,
    GrpcPatch,
    GrpcUpdate,
    GrpcDelete,
    GrpcEndAccess,
    RevokeUserSessions,
    CliEndAccess,
    GrpcSuspendTenant,
    CliSuspendTenant,
    GrpcDeleteTenant,
    CliDeleteTenant,
}

/// What gives access back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    Activation,
    /// The user stayed active.
    Nothing,
    Resume,
    Never,
}

pub const WAYS: [(Way, Back); 19] = [
    (Way::PatchWithPath, Back::Activation),
    (Way::PatchWithoutPath, Back::Activation),
    (Way::PatchWithString, Back::Activation),
    (Way::PatchAdd, Back::Activation),
    (Way::PatchAmongOthers, Back::Activation),
    (Way::PatchRemove, Back::Activation),
    (Way::Put, Back::Activation),
    (Way::PutWithString, Back::Activation),
    (Way::Delete, Back::Never),
    (Way::GrpcPatch, Back::Activation),
    (Way::GrpcUpdate, Back::Activation),
    (Way::GrpcDelete, Back::Never),
    (Way::GrpcEndAccess, Back::Nothing),
    (Way::RevokeUserSessions, Back::Nothing),
    (Way::CliEndAccess, Back::Nothing),
    (Way::GrpcSuspendTenant, Back::Resume),
    (Way::CliSuspendTenant, Back::Resume),
    (Way::GrpcDeleteTenant, Back::Never),
    (Way::CliDeleteTenant, Back::Never),
];

/// How a user comes to be without access from the first instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birth {
    Post,
    PostWithString,
    Grpc,
}

pub const BIRTHS: [Birth; 3] = [Birth::Post, Birth::PostWithString, Birth::Grpc];

impl Way {
    /// Whether everyone's access ends with it.
    pub fn is_of_tenant(self) -> bool {
        use Way::{CliDeleteTenant, CliSuspendTenant, GrpcDeleteTenant, GrpcSuspendTenant};
        matches!(
            self,
            GrpcSuspendTenant | CliSuspendTenant | GrpcDeleteTenant | CliDeleteTenant
        )
    }

    /// Ends access, and answers when that was answered with success.
    pub async fn end(self, tenant: &Tenant, id: &str) {
        let grpc = &tenant.grpc;
        let (user_id, tenant_id, name) = (id.to_owned(), tenant.id.clone(), tenant.name.clone());
        match self {
            Way::PatchWithPath => {
                patch(
                    tenant,
                    id,
                    &json!([{"op": "replace", "path": "active", "value": false}]),
                )
                .await;
            }
            Way::PatchWithoutPath => patch(tenant, id, &json!([{"op": "replace", "value": {"active": false}}])).await,
            Way::PatchWithString => {
                patch(
                    tenant,
                    id,
                    &json!([{"op": "Replace", "path": "active", "value": "False"}]),
                )
                .await;
            }
            Way::PatchAdd => patch(tenant, id, &json!([{"op": "add", "path": "active", "value": false}])).await,
            Way::PatchAmongOthers => {
                let rename = json!({"op": "replace", "path": "displayName", "value": "On leave"});
                let off = json!({"op": "Replace", "value": {"active": "false", "title": "None"}});
                patch(tenant, id, &json!([rename, off])).await;
            }
            Way::PatchRemove => {
                let remove = json!([{"op": "remove", "path": "active"}]);
                let answer = tenant.scim.patch(&format!("/Users/{id}"), &remove).await;
                assert_eq!(
                    (answer.status, &answer.json["active"]),
                    (200, &json!(null)),
                    "{answer:?}"
                );
            }
            Way::Put => put(tenant, id, json!(false)).await,
            Way::PutWithString => put(tenant, id, json!("False")).await,
            Way::Delete => assert_eq!(tenant.scim.delete(&format!("/Users/{id}")).await.status, 204),
            Way::GrpcPatch => {
                let operation = PatchOperation {
                    op: Op::Replace.into(),
                    path: Some(AttributePath::core("active")),
                    value: Some(Value {
                        kind: Some(Kind::Boolean(false)),
                    }),
                    ..Default::default()
                };
                let request = PatchUserRequest {
                    tenant_id,
                    id: user_id,
                    operations: vec![operation],
                    ..Default::default()
                };
                let patched = grpc.users().patch_user(request).await.expect("patched").into_inner();
                assert_eq!(patched.active, Some(false));
            }
            Way::GrpcUpdate => {
                let request = GetUserRequest {
                    tenant_id: tenant_id.clone(),
                    id: user_id,
                    ..Default::default()
                };
                let mut user = grpc.users().get_user(request).await.expect("a user").into_inner();
                user.active = Some(false);
                let request = UpdateUserRequest {
                    tenant_id,
                    user: Some(user),
                    ..Default::default()
                };
                let updated = grpc.users().update_user(request).await.expect("updated").into_inner();
                assert_eq!(updated.active, Some(false));
            }
            Way::GrpcDelete => {
                let request = DeleteUserRequest {
                    tenant_id,
                    id: user_id,
                    ..Default::default()
                };
                grpc.users().delete_user(request).await.expect("deleted");
            }
            Way::GrpcEndAccess => {
                let request = EndAccessRequest { tenant_id, user_id };
                grpc.access().end_access(request).await.expect("ended");
            }
            Way::RevokeUserSessions => {
                let request = RevokeUserSessionsRequest { tenant_id, user_id };
                grpc.sessions().revoke_user_sessions(request).await.expect("revoked");
            }
            Way::CliEndAccess => command(&["access", "end", "--tenant", &name, id]).await,
            Way::GrpcSuspendTenant => {
                let request = SuspendTenantRequest { tenant: name };
                grpc.tenants().suspend_tenant(request).await.expect("suspended");
            }
            Way::CliSuspendTenant => command(&["tenant", "suspend", &name]).await,
            Way::GrpcDeleteTenant => {
                let request = DeleteTenantRequest { tenant: name };
                grpc.tenants().delete_tenant(request).await.expect("deleted");
            }
            Way::CliDeleteTenant => command(&["tenant", "delete", &name]).await,
        }
    }
}

impl Back {
    /// Gives access back; whether it could.
    pub async fn give(self, tenant: &Tenant, id: &str) -> bool {
        match self {
            Back::Activation => activate(tenant, id).await,
            Back::Resume => {
                let request = ResumeTenantRequest {
                    tenant: tenant.name.clone(),
                };
                tenant.grpc.tenants().resume_tenant(request).await.expect("resumed");
            }
            Back::Nothing | Back::Never => return false,
        }
        true
    }
}

impl Birth {
    /// Makes the user; its id.
    pub async fn give(self, tenant: &Tenant) -> String {
        let name = format!("{self:?}@example.test").to_lowercase();
        let active = match self {
            Birth::Post => json!(false),
            Birth::PostWithString => json!("False"),
            Birth::Grpc => {
                let user = User {
                    user_name: name,
                    active: Some(false),
                    ..Default::default()
                };
                let request = CreateUserRequest {
                    tenant_id: tenant.id.clone(),
                    user: Some(user),
                    ..Default::default()
                };
                let created = tenant.grpc.users().create_user(request).await.expect("created");
                return created.into_inner().id;
            }
        };
        let mut body = user(&name);
        body["active"] = active;
        let created = tenant.scim.post("/Users", &body).await;
        assert_eq!(
            (created.status, &created.json["active"]),
            (201, &json!(false)),
            "{created:?}"
        );
        created.id()
    }
}

pub async fn activate(tenant: &Tenant, id: &str) {
    let on = json!([{"op": "replace", "path": "active", "value": true}]);
    let answer = tenant.scim.patch(&format!("/Users/{id}"), &on).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn patch(tenant: &Tenant, id: &str, operations: &Json) {
    let answer = tenant.scim.patch(&format!("/Users/{id}"), operations).await;
    assert_eq!(
        (answer.status, &answer.json["active"]),
        (200, &json!(false)),
        "{operations}: {answer:?}"
    );
}

async fn put(tenant: &Tenant, id: &str, active: Json) {
    let path = format!("/Users/{id}");
    let name = tenant.scim.get(&path).await.json["userName"].clone();
    let mut body = user(name.as_str().expect("a name"));
    body["active"] = active;
    let answer = tenant.scim.put(&path, &body).await;
    assert_eq!(
        (answer.status, &answer.json["active"]),
        (200, &json!(false)),
        "{answer:?}"
    );
}

async fn command(arguments: &[&str]) {
    let outcome = system().cli(arguments).await;
    assert_eq!(outcome.exit, 0, "{arguments:?}: {outcome:?}");
}
