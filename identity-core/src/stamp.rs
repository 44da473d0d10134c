//! What the service provider notes about a resource: RFC 7643 section 3.1.

use identity_proto::identity::v1::Meta;

use crate::time::to_proto;

/// The version and the times of a row.
#[derive(Clone, Copy, sqlx::FromRow)]
pub(crate) struct Stamp {
    pub(crate) version: i64,
    pub(crate) created_at: jiff_sqlx::Timestamp,
    pub(crate) last_modified_at: jiff_sqlx::Timestamp,
}

impl Stamp {
    /// As answers have it.
    pub(crate) fn meta(self) -> Meta {
        Meta {
            created: Some(to_proto(self.created_at)),
            last_modified: Some(to_proto(self.last_modified_at)),
            version: self.version,
        }
    }
}

/// As events have it: the row gives the times, so only the version is known.
pub(crate) fn meta_in_event(version: i64) -> Meta {
    Meta {
        version,
        ..Meta::default()
    }
}
