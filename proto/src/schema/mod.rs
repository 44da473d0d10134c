//! The one table of attributes: RFC 7643 sections 3.1 and 4.1 to 4.3 as data. The edge parses, filters and describes by
//! it; the core checks and compiles by it.

mod group;
mod user;

use crate::identity::v1::AttributePath;

pub use group::{CORE_GROUP, GROUP};
pub use user::{CORE_USER, ENTERPRISE_USER, USER};

/// URN of the core User schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise User extension.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// RFC 7643 section 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    Boolean,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

/// RFC 7643 section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// RFC 7643 section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// RFC 7643 section 7. `Server` is unique within the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    None,
    Server,
}

/// The definition of one attribute or sub-attribute.
#[derive(Debug)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Type,
    pub multi_valued: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    pub description: &'static str,
    pub sub_attributes: &'static [Attribute],
    /// Suggestions, never a closed list.
    pub canonical_values: &'static [&'static str],
    pub reference_types: &'static [&'static str],
}

/// A schema and its top-level attributes.
#[derive(Debug)]
pub struct Schema {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub attributes: &'static [Attribute],
}

/// A resource type, RFC 7643 section 6. None of its extensions is required.
#[derive(Debug)]
pub struct ResourceType {
    pub name: &'static str,
    pub endpoint: &'static str,
    pub description: &'static str,
    pub schema: &'static Schema,
    pub extensions: &'static [&'static Schema],
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// An attribute, and the sub-attribute if the path names one.
    Attribute(&'static Attribute, Option<&'static Attribute>),
    /// A whole schema extension.
    Extension(&'static Schema),
}

impl Attribute {
    /// The sub-attribute of that name, in any case.
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub_attributes, name)
    }

    /// Whether the values are a set of references: `value` says which one each is, and nothing of it changes.
    pub fn is_set_of_references(&self) -> bool {
        let value = self.sub_attribute("value");
        self.multi_valued && value.is_some_and(|value| value.mutability == Mutability::Immutable)
    }

    const fn string(name: &'static str, description: &'static str) -> Self {
        Attribute {
            name,
            kind: Type::String,
            multi_valued: false,
            required: false,
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            description,
            sub_attributes: &[],
            canonical_values: &[],
            reference_types: &[],
        }
    }

    const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::string(name, description).kind(Type::Boolean)
    }

    const fn complex(name: &'static str, description: &'static str, sub_attributes: &'static [Attribute]) -> Self {
        Attribute {
            sub_attributes,
            ..Self::string(name, description).kind(Type::Complex)
        }
    }

    const fn reference(name: &'static str, description: &'static str, types: &'static [&'static str]) -> Self {
        Attribute {
            reference_types: types,
            ..Self::string(name, description).kind(Type::Reference).case_exact()
        }
    }

    const fn kind(self, kind: Type) -> Self {
        Attribute { kind, ..self }
    }

    const fn multi_valued(self) -> Self {
        Attribute {
            multi_valued: true,
            ..self
        }
    }

    const fn required(self) -> Self {
        Attribute { required: true, ..self }
    }

    const fn case_exact(self) -> Self {
        Attribute {
            case_exact: true,
            ..self
        }
    }

    const fn read_only(self) -> Self {
        Attribute {
            mutability: Mutability::ReadOnly,
            ..self
        }
    }

    const fn canonical(self, canonical_values: &'static [&'static str]) -> Self {
        Attribute {
            canonical_values,
            ..self
        }
    }
}

/// The attributes that every resource has, RFC 7643 section 3.1.
pub const COMMON: &[Attribute] = &[
    Attribute {
        returned: Returned::Always,
        uniqueness: Uniqueness::Server,
        ..Attribute::string("id", "The service provider's identifier of the resource.")
            .case_exact()
            .read_only()
    },
    Attribute::string("externalId", "The provisioning client's identifier of the resource.").case_exact(),
    Attribute {
        returned: Returned::Always,
        ..Attribute::reference(
            "schemas",
            "URNs of the schemas that the resource has attributes of.",
            &["uri"],
        )
        .multi_valued()
    },
    Attribute::complex(
        "meta",
        "What the service provider notes about the resource.",
        &[
            Attribute::string("resourceType", "The resource type's name.")
                .case_exact()
                .read_only(),
            Attribute::string("created", "When the resource was created.")
                .kind(Type::DateTime)
                .read_only(),
            Attribute::string("lastModified", "When the resource last changed.")
                .kind(Type::DateTime)
                .read_only(),
            Attribute::reference("location", "The resource's URI.", &["uri"]).read_only(),
            Attribute::string("version", "The resource's entity tag.")
                .case_exact()
                .read_only(),
        ],
    )
    .read_only(),
];

impl ResourceType {
    /// The core schema and the extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &'static Schema> {
        std::iter::once(self.schema).chain(self.extensions.iter().copied())
    }

    /// The schema of that URN, in any case.
    pub fn find_schema(&self, urn: &str) -> Option<&'static Schema> {
        self.schemas().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// Resolves names as a client wrote them, in any case, to the schema's own spelling. `schema` is empty for a name
    /// without a URN.
    pub fn resolve(&self, schema: &str, attribute: &str, sub_attribute: &str) -> Option<(AttributePath, Target)> {
        let extension = match schema {
            "" => None,
            urn => self
                .find_schema(urn)
                .map(|found| (found.id != self.schema.id).then_some(found))?,
        };
        let urn = extension.map_or("", |found| found.id);
        let path = |attribute: &str, sub: &str| AttributePath {
            schema: urn.to_owned(),
            attribute: attribute.to_owned(),
            sub_attribute: sub.to_owned(),
        };
        if attribute.is_empty() {
            return extension.map(|found| (path("", ""), Target::Extension(found)));
        }
        let found = match extension {
            Some(extension) => find(extension.attributes, attribute),
            None => find(COMMON, attribute).or_else(|| find(self.schema.attributes, attribute)),
        }?;
        if sub_attribute.is_empty() {
            return Some((path(found.name, ""), Target::Attribute(found, None)));
        }
        let sub = found.sub_attribute(sub_attribute)?;
        Some((path(found.name, sub.name), Target::Attribute(found, Some(sub))))
    }

    /// What a canonical path leads to; `None` if any part of it is unknown or not in the schema's own spelling.
    pub fn target(&self, path: &AttributePath) -> Option<Target> {
        let (canonical, target) = self.resolve(&path.schema, &path.attribute, &path.sub_attribute)?;
        (canonical == *path).then_some(target)
    }
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
