//! Events: one for each committed change, written in the change's own statement by the stores. Names follow RFC 9967
//! section 2.4. The row has the time; [`crate::events`]
//! numbers and serves them.

use identity_proto::access::bucket;
use identity_proto::identity::v1 as proto;
use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::{AccessChange, AccessState, Group, MemberChange};
use prost::Message;
use uuid::Uuid;

/// What one outbox row says. Its body holds neither sequence nor time, epoch or request: the row does.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) subject: Subject,
    pub(crate) body: Vec<u8>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    Tenant,
    User(Uuid),
    Group(Uuid),
}

impl Subject {
    /// `None`: the whole tenant.
    pub(crate) fn id(self) -> Option<Uuid> {
        match self {
            Subject::Tenant => None,
            Subject::User(id) | Subject::Group(id) => Some(id),
        }
    }
}

impl Event {
    /// A user was created.
    pub(crate) fn user_created(tenant: Uuid, id: Uuid, user: proto::User) -> Self {
        let payload = Payload::UserCreated(proto::UserCreated { user: Some(user) });
        Self::new(tenant, Subject::User(id), "prov:create:full", payload)
    }

    /// A user was replaced; `access` is given when `active` changed.
    pub(crate) fn user_replaced(tenant: Uuid, id: Uuid, user: proto::User, access: Option<AccessState>) -> Self {
        let payload = Payload::UserReplaced(proto::UserReplaced {
            user: Some(user),
            access: access.map(to),
        });
        Self::new(tenant, Subject::User(id), "prov:put:full", payload)
    }

    /// A user was patched; `access` is given when `active` changed.
    pub(crate) fn user_patched(tenant: Uuid, id: Uuid, user: proto::User, access: Option<AccessState>) -> Self {
        let payload = Payload::UserPatched(proto::UserPatched {
            user: Some(user),
            access: access.map(to),
        });
        Self::new(tenant, Subject::User(id), "prov:patch:full", payload)
    }

    /// A user was deleted.
    pub(crate) fn user_deleted(tenant: Uuid, id: Uuid) -> Self {
        let payload = Payload::UserDeleted(proto::UserDeleted {
            user_id: id.to_string(),
            access: Some(to(AccessState::AccessDeleted)),
        });
        Self::new(tenant, Subject::User(id), "prov:delete", payload)
    }

    /// All sessions of a user were ended without a change of the user.
    pub(crate) fn access_ended(tenant: Uuid, id: Uuid) -> Self {
        let payload = Payload::AccessChanged(proto::AccessChanged {
            user_id: id.to_string(),
            access: None,
        });
        Self::new(tenant, Subject::User(id), "access:ended", payload)
    }

    /// The access of a whole tenant changed.
    pub(crate) fn tenant_access(tenant: Uuid, state: AccessState) -> Self {
        let payload = Payload::TenantAccessChanged(proto::TenantAccessChanged {
            access: Some(to(state)),
        });
        Self::new(tenant, Subject::Tenant, "tenant:access", payload)
    }

    /// A group was created.
    pub(crate) fn group_created(tenant: Uuid, id: Uuid, group: Group, members: Option<MemberChange>) -> Self {
        let group = Some(group);
        let payload = Payload::GroupCreated(proto::GroupCreated { group, members });
        Self::new(tenant, Subject::Group(id), "prov:create:full", payload)
    }

    /// A group was replaced.
    pub(crate) fn group_replaced(tenant: Uuid, id: Uuid, group: Group, members: Option<MemberChange>) -> Self {
        let group = Some(group);
        let payload = Payload::GroupReplaced(proto::GroupReplaced { group, members });
        Self::new(tenant, Subject::Group(id), "prov:put:full", payload)
    }

    /// A group was patched.
    pub(crate) fn group_patched(tenant: Uuid, id: Uuid, group: Group, members: Option<MemberChange>) -> Self {
        let group = Some(group);
        let payload = Payload::GroupPatched(proto::GroupPatched { group, members });
        Self::new(tenant, Subject::Group(id), "prov:patch:full", payload)
    }

    /// A group was deleted.
    pub(crate) fn group_deleted(tenant: Uuid, id: Uuid) -> Self {
        let group_id = id.to_string();
        let payload = Payload::GroupDeleted(proto::GroupDeleted { group_id });
        Self::new(tenant, Subject::Group(id), "prov:delete", payload)
    }

    /// A token or a client's secret ends soon.
    pub(crate) fn credential_expiring(tenant: Uuid, told: proto::CredentialExpiring) -> Self {
        let payload = Payload::CredentialExpiring(told);
        Self::new(tenant, Subject::Tenant, "credential:expiring", payload)
    }

    /// The bucket of the event's user; for a whole tenant, `None` means every bucket.
    pub(crate) fn bucket(&self, tenant: Uuid) -> Option<i16> {
        match self.subject {
            Subject::User(user) => Some(i16::from(bucket(tenant, user))),
            Subject::Tenant | Subject::Group(_) => None,
        }
    }

    fn new(tenant: Uuid, subject: Subject, kind: &'static str, payload: Payload) -> Self {
        let id = Uuid::now_v7();
        let body = proto::Event {
            event_id: id.to_string(),
            tenant_id: tenant.to_string(),
            payload: Some(payload),
            ..proto::Event::default()
        };
        Event {
            id,
            kind,
            subject,
            body: body.encode_to_vec(),
        }
    }
}

fn to(state: AccessState) -> AccessChange {
    AccessChange {
        epoch: 0,
        state: state.into(),
    }
}
