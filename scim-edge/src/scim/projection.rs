//! Which attributes an answer holds: `attributes` and `excludedAttributes`, RFC 7644 section 3.9, with the `returned`
//! characteristic of RFC 7643 section 7. Names that are not known are ignored.

use identity_proto::identity::v1::AttributePath;
use identity_proto::schema::{Attribute, ResourceType, Returned, Target};
use serde_json::{Map, Value as Json};

use super::path;
use super::{Refusal, Result};

/// A choice of attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Projection {
    All,
    /// These, and what is always returned.
    Only(Vec<AttributePath>),
    /// All but these; what is always returned stays.
    Without(Vec<AttributePath>),
}

impl Projection {
    /// Reads the two query parameters, of which one may be given.
    pub fn parse(resource: &'static ResourceType, only: Option<&str>, without: Option<&str>) -> Result<Self> {
        match (
            only.filter(|list| !list.trim().is_empty()),
            without.filter(|list| !list.trim().is_empty()),
        ) {
            (None, None) => Ok(Projection::All),
            (Some(list), None) => Ok(Projection::Only(names(resource, list, |_| true))),
            (None, Some(list)) => Ok(Projection::Without(names(resource, list, |returned| {
                returned != Returned::Always
            }))),
            (Some(_), Some(_)) => Err(Refusal::value(
                "attributes and excludedAttributes exclude each other: send one of them.",
            )),
        }
    }

    /// Whether an answer holds anything of this attribute, where the resource has it.
    pub fn keeps(&self, attribute: &Attribute) -> bool {
        let subs = attribute
            .sub_attributes
            .iter()
            .map(|sub| (sub.name.to_owned(), Json::Null));
        let value = match attribute.sub_attributes {
            [] => Json::Null,
            _ => Json::Object(subs.collect()),
        };
        let whole = Map::from_iter([(attribute.name.to_owned(), value)]);
        self.apply(whole).contains_key(attribute.name)
    }

    /// Whether the client names this attribute, or a part of it, as one that it wants.
    pub fn asks_for(&self, attribute: &Attribute) -> bool {
        matches!(self, Projection::Only(_)) && self.keeps(attribute)
    }

    /// Applies the choice to a rendered resource.
    #[must_use]
    pub fn apply(&self, resource: Map<String, Json>) -> Map<String, Json> {
        let kept = |name: &str, value: Json| match self {
            Projection::All => Some(value),
            Projection::Only(_) if matches!(name, "id" | "schemas") => Some(value),
            Projection::Only(paths) => only(paths, name, value),
            Projection::Without(paths) => without(paths, name, value),
        };
        filter_map(resource, kept)
    }
}

fn names(resource: &'static ResourceType, list: &str, allowed: impl Fn(Returned) -> bool) -> Vec<AttributePath> {
    let resolved = list.split(',').filter_map(|name| path::resolve(resource, name.trim()));
    let allowed = resolved.filter(|(_, target)| match target {
        Target::Attribute(attribute, _) => allowed(attribute.returned),
        Target::Extension(_) => true,
    });
    allowed.map(|(path, _)| path).collect()
}

/// Keeps what the paths name of the top-level member `name`: an attribute, or an extension with attributes of its own.
fn only(paths: &[AttributePath], name: &str, value: Json) -> Option<Json> {
    let inside: Vec<_> = paths.iter().filter(|path| belongs(path, name)).collect();
    if inside.iter().any(|path| is_whole(path, name)) {
        return Some(value);
    }
    select(value, |attribute, value| {
        let named: Vec<_> = inside.iter().filter(|path| next(path, name) == attribute).collect();
        if named
            .iter()
            .any(|path| name != path.schema || path.sub_attribute.is_empty())
        {
            Some(value)
        } else {
            select(value, |sub, value| {
                named.iter().any(|path| path.sub_attribute == sub).then_some(value)
            })
        }
        .filter(|_| !named.is_empty())
    })
}

/// Takes away what the paths name of the top-level member `name`.
fn without(paths: &[AttributePath], name: &str, value: Json) -> Option<Json> {
    let inside: Vec<_> = paths.iter().filter(|path| belongs(path, name)).collect();
    if inside.is_empty() {
        return Some(value);
    }
    if inside.iter().any(|path| is_whole(path, name)) {
        return None;
    }
    select(value, |attribute, value| {
        let named: Vec<_> = inside.iter().filter(|path| next(path, name) == attribute).collect();
        match named
            .iter()
            .any(|path| name != path.schema || path.sub_attribute.is_empty())
        {
            _ if named.is_empty() => Some(value),
            true => None,
            false => select(value, |sub, value| {
                named.iter().all(|path| path.sub_attribute != sub).then_some(value)
            }),
        }
    })
}

/// Whether the path leads into the top-level member `name`.
fn belongs(path: &AttributePath, name: &str) -> bool {
    if path.schema.is_empty() {
        path.attribute == name
    } else {
        path.schema == name
    }
}

/// Whether the path means the whole top-level member `name`.
fn is_whole(path: &AttributePath, name: &str) -> bool {
    next(path, name).is_empty()
}

/// The name that follows the top-level member `name` on the path.
fn next<'a>(path: &'a AttributePath, name: &str) -> &'a str {
    if path.schema == name {
        &path.attribute
    } else {
        &path.sub_attribute
    }
}

/// Applies `keep` to the members of an object or of each object of a list; what is left empty disappears.
fn select(value: Json, keep: impl Fn(&str, Json) -> Option<Json> + Copy) -> Option<Json> {
    match value {
        Json::Object(map) => Some(filter_map(map, keep))
            .filter(|map| !map.is_empty())
            .map(Json::Object),
        Json::Array(values) => {
            let kept: Vec<_> = values.into_iter().filter_map(|value| select(value, keep)).collect();
            (!kept.is_empty()).then_some(Json::Array(kept))
        }
        _ => None,
    }
}

fn filter_map(map: Map<String, Json>, keep: impl Fn(&str, Json) -> Option<Json>) -> Map<String, Json> {
    let kept = map
        .into_iter()
        .filter_map(|(name, value)| keep(&name, value).map(|value| (name, value)));
    kept.collect()
}

#[cfg(test)]
mod tests;
