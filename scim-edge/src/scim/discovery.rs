//! What this service provider is and can do: RFC 7643 sections 5 to 7, rendered from the schema table and from the
//! limits that the code obeys, so that nothing is announced that is not so.

use identity_proto::schema::{Attribute, GROUP, Mutability, ResourceType, Returned, Schema, Type, USER, Uniqueness};
use serde_json::{Map, Value as Json, json};

use super::query::MAX_COUNT;

const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SERVICE_PROVIDER_CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// Every resource type that is served.
pub static RESOURCE_TYPES: [&ResourceType; 2] = [&USER, &GROUP];

/// RFC 7643 section 5.
pub fn service_provider_config(base: &str) -> Json {
    json!({
        "schemas": [SERVICE_PROVIDER_CONFIG_URN],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": true},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token in the header Authorization: Bearer <token>, as the administrator of this service hands it out.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }, {
            "type": "oauth2",
            "name": "OAuth 2.0",
            "description": "Such a token from the token endpoint, by an authorization code or client credentials; /.well-known/oauth-authorization-server says where.",
            "specUri": "https://www.rfc-editor.org/info/rfc6749",
            "primary": false,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// All schemas, RFC 7643 section 7.
pub fn schemas(base: &str) -> Vec<Map<String, Json>> {
    all_schemas().map(|schema| render_schema(schema, base)).collect()
}

/// The schema of that URN, in any case.
pub fn schema(urn: &str, base: &str) -> Option<Map<String, Json>> {
    let found = all_schemas().find(|schema| schema.id.eq_ignore_ascii_case(urn))?;
    Some(render_schema(found, base))
}

/// All resource types, RFC 7643 section 6.
pub fn resource_types(base: &str) -> Vec<Map<String, Json>> {
    RESOURCE_TYPES
        .iter()
        .map(|one| render_resource_type(one, base))
        .collect()
}

/// The resource type of that name.
pub fn resource_type(name: &str, base: &str) -> Option<Map<String, Json>> {
    let found = RESOURCE_TYPES.iter().find(|one| one.name == name)?;
    Some(render_resource_type(found, base))
}

fn all_schemas() -> impl Iterator<Item = &'static Schema> {
    RESOURCE_TYPES.iter().flat_map(|one| one.schemas())
}

fn render_resource_type(one: &ResourceType, base: &str) -> Map<String, Json> {
    let extensions = one.extensions.iter();
    let extensions: Vec<_> = extensions
        .map(|schema| json!({"schema": schema.id, "required": false}))
        .collect();
    members([
        ("schemas", json!([RESOURCE_TYPE_URN])),
        ("id", one.name.into()),
        ("name", one.name.into()),
        ("description", one.description.into()),
        ("endpoint", one.endpoint.into()),
        ("schema", one.schema.id.into()),
        ("schemaExtensions", extensions.into()),
        (
            "meta",
            json!({"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", one.name)}),
        ),
    ])
}

fn render_schema(schema: &Schema, base: &str) -> Map<String, Json> {
    members([
        ("schemas", json!([SCHEMA_URN])),
        ("id", schema.id.into()),
        ("name", schema.name.into()),
        ("description", schema.description.into()),
        ("attributes", schema.attributes.iter().map(render_attribute).collect()),
        (
            "meta",
            json!({"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)}),
        ),
    ])
}

/// Sub-attributes have none of their own, so this is two levels deep.
fn render_attribute(attribute: &Attribute) -> Json {
    let mut rendered = members([
        ("name", attribute.name.into()),
        ("type", kind(attribute.kind).into()),
        ("multiValued", attribute.multi_valued.into()),
        ("description", attribute.description.into()),
        ("required", attribute.required.into()),
    ]);
    if matches!(attribute.kind, Type::String | Type::Reference | Type::Binary) {
        rendered.insert("caseExact".to_owned(), attribute.case_exact.into());
    }
    if !attribute.canonical_values.is_empty() {
        rendered.insert("canonicalValues".to_owned(), attribute.canonical_values.into());
    }
    if !attribute.reference_types.is_empty() {
        rendered.insert("referenceTypes".to_owned(), attribute.reference_types.into());
    }
    rendered.append(&mut members([
        ("mutability", mutability(attribute.mutability).into()),
        ("returned", returned(attribute.returned).into()),
        ("uniqueness", uniqueness(attribute.uniqueness).into()),
    ]));
    if !attribute.sub_attributes.is_empty() {
        let subs = attribute.sub_attributes.iter().map(render_attribute).collect();
        rendered.insert("subAttributes".to_owned(), subs);
    }
    rendered.into()
}

fn members<const N: usize>(members: [(&str, Json); N]) -> Map<String, Json> {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn kind(kind: Type) -> &'static str {
    match kind {
        Type::String => "string",
        Type::Boolean => "boolean",
        Type::Integer => "integer",
        Type::DateTime => "dateTime",
        Type::Binary => "binary",
        Type::Reference => "reference",
        Type::Complex => "complex",
    }
}

fn mutability(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    }
}

fn returned(returned: Returned) -> &'static str {
    match returned {
        Returned::Always => "always",
        Returned::Never => "never",
        Returned::Default => "default",
        Returned::Request => "request",
    }
}

fn uniqueness(uniqueness: Uniqueness) -> &'static str {
    match uniqueness {
        Uniqueness::None => "none",
        Uniqueness::Server => "server",
    }
}

#[cfg(test)]
mod tests {
    use identity_proto::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN};

    use super::*;

    #[test]
    fn every_attribute_of_every_schema_is_fully_described() {
        for schema in schemas("http://x/scim/v2") {
            let attributes = schema["attributes"].as_array().unwrap();
            assert!(!attributes.is_empty());
            let subs = attributes
                .iter()
                .filter_map(|one| one["subAttributes"].as_array())
                .flatten();
            for attribute in attributes.iter().chain(subs) {
                for member in [
                    "name",
                    "type",
                    "multiValued",
                    "description",
                    "required",
                    "mutability",
                    "returned",
                    "uniqueness",
                ] {
                    assert!(!attribute[member].is_null(), "{member} of {attribute}");
                }
                assert_eq!(
                    attribute["type"] == "reference",
                    attribute["referenceTypes"].is_array(),
                    "{attribute}"
                );
                assert_eq!(
                    attribute["type"] == "complex",
                    attribute["subAttributes"].is_array(),
                    "{attribute}"
                );
            }
        }
    }

    #[test]
    fn what_a_resource_type_names_can_be_read() {
        let user = resource_type("User", "http://x/scim/v2").unwrap();
        assert_eq!(user["endpoint"], "/Users");
        assert_eq!(user["meta"]["location"], "http://x/scim/v2/ResourceTypes/User");
        assert_eq!(schema(user["schema"].as_str().unwrap(), "").unwrap()["id"], USER_URN);
        assert_eq!(user["schemaExtensions"][0]["schema"], ENTERPRISE_URN);
        assert!(schema(&ENTERPRISE_URN.to_uppercase(), "").is_some());
        assert!(schema("urn:ietf:params:scim:api:messages:2.0:Error", "").is_none());
        let group = resource_type("Group", "http://x/scim/v2").unwrap();
        assert_eq!(
            (&group["endpoint"], &group["schemaExtensions"]),
            (&json!("/Groups"), &json!([]))
        );
        assert_eq!(schema(group["schema"].as_str().unwrap(), "").unwrap()["id"], GROUP_URN);
        assert!(resource_type("group", "").is_none());
    }
}
