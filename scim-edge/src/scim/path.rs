//! Attribute names and PATCH paths: RFC 7644 sections 3.5.2 and 3.10. What a client wrote, in any case and with or
//! without a schema's URN, becomes a canonical path in the schema's spelling.

use identity_proto::identity::v1::{AttributePath, ErrorReason, Filter};
use identity_proto::schema::{Attribute, ResourceType, Target};

use super::filter::Parser;
use super::lexer::Token;
use super::quirks::Quirks;
use super::{Refusal, Result};

/// A PATCH path: `attribute`, `attribute.sub`, `attribute[filter]`, `attribute[filter].sub`, or an extension's URN.
#[derive(Clone, Debug)]
pub struct Path {
    pub path: AttributePath,
    pub target: Target,
    pub value_filter: Option<Filter>,
}

impl Path {
    /// The attribute or sub-attribute that the path ends at; `None` for a whole extension.
    pub fn leaf(&self) -> Option<&'static Attribute> {
        match self.target {
            Target::Attribute(attribute, sub) => Some(sub.unwrap_or(attribute)),
            Target::Extension(_) => None,
        }
    }
}

/// Resolves `name`, `name.sub`, `urn:name`, `urn:name.sub` or an extension's URN.
pub fn resolve(resource: &'static ResourceType, text: &str) -> Option<(AttributePath, Target)> {
    let (schema, name) = split_urn(resource, text);
    let (attribute, sub) = match name.split_once('.') {
        Some((attribute, sub)) if attribute.is_empty() || sub.is_empty() => return None,
        Some(parts) => parts,
        None => (name, ""),
    };
    resource.resolve(schema, attribute, sub)
}

/// URNs hold dots and colons, so a known one is recognised as a whole; of an unknown one the last part is the name.
fn split_urn<'a>(resource: &'static ResourceType, text: &'a str) -> (&'a str, &'a str) {
    for schema in resource.schemas() {
        if let Some((urn, rest)) = text.split_at_checked(schema.id.len())
            && urn.eq_ignore_ascii_case(schema.id)
        {
            if rest.is_empty() {
                return (urn, "");
            }
            if let Some(name) = rest.strip_prefix(':').filter(|name| !name.is_empty()) {
                return (urn, name);
            }
        }
    }
    let unknown = text.rsplit_once(':').filter(|(_, name)| !name.is_empty());
    unknown.unwrap_or(("", text))
}

/// Parses a PATCH path.
pub fn parse(resource: &'static ResourceType, text: &str, quirks: Quirks) -> Result<Path> {
    let mut parser = Parser::new(resource, text, quirks, ErrorReason::InvalidPath)?;
    let (_, word) = parser.word("an attribute name")?;
    let unknown = |name: &str| {
        Refusal::path(format!(
            "The path {text:?} names {name:?}, which is no known attribute."
        ))
    };
    let (mut path, mut target) = resolve(resource, word).ok_or_else(|| unknown(word))?;
    let mut value_filter = None;
    if parser.take(&Token::OpenBracket)? {
        let Target::Attribute(attribute, None) = target else {
            return Err(Refusal::path(format!(
                "The path {text:?} puts a value filter behind {word:?}: only a whole multi-valued attribute takes one."
            )));
        };
        value_filter = Some(parser.value_filter(attribute, word)?);
        if parser.take(&Token::Dot)? {
            let (_, name) = parser.word("a sub-attribute name")?;
            let sub = attribute.sub_attribute(name).ok_or_else(|| unknown(name))?;
            path = path.with_sub(sub.name);
            target = Target::Attribute(attribute, Some(sub));
        }
    }
    parser.finish()?;
    Ok(Path {
        path,
        target,
        value_filter,
    })
}

#[cfg(test)]
mod tests {
    use identity_proto::schema::{ENTERPRISE_URN, USER, USER_URN};

    use super::*;

    fn check(text: &str, expect: std::result::Result<(&str, &str), &str>) {
        let found = parse(&USER, text, Quirks::INTEROP);
        match (found, expect) {
            (Ok(found), Ok((path, filter))) => {
                let value_filter = found.value_filter.map(|filter| filter.to_string()).unwrap_or_default();
                assert_eq!(
                    (found.path.to_string().as_str(), value_filter.as_str()),
                    (path, filter),
                    "{text}"
                );
            }
            (Err(refusal), Err(scim_type)) => {
                assert!(refusal.reason.as_str_name().ends_with(scim_type), "{text}: {refusal:?}");
            }
            (found, expect) => panic!("{text}: {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn every_form_resolves_in_any_case() {
        check("USERNAME", Ok(("userName", "")));
        check("Name.familyname", Ok(("name.familyName", "")));
        check(
            "addresses[type eq \"other\"].Formatted",
            Ok(("addresses.formatted", "type eq \"other\"")),
        );
        check("emails[Type EQ \"work\"]", Ok(("emails", "type eq \"work\"")));
        check(
            "roles[primary eq \"True\"].value",
            Ok(("roles.value", "primary eq true")),
        );
        check(&format!("{USER_URN}:title"), Ok(("title", "")));
        check(
            &format!("{}:name.givenName", USER_URN.to_uppercase()),
            Ok(("name.givenName", "")),
        );
        check(
            &format!("{USER_URN}:emails[primary eq true].value"),
            Ok(("emails.value", "primary eq true")),
        );
        let manager = format!("{ENTERPRISE_URN}:manager.value");
        check(&manager, Ok((&manager, "")));
        check(&manager.to_lowercase(), Ok((&manager, "")));
        check(ENTERPRISE_URN, Ok((ENTERPRISE_URN, "")));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            " ",
            "nope",
            "tenant_id",
            "name.nope",
            "name.",
            ".name",
            "name.givenName.x",
            "emails[type eq \"work\"].nope",
            "emails[type eq \"work\"] value",
            "emails[type eq \"work\"]value",
            "emails.value[type eq \"work\"]",
            "name[givenName eq \"x\"]",
            "userName[value eq \"x\"]",
            "urn:x:y:z",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:",
            "userName title",
            "\"userName\"",
            "5",
        ] {
            check(text, Err("INVALID_PATH"));
        }
        for text in [
            "emails[]",
            "emails[type eq]",
            "emails[type eq \"work\"",
            "emails[nope eq \"work\"]",
            "emails[emails[type eq \"x\"]]",
        ] {
            check(text, Err("INVALID_FILTER"));
        }
    }
}
