//! Entity tags: RFC 7644 section 3.14 and RFC 9110 section 13.1. The tag of version 7 is `W/"7"`; tags are compared
//! weakly, as SCIM uses them.

/// No resource has this version.
const NEVER: i64 = -1;

/// The entity tag of a version.
pub fn render(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// The versions that If-Match allows; empty when it is absent or `*`, which any version matches. A tag that is none of
/// ours matches nothing.
pub fn if_match(header: Option<&str>) -> Vec<i64> {
    let Some(header) = header else { return Vec::new() };
    if header.trim() == "*" {
        return Vec::new();
    }
    let versions: Vec<i64> = header.split(',').filter_map(parse).collect();
    if versions.is_empty() { vec![NEVER] } else { versions }
}

/// Whether If-None-Match names this version.
pub fn if_none_match(header: Option<&str>, version: i64) -> bool {
    header
        .is_some_and(|header| header.trim() == "*" || header.split(',').filter_map(parse).any(|named| named == version))
}

fn parse(tag: &str) -> Option<i64> {
    let tag = tag.trim();
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let number = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let version: i64 = number.parse().ok()?;
    (version >= 0 && version.to_string() == number).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_versions() {
        for (header, expect) in [
            (None, vec![]),
            (Some("*"), vec![]),
            (Some(" * "), vec![]),
            (Some("W/\"7\""), vec![7]),
            (Some("\"7\""), vec![7]),
            (Some("W/\"7\", \"8\" ,W/\"x\""), vec![7, 8]),
            (Some(""), vec![-1]),
            (Some("7"), vec![-1]),
            (Some("W/7"), vec![-1]),
            (Some("w/\"7\""), vec![-1]),
            (Some("W/\"-1\""), vec![-1]),
            (Some("W/\"+7\""), vec![-1]),
            (Some("W/\"07\""), vec![-1]),
            (Some("W/\"99999999999999999999\""), vec![-1]),
        ] {
            assert_eq!(if_match(header), expect, "{header:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (header, expect) in [
            (None, false),
            (Some("*"), true),
            (Some(&*render(7)), true),
            (Some("\"7\""), true),
            (Some("W/\"1\", W/\"7\""), true),
            (Some("W/\"8\""), false),
            (Some("junk"), false),
        ] {
            assert_eq!(if_none_match(header, 7), expect, "{header:?}");
        }
    }
}
