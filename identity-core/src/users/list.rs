//! Lists users: RFC 7644 section 3.4.2.

use identity_proto::identity::v1::{ListUsersRequest, User, UserView};
use sqlx::types::Json;
use uuid::Uuid;

use super::Users;
use super::row::resource;
use crate::error::Error;
use crate::filter::USERS;
use crate::groups::{GroupsOf, groups_of};
use crate::list::{Asked, Line, Listing, Page};
use crate::page::PageTokens;
use crate::stamp::Stamp;

const BASIC: Listing = Listing {
    name: "users",
    layout: &USERS,
    columns: "r.user_id, r.attributes, r.version, r.created_at, r.last_modified_at",
    rows: "JOIN users r ON r.user_id = page.id AND r.tenant_id = ",
    beside: "",
};

const FULL: Listing = Listing {
    columns: "r.user_id, r.attributes, r.version, r.created_at, r.last_modified_at,
        above.group_ids, above.group_names, above.are_direct",
    beside: groups_of!(),
    ..BASIC
};

#[derive(sqlx::FromRow)]
struct UserLine {
    total: i64,
    user_id: Option<Uuid>,
    attributes: Option<Json<User>>,
    version: Option<i64>,
    created_at: Option<jiff_sqlx::Timestamp>,
    last_modified_at: Option<jiff_sqlx::Timestamp>,
    #[sqlx(flatten)]
    groups: GroupsOf,
}

impl Users {
    /// The users that match the filter, a page at a time, and how many there are in all.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant()))]
    pub async fn list(&self, request: ListUsersRequest) -> Result<Page<User>, Error> {
        let listing = match request.view() {
            UserView::Full => FULL,
            UserView::Unspecified | UserView::Basic => BASIC,
        };
        let asked = Asked {
            filter: request.filter.as_ref(),
            page_size: request.page_size,
            page_token: &request.page_token,
            skip: request.skip,
            count_only: request.count_only,
        };
        listing.page::<UserLine>(&self.store, &self.pages, asked).await
    }
}

impl Line for UserLine {
    type Resource = User;

    fn total(&self) -> i64 {
        self.total
    }

    fn resource(self, _: &PageTokens, _: Uuid) -> Option<(Uuid, User)> {
        let stamp = Stamp {
            version: self.version?,
            created_at: self.created_at?,
            last_modified_at: self.last_modified_at?,
        };
        let id = self.user_id?;
        let user = resource(id, stamp, self.attributes?.0);
        Some((id, self.groups.on(user)))
    }
}
