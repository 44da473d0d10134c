//! The groups of a user, as a user is read with them.

use identity_proto::identity::v1::{Membership, User};
use uuid::Uuid;

/// Joins to each user `r` the groups that it is in, direct ones first, as three arrays. Bounded: no user's answer grows with
/// what others nest.
macro_rules! groups_of {
    () => {
        " LEFT JOIN LATERAL (
            SELECT array_agg(n.group_id) AS group_ids, array_agg(n.display_name) AS group_names,
                   array_agg(n.direct) AS are_direct
            FROM (SELECT a.group_id, g.display_name, bool_or(a.direct) AS direct
                  FROM (SELECT b.group_id, b.direct FROM ancestors(r.tenant_id, r.user_id) AS b LIMIT 2000) AS a
                  JOIN groups AS g ON g.tenant_id = r.tenant_id AND g.group_id = a.group_id
                  GROUP BY a.group_id, g.display_name ORDER BY bool_or(a.direct) DESC, a.group_id LIMIT 1000) AS n
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
    group_names: Option<Vec<String>>,
    #[sqlx(default)]
    are_direct: Option<Vec<bool>>,
}

impl GroupsOf {
    /// Puts the groups on a user.
    pub(crate) fn on(self, user: User) -> User {
        let ids = self.group_ids.unwrap_or_default().into_iter();
        let names = self.group_names.unwrap_or_default().into_iter();
        let direct = self.are_direct.unwrap_or_default().into_iter();
        let groups = ids.zip(names).zip(direct).map(|((id, display), direct)| Membership {
            group_id: id.to_string(),
            display,
            direct,
        });
        User {
            groups: groups.collect(),
            ..user
        }
    }
}
