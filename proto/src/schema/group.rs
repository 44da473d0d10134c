//! The Group resource type: RFC 7643 section 8.7.1, with `display` as the errata have it.

use super::{Attribute, GROUP_URN, Mutability, ResourceType, Schema};

/// The Group resource type.
pub static GROUP: ResourceType = ResourceType {
    name: "Group",
    endpoint: "/Groups",
    description: "Groups of users and of other groups",
    schema: &CORE_GROUP,
    extensions: &[],
};

/// RFC 7643 section 4.2.
pub static CORE_GROUP: Schema = Schema {
    id: GROUP_URN,
    name: "Group",
    description: "Group",
    attributes: &[
        Attribute::string("displayName", "The group's name.").required(),
        Attribute::complex(
            "members",
            "The users and groups in the group.",
            &[
                Attribute {
                    mutability: Mutability::Immutable,
                    ..Attribute::string("value", "The member's id.").case_exact()
                },
                Attribute {
                    mutability: Mutability::Immutable,
                    ..Attribute::reference("$ref", "The member's URI.", &["User", "Group"])
                },
                Attribute {
                    mutability: Mutability::Immutable,
                    ..Attribute::string("type", "What the member is.").canonical(&["User", "Group"])
                },
                Attribute {
                    mutability: Mutability::Immutable,
                    ..Attribute::string("display", "The member's name in the group.")
                },
            ],
        )
        .multi_valued(),
    ],
};
