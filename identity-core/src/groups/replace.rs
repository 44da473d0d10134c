//! Writes a group that was locked: the second half of PUT and PATCH, and what creating has in common with it.

use identity_proto::identity::v1::{Group, UnknownMembers};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::delta::{Delta, unknown};
use super::row::{Attributes, Row};
use super::{Groups, LONGEST, no_group, version_mismatch, write_error};
use crate::error::database;
use crate::outbox::Event;
use crate::stamp::Stamp;
use crate::store::{Mutation, Tx};
use crate::{Error, keys};

/// Makes members of those of the ids who are none yet, under the names that stand beside them. Each is kept from being deleted
/// until it is done, and left out if it was deleted meanwhile.
macro_rules! join_members {
    ($ids:literal, $names:literal) => {
        concat!(
            "joined_users AS (
                INSERT INTO member (tenant_id, group_id, member_id, is_group, display)
                SELECT $1, $2, found.user_id, false, given.display
                FROM unnest(",
            $ids,
            "::uuid[], ",
            $names,
            "::text[]) AS given (id, display)
                CROSS JOIN LATERAL (SELECT u.user_id FROM users AS u
                    WHERE u.tenant_id = $1 AND u.user_id = given.id FOR KEY SHARE) AS found
                WHERE NOT EXISTS (SELECT FROM member AS m
                    WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id = given.id OFFSET 0)
                RETURNING member_id
            ),
            joined_groups AS (
                INSERT INTO member (tenant_id, group_id, member_id, is_group, display)
                SELECT $1, $2, found.group_id, true, given.display
                FROM unnest(",
            $ids,
            "::uuid[], ",
            $names,
            "::text[]) AS given (id, display)
                CROSS JOIN LATERAL (SELECT g.group_id FROM groups AS g
                    WHERE g.tenant_id = $1 AND g.group_id = given.id FOR KEY SHARE) AS found
                WHERE NOT EXISTS (SELECT FROM member AS m
                    WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id = given.id OFFSET 0)
                RETURNING member_id
            )"
        )
    };
}
pub(super) use join_members;

/// Those of the ids in the parameter that name nobody, as an array.
macro_rules! nobody {
    ($ids:literal) => {
        concat!(
            "ARRAY(SELECT given.id FROM unnest(",
            $ids,
            "::uuid[]) AS given (id)
            WHERE NOT EXISTS (SELECT FROM users AS u WHERE u.tenant_id = $1 AND u.user_id = given.id OFFSET 0)
              AND NOT EXISTS (SELECT FROM groups AS g WHERE g.tenant_id = $1 AND g.group_id = given.id OFFSET 0)) AS nobody"
        )
    };
}
pub(super) use nobody;

/// How many ids a log line shows.
const MAX_LOGGED: usize = 16;

const LOCK: &str = concat!(
    "WITH locked AS MATERIALIZED (
        SELECT group_id, display_name, external_id, version, created_at, last_modified_at FROM groups
        WHERE tenant_id = $1 AND group_id = $2 FOR NO KEY UPDATE
    )
    SELECT group_id, display_name, external_id, version, created_at, last_modified_at, ",
    nobody!("$3"),
    " FROM locked"
);

/// Who is in the group is asked of its rows one id at a time, by their key; all of them are looked at only when all are to
/// leave. What changes nothing finds no row to update.
///
/// The sum has every member come and go before the group's row is updated: once it is, this statement could not lock it any
/// more, and a group that comes into itself would be passed over.
///
/// The statement must be planned so whatever the planner knows of the group, which may have grown since it last looked:
/// `OFFSET 0`, locks and scalar subqueries are never turned into a join, which would read the whole group, and `NOT IN` is a hash.
const REPLACE: Mutation = Mutation::new(
    concat!(
        "removed AS MATERIALIZED (SELECT remove_members($1, $2, $14::uuid[]) AS count),
        cleared AS (
            DELETE FROM member AS m WHERE $12 AND m.tenant_id = $1 AND m.group_id = $2
                AND m.member_id NOT IN (SELECT kept.id FROM unnest($13::uuid[]) AS kept (id))
            RETURNING member_id
        ),",
        join_members!("$13", "$16"),
        ", replaced AS (
            UPDATE groups
            SET display_name = $9, display_name_key = $10, external_id = $11,
                version = version + 1, last_modified_at = greatest(clock_timestamp(), last_modified_at)
            WHERE tenant_id = $1 AND group_id = $2
              AND $15::int + (SELECT removed.count FROM removed) + (SELECT count(*) FROM cleared)
                  + (SELECT count(*) FROM joined_users) + (SELECT count(*) FROM joined_groups) > 0
            RETURNING version, created_at, last_modified_at
        ),
        change AS (SELECT replaced.*, NULL::bigint AS access_epoch FROM replaced)"
    ),
    "SELECT version, created_at, last_modified_at FROM change",
);

