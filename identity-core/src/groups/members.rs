//! Reads members, a page at a time.

use identity_proto::identity::v1::{ListMembersRequest, ListMembersResponse, Member, member};
use prost::Message;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Groups, id, no_group};
use crate::error::{Error, database};
use crate::list::{MAX_BYTES, page_size};
use crate::page::PageTokens;

const DEFAULT_SIZE: i32 = 1_000;
const MAX_SIZE: i32 = 5_000;

/// Members by their rows, each with the name that it was given there, else with its own as it is now.
macro_rules! named_members {
    () => {
        "SELECT m.member_id, m.is_group, CASE
            WHEN m.display IS NOT NULL THEN m.display
            WHEN m.is_group THEN (
                SELECT h.display_name FROM groups AS h WHERE h.tenant_id = m.tenant_id AND h.group_id = m.member_id)
            ELSE (
                SELECT coalesce(u.attributes ->> 'displayName', u.attributes ->> 'userName')
                FROM users AS u WHERE u.tenant_id = m.tenant_id AND u.user_id = m.member_id)
            END AS display
        FROM member AS m"
    };
}
pub(super) use named_members;

const PAGE: &str = concat!(
    named_members!(),
    " WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.member_id > $3 ORDER BY m.member_id LIMIT $4"
);

/// Joins to each group `r` so many of its first members, as three arrays. To be asked for one more than are wanted.
macro_rules! first_members {
    ($limit:literal) => {
        concat!(
            " LEFT JOIN LATERAL (
                SELECT array_agg(p.member_id) AS member_ids, array_agg(p.is_group) AS are_groups,
                       array_agg(p.display) AS member_names
                FROM (",
            crate::groups::members::named_members!(),
            " WHERE m.tenant_id = r.tenant_id AND m.group_id = r.group_id ORDER BY m.member_id LIMIT ",
            $limit,
            ") AS p) AS members ON true"
        )
    };
}
pub(super) use first_members;

#[derive(FromRow)]
struct MemberRow {
    member_id: Uuid,
    is_group: bool,
    display: Option<String>,
}

/// The first members of a group, as [`first_members`] joins them; none where they were not asked for.
#[derive(Default, FromRow)]
pub(super) struct FirstMembers {
    #[sqlx(default)]
    member_ids: Option<Vec<Uuid>>,
    #[sqlx(default)]
    are_groups: Option<Vec<bool>>,
    #[sqlx(default)]
    member_names: Option<Vec<Option<String>>>,
}

impl Groups {
    /// One page of a group's members.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), group.id = request.group_id))]
    pub async fn members(&self, request: &ListMembersRequest) -> Result<ListMembersResponse, Error> {
        let group = id(&request.group_id)?;
        let tenant = self.store.tenant();
        let after = self.pages.after(&list_of(&tenant, &group), &request.page_token)?;
        let size = page_size(request.page_size, DEFAULT_SIZE, MAX_SIZE);
        let mut connection = self.store.read().await?;
        let rows: Vec<MemberRow> = sqlx::query_as(PAGE)
            .bind(tenant)
            .bind(group)
            .bind(after.unwrap_or_default())
            .bind(i64::from(size) + 1)
            .fetch_all(&mut *connection)
            .await
            .map_err(database)?;
        if rows.is_empty() {
            let is_there: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM groups WHERE tenant_id = $1 AND group_id = $2)")
                    .bind(tenant)
                    .bind(group)
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(database)?;
            return if is_there {
                Ok(ListMembersResponse::default())
            } else {
                Err(no_group())
            };
        }
        let members = rows.into_iter().map(MemberRow::member).collect();
        let (members, next_page_token) = cut(
            &self.pages,
            (tenant, group),
            members,
            usize::try_from(size).unwrap_or_default(),
        );
        Ok(ListMembersResponse {
            members,
            next_page_token,
        })
    }
}

/// What page tokens are bound to.
fn list_of<'a>(tenant: &'a Uuid, group: &'a Uuid) -> [&'a [u8]; 3] {
    [b"members", tenant.as_bytes(), group.as_bytes()]
}

/// The first `size`, fewer if they grow too large together, and the token for what follows them.
fn cut(
    pages: &PageTokens,
    (tenant, group): (Uuid, Uuid),
    mut members: Vec<Member>,
    size: usize,
) -> (Vec<Member>, String) {
    let mut bytes = 0;
    let fitting = members.iter().take(size).take_while(|member| {
        bytes += member.encoded_len();
        bytes <= MAX_BYTES
    });
    let fitting = fitting.count();
    let more = members.len() > fitting;
    members.truncate(fitting);
    let last = members.last().and_then(|last| Uuid::parse_str(&last.id).ok());
    let token = match last {
        Some(last) if more => pages.sign(&list_of(&tenant, &group), last.as_bytes()),
        _ => String::new(),
    };
    (members, token)
}

impl MemberRow {
    fn member(self) -> Member {
        let kind = if self.is_group {
            member::Type::Group
        } else {
            member::Type::User
        };
        Member {
            id: self.member_id.to_string(),
            r#type: kind.into(),
            display: self.display.unwrap_or_default(),
        }
    }
}

impl FirstMembers {
    /// The first `size`, and the token for what follows them.
    pub(super) fn cut(self, pages: &PageTokens, of: (Uuid, Uuid), size: usize) -> (Vec<Member>, String) {
        let ids = self.member_ids.unwrap_or_default().into_iter();
        let kinds = self.are_groups.unwrap_or_default().into_iter();
        let names = self.member_names.unwrap_or_default().into_iter();
        let rows = ids
            .zip(kinds)
            .zip(names)
            .map(|((member_id, is_group), display)| MemberRow {
                member_id,
                is_group,
                display,
            });
        cut(pages, of, rows.map(MemberRow::member).collect(), size)
    }
}
