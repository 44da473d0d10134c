//! Rows of `groups`, as they are read.

use identity_proto::identity::v1::Group;
use serde_json::Map;
use uuid::Uuid;

use crate::stamp::{Stamp, meta_in_event};

/// A group without its members.
#[derive(Clone, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) group_id: Uuid,
    pub(super) display_name: String,
    pub(super) external_id: Option<String>,
    #[sqlx(flatten)]
    pub(super) stamp: Stamp,
}

/// What a client may write of a group, apart from its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) display_name: String,
    pub(super) external_id: Option<String>,
}

/// A group's attributes in the JSON form of RFC 7643, without `id`, `meta` and `members`.
pub(super) type Document = Map<String, serde_json::Value>;

impl From<Row> for Group {
    fn from(row: Row) -> Self {
        Group {
            id: row.group_id.to_string(),
            meta: Some(row.stamp.meta()),
            external_id: row.external_id,
            display_name: row.display_name,
            ..Group::default()
        }
    }
}

impl Row {
    pub(super) fn attributes(&self) -> Attributes {
        Attributes {
            display_name: self.display_name.clone(),
            external_id: self.external_id.clone(),
        }
    }
}

impl Attributes {
    pub(super) fn document(&self) -> Document {
        let external_id = self.external_id.clone().map(|id| ("externalId".to_owned(), id.into()));
        let name = ("displayName".to_owned(), self.display_name.clone().into());
        external_id.into_iter().chain([name]).collect()
    }

    /// The attributes of a document that was checked.
    pub(super) fn of(document: &Document) -> Self {
        let text = |name| document.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        Attributes {
            display_name: text("displayName").unwrap_or_default(),
            external_id: text("externalId"),
        }
    }

    /// A group as its event tells of it.
    pub(super) fn in_event(&self, id: Uuid, version: i64) -> Group {
        Group {
            id: id.to_string(),
            meta: Some(meta_in_event(version)),
            external_id: self.external_id.clone(),
            display_name: self.display_name.clone(),
            ..Group::default()
        }
    }

    /// The group that was written.
    pub(super) fn written(self, id: Uuid, stamp: Stamp) -> Group {
        Group::from(Row {
            group_id: id,
            display_name: self.display_name,
            external_id: self.external_id,
            stamp,
        })
    }
}
