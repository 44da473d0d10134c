//! The groups of users, as users are read with them: direct ones first. Bounded, so that no user's answer grows with what others
//! nest.

use std::cmp::Reverse;

use identity_proto::identity::v1::{Membership, User};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Error, database};

/// How many groups are told of a user.
const MOST: usize = 1_000;

/// Few steps, as it runs with most reads of a user. Each group comes twice at most.
const OF_ONE: &str = "SELECT a.group_id, a.direct, (
        SELECT g.display_name FROM groups AS g WHERE g.tenant_id = $1 AND g.group_id = a.group_id) AS display_name
    FROM ancestors($1, $2) AS a LIMIT 2000";

/// Joins to each user `r` the groups that it is in, as three arrays.
macro_rules! groups_of {
    () => {
        " LEFT JOIN LATERAL (
            SELECT array_agg(a.group_id) AS group_ids, array_agg(a.direct) AS are_direct, array_agg((
                SELECT g.display_name FROM groups AS g WHERE g.tenant_id = r.tenant_id AND g.group_id = a.group_id
            )) AS group_names
            FROM (SELECT b.group_id, b.direct FROM ancestors(r.tenant_id, r.user_id) AS b LIMIT 2000) AS a
        ) AS above ON true"
    };
}
pub(crate) use groups_of;

/// What [`groups_of`] joins; none where it was not asked for.
#[derive(Default, sqlx::FromRow)]
pub(crate) struct GroupsOf {
    #[sqlx(default)]
    group_ids: Option<Vec<Uuid>>,
    #[sqlx(default)]
    group_names: Option<Vec<Option<String>>>,
    #[sqlx(default)]
    are_direct: Option<Vec<bool>>,
}

/// The groups of one user.
pub(crate) async fn groups_of_one(
    connection: &mut PgConnection,
    tenant: Uuid,
    user: Uuid,
) -> Result<Vec<Membership>, Error> {
    let rows: Vec<(Uuid, bool, Option<String>)> = sqlx::query_as(OF_ONE)
        .bind(tenant)
        .bind(user)
        .fetch_all(connection)
        .await
        .map_err(database)?;
    Ok(told(rows))
}

impl GroupsOf {
    /// Puts the groups on a user.
    pub(crate) fn on(self, user: User) -> User {
        let ids = self.group_ids.unwrap_or_default().into_iter();
        let direct = self.are_direct.unwrap_or_default().into_iter();
        let names = self.group_names.unwrap_or_default().into_iter();
        let rows = ids
            .zip(direct)
            .zip(names)
            .map(|((id, direct), name)| (id, direct, name));
        User {
            groups: told(rows.collect()),
            ..user
        }
    }
}

/// Each group once, as a direct one if it is both.
fn told(mut rows: Vec<(Uuid, bool, Option<String>)>) -> Vec<Membership> {
    rows.sort_by_key(|(id, direct, _)| (*id, Reverse(*direct)));
    rows.dedup_by_key(|(id, ..)| *id);
    rows.sort_by_key(|(id, direct, _)| (Reverse(*direct), *id));
    rows.truncate(MOST);
    let membership = |(id, direct, display): (Uuid, bool, Option<String>)| Membership {
        group_id: id.to_string(),
        display: display.unwrap_or_default(),
        direct,
    };
    rows.into_iter().map(membership).collect()
}
