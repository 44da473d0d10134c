//! What every resource has, whatever its type: `schemas`, an id with its URI, and `meta`. RFC 7643 section 3.

use identity_proto::identity::v1::Meta;
use identity_proto::schema::ResourceType;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Refusal, Result, etag};

/// Checks that `schemas` names the type's core schema and no schema that the type does not have.
pub fn check_schemas(resource: &ResourceType, body: &Map<String, Json>) -> Result<()> {
    let core_urn = resource.schema.id;
    let schemas = body.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas"));
    let Some((_, Json::Array(urns))) = schemas else {
        let detail = format!("schemas is required and must be a list that holds \"{core_urn}\".");
        return Err(Refusal::syntax(detail));
    };
    let mut core = false;
    for urn in urns {
        let known = urn.as_str().and_then(|urn| resource.find_schema(urn));
        let Some(schema) = known else {
            return Err(Refusal::value(format!(
                "schemas holds {urn}, which is no schema of a {}: leave it out.",
                resource.name
            )));
        };
        core |= schema.id == core_urn;
    }
    if core {
        Ok(())
    } else {
        Err(Refusal::value(format!("schemas must hold \"{core_urn}\".")))
    }
}

/// Whether this can be the id of a resource: an UUID in the one spelling that is rendered.
pub fn is_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
}

/// The URI of a resource; `base` is the URI of the SCIM root, without a slash at its end.
pub fn uri(resource: &ResourceType, id: &str, base: &str) -> String {
    format!("{base}{}/{id}", resource.endpoint)
}

/// The version of a resource; 0 if the core sent none.
pub fn version(meta: Option<&Meta>) -> i64 {
    meta.map_or(0, |meta| meta.version)
}

/// Renders `meta`.
pub fn meta(resource: &ResourceType, id: &str, meta: Option<&Meta>, base: &str) -> Json {
    let meta = meta.copied().unwrap_or_default();
    let mut rendered = Map::new();
    rendered.insert("resourceType".to_owned(), resource.name.into());
    let times = [("created", meta.created), ("lastModified", meta.last_modified)];
    for (name, time) in times {
        rendered.extend(time.map(|time| (name.to_owned(), time.to_string().into())));
    }
    rendered.insert("location".to_owned(), uri(resource, id, base).into());
    rendered.insert("version".to_owned(), etag::render(meta.version).into());
    rendered.into()
}
