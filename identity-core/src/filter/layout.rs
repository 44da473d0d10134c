//! Where the attributes of each resource type are kept: what `lower` and `emit` know of tables.

use identity_proto::schema::{GROUP, ResourceType, USER};

/// The table of a resource type.
#[derive(Debug)]
pub struct Layout {
    pub(crate) resource: &'static ResourceType,
    /// The table, and what statements call it.
    pub(crate) table: &'static str,
    pub(crate) id: &'static str,
    pub(super) id_as_text: &'static str,
    /// Attributes that have a column, by the names of attribute and sub-attribute.
    pub(super) columns: &'static [(&'static str, &'static str, &'static str)],
    /// Attributes that `user_value` holds, by the path that it calls them.
    pub(super) searchable: &'static [&'static str],
}

impl Layout {
    /// What statements call the table.
    pub(crate) fn alias(&self) -> &'static str {
        self.table.rsplit(' ').next().unwrap_or_default()
    }
}

/// `users`, called `u`. What has no column is read from the folded document `u.keys`.
pub static USERS: Layout = Layout {
    resource: &USER,
    table: "users u",
    id: "u.user_id",
    id_as_text: "(u.user_id::text COLLATE \"C\")",
    columns: &[
        ("userName", "", "u.user_name_key"),
        ("externalId", "", "u.external_id"),
        ("active", "", "u.active"),
        ("meta", "created", "u.created_at"),
        ("meta", "lastModified", "u.last_modified_at"),
        ("meta", "version", "('W/\"' || u.version || '\"' COLLATE \"C\")"),
    ],
    searchable: &["displayName", "emails", "phoneNumbers"],
};

/// `groups`, called `g`, and `member`. There is no document: every attribute has a column.
pub static GROUPS: Layout = Layout {
    resource: &GROUP,
    table: "groups g",
    id: "g.group_id",
    id_as_text: "(g.group_id::text COLLATE \"C\")",
    columns: &[
        ("displayName", "", "g.display_name_key"),
        ("externalId", "", "g.external_id"),
        ("meta", "created", "g.created_at"),
        ("meta", "lastModified", "g.last_modified_at"),
        ("meta", "version", "('W/\"' || g.version || '\"' COLLATE \"C\")"),
    ],
    searchable: &[],
};
