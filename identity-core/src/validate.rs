//! What types cannot say about a user or a group: bounds, and the names that may be a userName. Pure; every refusal is
//! `INVALID_VALUE` and names the attribute and the bound.
//!
//! RFC 7643 leaves lengths open, so these are ours: a text holds 8 KiB, a certificate 64 KiB, an attribute 200 values,
//! a user 256 KiB. Attributes with an index hold 1,000 bytes, and so do their keys, because a B-tree refuses longer ones.

use caseless::Caseless as _;
use identity_proto::identity::v1::{ErrorReason, User};
use identity_proto::schema::{Attribute, COMMON, GROUP, Mutability, ResourceType, Returned, Type, USER};
use serde::Deserialize as _;
use serde_json::{Map, Value as Json};
use unicode_normalization::UnicodeNormalization as _;

use crate::{Error, keys};

/// The longest user document, in bytes of JSON.
pub const MAX_DOCUMENT: usize = 256 * 1024;
/// The longest text, in bytes.
pub const MAX_TEXT: usize = 8 * 1024;
/// The longest binary value, in bytes of base64.
pub const MAX_BINARY: usize = 64 * 1024;
/// The longest text of an attribute that has an index, in bytes; its key may be no longer either.
pub const MAX_INDEXED: usize = 1_000;
/// How many values a multi-valued attribute may have.
pub const MAX_VALUES: usize = 200;

const INDEXED: [&str; 7] = [
    "userName",
    "externalId",
    "displayName",
    "emails.value",
    "emails.type",
    "phoneNumbers.value",
    "phoneNumbers.type",
];

/// The typed user of a document. What is unassigned is left out of it; an attribute that is unknown or of another type
/// is refused by name.
pub fn typed(mut document: Map<String, Json>) -> Result<User, Error> {
    prune(&mut document);
    let document = Json::Object(document);
    User::deserialize(&document).map_err(
        |error| match document.as_object().map(|document| resource(&USER, document)) {
            Some(Err(named)) => named,
            _ => invalid("the user does not have the form of the User schema").with_source(error),
        },
    )
}

/// Checks a user's document before it is written.
pub fn user(document: &Map<String, Json>) -> Result<(), Error> {
    user_name(document.get("userName").and_then(Json::as_str).unwrap_or_default())?;
    resource(&USER, document)?;
    let length = Json::Object(document.clone()).to_string().len();
    if length > MAX_DOCUMENT {
        return Err(invalid(format!(
            "the user takes {length} bytes as JSON; it may take at most {MAX_DOCUMENT}"
        )));
    }
    Ok(())
}

/// Checks a group's document, which has no members, before it is written.
pub fn group(document: &Map<String, Json>) -> Result<(), Error> {
    let name = document.get("displayName").and_then(Json::as_str).unwrap_or_default();
    if name.trim().is_empty() {
        return Err(invalid("displayName is required and must not be empty"));
    }
    resource(&GROUP, document)
}

/// Removes what counts as unassigned, RFC 7643 section 2.5.
pub(crate) fn prune(attributes: &mut Map<String, Json>) {
    attributes.retain(|_, value| {
        prune_value(value);
        keys::is_assigned(value)
    });
}

fn prune_value(value: &mut Json) {
    match value {
        Json::Object(attributes) => prune(attributes),
        Json::Array(values) => values.retain_mut(|value| {
            prune_value(value);
            keys::is_assigned(value)
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorReason::InvalidValue, message)
}

fn resource(resource_type: &'static ResourceType, document: &Map<String, Json>) -> Result<(), Error> {
    for (name, value) in document {
        if let Some(extension) = resource_type.extensions.iter().find(|schema| schema.id == name) {
            attributes(&format!("{name}:"), extension.attributes, object(name, value)?)?;
            continue;
        }
        let stored = |one: &&Attribute| one.mutability != Mutability::ReadOnly && one.returned != Returned::Never;
        let definition = COMMON
            .iter()
            .filter(|one| one.name == "externalId")
            .chain(resource_type.schema.attributes.iter().filter(stored))
            .find(|one| one.name == name);
        attribute(name, definition, value)?;
    }
    Ok(())
}

fn attributes(prefix: &str, definitions: &'static [Attribute], values: &Map<String, Json>) -> Result<(), Error> {
    values.iter().try_for_each(|(name, value)| {
        let definition = definitions.iter().find(|one| one.name == name);
        attribute(&format!("{prefix}{name}"), definition, value)
    })
}

fn attribute(path: &str, definition: Option<&'static Attribute>, value: &Json) -> Result<(), Error> {
    let definition = definition.ok_or_else(|| invalid(format!("{path} is no attribute that can be set")))?;
    if !definition.multi_valued {
        return single(path, definition, value);
    }
    let values = value
        .as_array()
        .ok_or_else(|| invalid(format!("{path} must be a list of values")))?;
    if values.len() > MAX_VALUES {
        return Err(invalid(format!(
            "{path} has {} values; it may have at most {MAX_VALUES}",
            values.len()
        )));
    }
    if values.iter().filter(|value| is_primary(value)).count() > 1 {
        return Err(invalid(format!("{path} has more than one value with primary true")));
    }
    values.iter().try_for_each(|value| single(path, definition, value))
}

pub(crate) fn is_primary(value: &Json) -> bool {
    value.get("primary") == Some(&Json::Bool(true))
}

fn object<'a>(path: &str, value: &'a Json) -> Result<&'a Map<String, Json>, Error> {
    value
        .as_object()
        .ok_or_else(|| invalid(format!("{path} must be an object with sub-attributes")))
}