/// A group that the transaction holds until it ends.
#[derive(sqlx::FromRow)]
pub(super) struct Locked {
    #[sqlx(flatten)]
    pub(super) row: Row,
    nobody: Vec<Uuid>,
}

/// A change that has its turn.
pub(super) struct Change {
    pub(super) locked: Locked,
    tx: Tx,
    _turn: OwnedSemaphorePermit,
}

/// Which request writes, for the event's name.
#[derive(Clone, Copy)]
pub(super) enum How {
    Put,
    Patch,
}

/// What the group is to become.
pub(super) struct Next {
    pub(super) attributes: Attributes,
    pub(super) delta: Delta,
    pub(super) unknown: UnknownMembers,
    pub(super) how: How,
}

impl Groups {
    /// Locks the group and looks up who is to come.
    pub(super) async fn lock(&self, id: Uuid, delta: &Delta, if_match: &[i64]) -> Result<Change, Error> {
        let turn = self.turns.0.take((self.store.tenant(), id)).await.map_err(database)?;
        let mut tx = self.store.begin_long(LONGEST).await.map_err(database)?;
        let locked: Option<Locked> = tx.read(LOCK, |statement| statement.bind(id).bind(delta.ids())).await?;
        let locked = locked.ok_or_else(no_group)?;
        if !if_match.is_empty() && !if_match.contains(&locked.row.stamp.version) {
            return Err(version_mismatch());
        }
        Ok(Change {
            locked,
            tx,
            _turn: turn,
        })
    }

    /// Writes; what changes nothing, writes nothing.
    pub(super) async fn replace(&self, change: Change, next: Next) -> Result<Group, Error> {
        let Next {
            attributes,
            mut delta,
            unknown,
            how,
        } = next;
        let Change { locked, tx, _turn } = change;
        let Locked { row, nobody } = locked;
        let left_out = settle(&mut delta, &nobody, unknown)?;
        let differs = attributes != row.attributes();
        if !differs && delta.is_empty() {
            return Ok(row.into());
        }
        let (tenant, id) = (self.store.tenant(), row.group_id);
        let told = attributes.in_event(id, row.stamp.version + 1);
        let event = match how {
            How::Put => Event::group_replaced(tenant, id, told, delta.told(&left_out)),
            How::Patch => Event::group_patched(tenant, id, told, delta.told(&left_out)),
        };
        let stamp: Option<Stamp> = tx
            .change(&REPLACE, event, |statement| {
                statement
                    .bind(attributes.display_name.clone())
                    .bind(keys::fold(&attributes.display_name))
                    .bind(attributes.external_id.clone())
                    .bind(delta.clear)
                    .bind(delta.ids())
                    .bind(delta.remove.iter().copied().collect::<Vec<_>>())
                    .bind(differs)
                    .bind(delta.names())
            })
            .await
            .map_err(write_error)?;
        Ok(attributes.written(id, stamp.unwrap_or(row.stamp)))
    }
}

/// Decides about members that are nobody: refused, or left out, which is logged.
pub(super) fn settle(
    delta: &mut Delta,
    nobody: &[Uuid],
    unknown_members: UnknownMembers,
) -> Result<Vec<String>, Error> {
    let left_out = delta.leave_out(nobody);
    if left_out.is_empty() {
        return Ok(left_out);
    }
    if unknown_members != UnknownMembers::LeaveOut {
        return Err(unknown(&left_out));
    }
    // What is no id may be anything, an address too: logs show none of it.
    let ids: Vec<_> = left_out
        .iter()
        .filter(|id| keys::id(id).is_some())
        .take(MAX_LOGGED)
        .collect();
    let count = left_out.len();
    tracing::warn!(count, ?ids, "members that are no user and no group were left out");
    Ok(left_out)
}
