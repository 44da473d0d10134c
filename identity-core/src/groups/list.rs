//! Lists groups: RFC 7644 section 3.4.2.

use identity_proto::identity::v1::{Group, GroupView, ListGroupsRequest};
use uuid::Uuid;

use super::Groups;
use super::members::{FirstMembers, first_members};
use super::row::Row;
use crate::error::Error;
use crate::filter::GROUPS;
use crate::list::{Asked, Line, Listing, Page};
use crate::page::PageTokens;
use crate::stamp::Stamp;

const BASIC: Listing = Listing {
    name: "groups",
    layout: &GROUPS,
    columns: "r.group_id, r.display_name, r.external_id, r.version, r.created_at, r.last_modified_at",
    rows: "JOIN groups r ON r.group_id = page.id AND r.tenant_id = ",
    beside: "",
};

/// How many members of each group the view FULL begins with.
const FIRST: usize = 100;
const FULL: Listing = Listing {
    columns: "r.group_id, r.display_name, r.external_id, r.version, r.created_at, r.last_modified_at,
        members.member_ids, members.are_groups, members.member_names",
    beside: first_members!(101),
    ..BASIC
};

#[derive(sqlx::FromRow)]
struct GroupLine {
    total: i64,
    group_id: Option<Uuid>,
    display_name: Option<String>,
    external_id: Option<String>,
    version: Option<i64>,
    created_at: Option<jiff_sqlx::Timestamp>,
    last_modified_at: Option<jiff_sqlx::Timestamp>,
    #[sqlx(flatten)]
    members: FirstMembers,
}

impl Groups {
    /// The groups that match the filter, a page at a time, and how many there are in all.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant()))]
    pub async fn list(&self, request: ListGroupsRequest) -> Result<Page<Group>, Error> {
        let listing = match request.view() {
            GroupView::Full => FULL,
            GroupView::Unspecified | GroupView::Basic => BASIC,
        };
        let asked = Asked {
            filter: request.filter.as_ref(),
            page_size: request.page_size,
            page_token: &request.page_token,
            skip: request.skip,
            count_only: request.count_only,
        };
        listing.page::<GroupLine>(&self.store, &self.pages, asked).await
    }
}

impl Line for GroupLine {
    type Resource = Group;

    fn total(&self) -> i64 {
        self.total
    }

    fn resource(self, pages: &PageTokens, tenant: Uuid) -> Option<(Uuid, Group)> {
        let id = self.group_id?;
        let row = Row {
            group_id: id,
            display_name: self.display_name?,
            external_id: self.external_id,
            stamp: Stamp {
                version: self.version?,
                created_at: self.created_at?,
                last_modified_at: self.last_modified_at?,
            },
        };
        let (members, next_members_token) = self.members.cut(pages, (tenant, id), FIRST);
        let group = Group {
            members,
            next_members_token,
            ..row.into()
        };
        Some((id, group))
    }
}
