//! The User resource type: RFC 7643 section 8.7.1, with the errata's corrections.

use super::{Attribute, ENTERPRISE_URN, Mutability, ResourceType, Returned, Schema, Type, USER_URN, Uniqueness};

/// The User resource type.
pub static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User accounts",
    schema: &CORE_USER,
    extensions: &[&ENTERPRISE_USER],
};

const DISPLAY: Attribute = Attribute::string("display", "A name for people to read.");
const PRIMARY: Attribute = Attribute::boolean("primary", "Whether this is the preferred value; at most one is.");

const fn kind_of(canonical: &'static [&'static str]) -> Attribute {
    Attribute::string("type", "What the value is used for.").canonical(canonical)
}

const WORK_HOME_OTHER: &[&str] = &["work", "home", "other"];

/// RFC 7643 section 4.1.
pub static CORE_USER: Schema = Schema {
    id: USER_URN,
    name: "User",
    description: "User Account",
    attributes: &[
        Attribute {
            uniqueness: Uniqueness::Server,
            ..Attribute::string(
                "userName",
                "The name by which the user is known; unique within the tenant.",
            )
            .required()
        },
        Attribute::complex(
            "name",
            "The parts of the user's name.",
            &[
                Attribute::string("formatted", "The whole name, ready to show."),
                Attribute::string("familyName", "The family name."),
                Attribute::string("givenName", "The given name."),
                Attribute::string("middleName", "The middle names."),
                Attribute::string("honorificPrefix", "A title before the name."),
                Attribute::string("honorificSuffix", "A suffix after the name."),
            ],
        ),
        Attribute::string("displayName", "The name to show for the user."),
        Attribute::string("nickName", "The casual name of the user."),
        Attribute::reference("profileUrl", "A page about the user.", &["external"]),
        Attribute::string("title", "The user's title, such as Vice President."),
        Attribute::string(
            "userType",
            "How the user relates to the organization, such as Employee.",
        ),
        Attribute::string(
            "preferredLanguage",
            "The user's language, as in an Accept-Language header.",
        ),
        Attribute::string("locale", "The user's locale, for formats of dates and numbers."),
        Attribute::string("timezone", "The user's time zone, as the IANA database names it."),
        Attribute::boolean(
            "active",
            "Whether the user may log in; false ends every session at once.",
        ),
        Attribute {
            mutability: Mutability::WriteOnly,
            returned: Returned::Never,
            ..Attribute::string("password", "A password, kept only as a hash.")
        },
        Attribute::complex(
            "emails",
            "E-mail addresses.",
            &[
                Attribute::string("value", "The address."),
                DISPLAY,
                kind_of(WORK_HOME_OTHER),
                PRIMARY,
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "phoneNumbers",
            "Telephone numbers.",
            &[
                Attribute::string("value", "The number."),
                DISPLAY,
                kind_of(&["work", "home", "mobile", "fax", "pager", "other"]),
                PRIMARY,
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "ims",
            "Instant messaging addresses.",
            &[
                Attribute::string("value", "The address."),
                DISPLAY,
                kind_of(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
                PRIMARY,
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "photos",
            "Pictures of the user.",
            &[
                Attribute::reference("value", "The picture's URL.", &["external"]),
                DISPLAY,
                kind_of(&["photo", "thumbnail"]),
                PRIMARY,
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "addresses",
            "Postal addresses.",
            &[
                Attribute::string("formatted", "The whole address, ready to print."),
                Attribute::string("streetAddress", "Street, house and anything below it."),
                Attribute::string("locality", "The city."),
                Attribute::string("region", "The state or region."),
                Attribute::string("postalCode", "The postal code."),
                Attribute::string("country", "The country, as two letters of ISO 3166-1."),
                kind_of(WORK_HOME_OTHER),
                PRIMARY,
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "groups",
            "The groups that the user is a member of.",
            &[
                Attribute::string("value", "The group's id.").case_exact().read_only(),
                Attribute::reference("$ref", "The group's URI.", &["Group"]).read_only(),
                Attribute::string("display", "The group's name.").read_only(),
                Attribute::string("type", "Whether the membership is direct.")
                    .canonical(&["direct", "indirect"])
                    .read_only(),
            ],
        )
        .multi_valued()
        .read_only(),
        Attribute::complex(
            "entitlements",
            "What the user is entitled to.",
            &[
                Attribute::string("value", "The entitlement."),
                DISPLAY,
                kind_of(&[]),
                PRIMARY,
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "roles",
            "The user's roles.",
            &[Attribute::string("value", "The role."), DISPLAY, kind_of(&[]), PRIMARY],
        )
        .multi_valued(),
        Attribute::complex(
            "x509Certificates",
            "Certificates issued to the user.",
            &[
                Attribute::string("value", "One certificate, DER in base64.")
                    .kind(Type::Binary)
                    .case_exact(),
                DISPLAY,
                kind_of(&[]),
                PRIMARY,
            ],
        )
        .multi_valued(),
    ],
};

/// RFC 7643 section 4.3.
pub static ENTERPRISE_USER: Schema = Schema {
    id: ENTERPRISE_URN,
    name: "EnterpriseUser",
    description: "Enterprise User",
    attributes: &[
        Attribute::string("employeeNumber", "The number that the organization gave the user."),
        Attribute::string("costCenter", "The user's cost center."),
        Attribute::string("organization", "The user's organization."),
        Attribute::string("division", "The user's division."),
        Attribute::string("department", "The user's department."),
        Attribute::complex(
            "manager",
            "The user's manager.",
            &[
                Attribute::string("value", "The manager's id.").case_exact(),
                Attribute::reference("$ref", "The manager's URI.", &["User"]),
                Attribute::string("displayName", "The manager's name.").read_only(),
            ],
        ),
    ],
};
