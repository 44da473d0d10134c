//! A row as an event: its body, and what the row knows beside it.

use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::{AccessChange, AccessState, Event};
use prost::Message;

use crate::Error;
use crate::access::Outcome;
use crate::time::to_proto;

/// What RFC 9967 names.
const RFC: &str = "urn:ietf:params:scim:event:";
/// What it has no name for: `access:ended`, `tenant:access`, `credential:expiring`.
const OURS: &str = "urn:portcullis:event:";
/// Sessions ended, and no state changed.
pub(crate) const ENDED: &str = "access:ended";

/// A numbered row of `outbox`.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) sequence: i64,
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
    pub(super) created_at: jiff_sqlx::Timestamp,
    pub(super) request_id: Option<String>,
    /// Of a change of access.
    pub(super) outcome: Option<Outcome>,
}

/// The event that a row tells of.
pub(super) fn event(row: Row) -> Result<Event, Error> {
    let mut event = Event::decode(row.body.as_slice()).map_err(Error::internal)?;
    event.sequence = row.sequence;
    event.occur_time = Some(to_proto(row.created_at));
    event.request_id = row.request_id.unwrap_or_default();
    let access = event.payload.as_mut().and_then(access);
    event.types = types(&row.kind, access.as_deref().map(AccessChange::state));
    if let (Some(access), Some(outcome)) = (access, &row.outcome) {
        access.epoch = outcome.epoch;
    }
    event.access_outcome = row.outcome.map(Into::into);
    Ok(event)
}

/// What access became, as far as a body tells: one that is gone tells nothing.
pub(crate) fn state(body: &[u8]) -> Result<Option<AccessState>, Error> {
    let mut payload = Event::decode(body).map_err(Error::internal)?.payload;
    Ok(payload.as_mut().and_then(access).map(|access| access.state()))
}

/// The kind itself, and what the change of a user's access is called on its own.
pub(crate) fn types(kind: &str, state: Option<AccessState>) -> Vec<String> {
    let Some(name) = kind.strip_prefix("prov:") else {
        return vec![format!("{OURS}{kind}")];
    };
    let and_access = match state {
        Some(AccessState::AccessActive) => Some("prov:activate"),
        Some(AccessState::AccessInactive) => Some("prov:deactivate"),
        _ => None,
    };
    let mut types = vec![format!("{RFC}prov:{name}")];
    types.extend(and_access.map(|name| format!("{RFC}{name}")));
    types
}

fn access(payload: &mut Payload) -> Option<&mut AccessChange> {
    match payload {
        Payload::UserReplaced(event) => event.access.as_mut(),
        Payload::UserPatched(event) => event.access.as_mut(),
        Payload::UserDeleted(event) => event.access.as_mut(),
        Payload::AccessChanged(event) => event.access.as_mut(),
        Payload::TenantAccessChanged(event) => event.access.as_mut(),
        Payload::UserCreated(_)
        | Payload::GroupCreated(_)
        | Payload::GroupReplaced(_)
        | Payload::GroupPatched(_)
        | Payload::GroupDeleted(_)
        | Payload::CredentialExpiring(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use identity_proto::identity::v1::User;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::outbox;

    const TENANT: Uuid = Uuid::from_u128(1);

    fn told(written: outbox::Event) -> Event {
        let row = Row {
            sequence: 7,
            kind: written.kind.to_owned(),
            body: written.body,
            created_at: jiff_sqlx::Timestamp::from(Timestamp::from_second(9).unwrap()),
            request_id: Some("r".to_owned()),
            outcome: Some(Outcome {
                epoch: 70,
                applied_at: None,
                pruned: 3,
                pruned_at: None,
            }),
        };
        event(row).unwrap()
    }

    #[test]
    fn what_happened_is_named_as_the_rfc_names_it() {
        let user = Uuid::from_u128(2);
        let check = |written: outbox::Event, expect: &[&str], epoch: Option<i64>| {
            let mut event = told(written);
            assert_eq!(event.types, expect);
            let access = event.payload.as_mut().and_then(access);
            assert_eq!(access.map(|access| access.epoch), epoch, "{expect:?}");
        };
        let patched = |access| outbox::Event::user_patched(TENANT, user, User::default(), access);
        let patch = "urn:ietf:params:scim:event:prov:patch:full";
        check(patched(None), &[patch], None);
        check(
            patched(Some(AccessState::AccessActive)),
            &[patch, "urn:ietf:params:scim:event:prov:activate"],
            Some(70),
        );
        check(
            patched(Some(AccessState::AccessInactive)),
            &[patch, "urn:ietf:params:scim:event:prov:deactivate"],
            Some(70),
        );
        check(
            outbox::Event::user_created(TENANT, user, User::default()),
            &["urn:ietf:params:scim:event:prov:create:full"],
            None,
        );
        check(
            outbox::Event::user_deleted(TENANT, user),
            &["urn:ietf:params:scim:event:prov:delete"],
            Some(70),
        );
        check(
            outbox::Event::access_ended(TENANT, user),
            &["urn:portcullis:event:access:ended"],
            None,
        );
        check(
            outbox::Event::tenant_access(TENANT, AccessState::AccessInactive),
            &["urn:portcullis:event:tenant:access"],
            Some(70),
        );
    }

    #[test]
    fn the_row_says_what_the_body_does_not() {
        let event = told(outbox::Event::access_ended(TENANT, Uuid::from_u128(2)));
        assert_eq!((event.sequence, event.request_id.as_str()), (7, "r"));
        assert_eq!(event.occur_time.map(|time| time.seconds), Some(9));
        assert_eq!(event.tenant_id, TENANT.to_string());
        let outcome = event.access_outcome.expect("access changed");
        assert_eq!((outcome.epoch, outcome.pruned, outcome.prune_time), (70, 3, None));
    }
}