fn single(path: &str, definition: &'static Attribute, value: &Json) -> Result<(), Error> {
    match (definition.kind, value) {
        (Type::Complex, value) => attributes(&format!("{path}."), definition.sub_attributes, object(path, value)?),
        (Type::Boolean, Json::Bool(_)) | (Type::Integer, Json::Number(_)) => Ok(()),
        (Type::Boolean, _) => Err(invalid(format!("{path} must be true or false"))),
        (Type::Integer, _) => Err(invalid(format!("{path} must be a whole number"))),
        (_, Json::String(value)) => text(path, definition, value),
        (_, _) => Err(invalid(format!("{path} must be a text"))),
    }
}

fn text(path: &str, definition: &Attribute, value: &str) -> Result<(), Error> {
    if value.contains('\0') {
        return Err(invalid(format!("{path} holds the character NUL; remove it")));
    }
    if definition.kind == Type::Binary && !is_base64(value) {
        return Err(invalid(format!("{path} must be base64, RFC 4648 section 4")));
    }
    let bound = match definition.kind {
        Type::Binary => MAX_BINARY,
        _ if INDEXED.contains(&path) => MAX_INDEXED,
        _ => MAX_TEXT,
    };
    let length = match bound {
        MAX_INDEXED if value.len() <= MAX_INDEXED && !definition.case_exact => keys::fold(value).len(),
        _ => value.len(),
    };
    if length > bound {
        return Err(invalid(format!(
            "{path} takes {length} bytes; it may take at most {bound}"
        )));
    }
    Ok(())
}

fn is_base64(text: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

/// RFC 8265's aim with fewer refusals: a userName may hold spaces, but nothing that cannot be seen or that only looks
/// like another letter.
fn user_name(name: &str) -> Result<(), Error> {
    let reason = if name.is_empty() {
        "userName is required and must not be empty".to_owned()
    } else if let Some(hidden) = name.chars().find(|one| one.is_control() || is_invisible(*one)) {
        format!(
            "userName holds the invisible character U+{:04X}; remove it",
            u32::from(hidden)
        )
    } else if name.trim() != name {
        "userName must not begin or end with white space".to_owned()
    } else if let Some((styled, plain)) = name.chars().find_map(|one| Some((one, plain_letter(one)?))) {
        let code = u32::from(styled);
        format!("userName holds U+{code:04X}, which only looks like {plain:?}; write the plain letter")
    } else {
        return Ok(());
    };
    Err(invalid(reason))
}

/// Characters that show nothing of themselves, or nothing that anyone agreed on: Unicode's default-ignorable ones, as far
/// as they are met in names, private use, and what is no character.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
        | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FFFE}' | '\u{FFFF}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// The ASCII letter or digit that a superscript, circled or mathematical one would be compared as. Full-width forms and
/// letters that differ by case alone are ordinary ways to write a name.
fn plain_letter(character: char) -> Option<char> {
    if character.is_ascii() || matches!(character, '\u{FF00}'..='\u{FFEF}') {
        return None;
    }
    let mut form = [character].into_iter().nfkc();
    let plain = form.next().filter(char::is_ascii_alphanumeric)?;
    let by_case = [character]
        .into_iter()
        .default_case_fold()
        .eq([plain.to_ascii_lowercase()]);
    (form.next().is_none() && !by_case).then_some(plain)
}

#[cfg(test)]
mod tests;
