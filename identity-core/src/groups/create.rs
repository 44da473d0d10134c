//! Creates a group: RFC 7644 section 3.3.

use identity_proto::identity::v1::{Group, UnknownMembers};
use uuid::Uuid;

use super::delta::{Delta, Named};
use super::replace::{join_members, nobody, settle};
use super::row::Attributes;
use super::{Groups, LONGEST, write_error};
use crate::error::database;
use crate::outbox::Event;
use crate::stamp::Stamp;
use crate::store::Mutation;
use crate::{Error, keys, validate};

const CREATE: Mutation = Mutation::new(
    concat!(
        "created AS (
            INSERT INTO groups (
                tenant_id, group_id, display_name, display_name_key, external_id, created_at, last_modified_at)
            SELECT $1, $2, $9, $10, $11, clock.now, clock.now FROM (SELECT clock_timestamp() AS now) AS clock
            RETURNING version, created_at, last_modified_at
        ),",
        join_members!("$12", "$13"),
        ", change AS (SELECT created.*, NULL::bigint AS access_epoch FROM created)"
    ),
    "SELECT version, created_at, last_modified_at FROM change",
);

const NOBODY: &str = concat!("SELECT ", nobody!("$2"));

#[derive(sqlx::FromRow)]
struct Nobody {
    nobody: Vec<Uuid>,
}

impl Groups {
    /// Creates a group under a new id, with its members.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant()))]
    pub async fn create(&self, group: Group, unknown: UnknownMembers) -> Result<Group, Error> {
        let (attributes, mut delta) = given(&group)?;
        let (tenant, id) = (self.store.tenant(), Uuid::now_v7());
        let mut tx = self.store.begin_long(LONGEST).await.map_err(database)?;
        let found: Option<Nobody> = if delta.ids().is_empty() {
            None
        } else {
            tx.read(NOBODY, |statement| statement.bind(delta.ids())).await?
        };
        let left_out = settle(&mut delta, &found.map_or(Vec::new(), |found| found.nobody), unknown)?;
        let event = Event::group_created(tenant, id, attributes.in_event(id, 1), delta.told(&left_out));
        let stamp: Option<Stamp> = tx
            .change(&CREATE, event, |statement| {
                statement
                    .bind(attributes.display_name.clone())
                    .bind(keys::fold(&attributes.display_name))
                    .bind(attributes.external_id.clone())
                    .bind(delta.ids())
                    .bind(delta.names())
            })
            .await
            .map_err(write_error)?;
        let stamp = stamp.ok_or_else(|| Error::internal("an insert answered no row"))?;
        Ok(attributes.written(id, stamp))
    }
}

/// What a client gives of a group: its attributes, and all its members.
pub(super) fn given(group: &Group) -> Result<(Attributes, Delta), Error> {
    let attributes = Attributes {
        display_name: group.display_name.clone(),
        external_id: group.external_id.clone(),
    };
    validate::group(&attributes.document())?;
    let delta = Delta::exactly(group.members.iter().map(|member| Named {
        id: &member.id,
        display: Some(member.display.as_str()).filter(|name| !name.is_empty()),
    }));
    delta.check_size()?;
    Ok((attributes, delta))
}
