//! Laws that hold for every filter, path, user, group and PATCH, tried on generated ones. A failure prints the smallest input
//! that was found and the line that makes the next run begin with it.

use std::collections::HashSet;

use identity_proto::filter::MAX_TEXT;
use identity_proto::identity::v1::{AttributePath, Filter, PatchOperation};
use identity_proto::schema::{ENTERPRISE_URN, GROUP, ResourceType, USER, USER_URN};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::quirks::Quirks;
use super::{filter, group, patch, path, user};

mod generated;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const BASE: &str = "https://scim.test/scim/v2";

fn profile() -> impl Strategy<Value = Quirks> {
    prop_oneof![Just(Quirks::INTEROP), Just(Quirks::STRICT)]
}

fn check_filter(resource: &'static ResourceType, filter: &Filter, quirks: Quirks) -> Result<(), TestCaseError> {
    let printed = filter.to_string();
    prop_assume!(printed.len() <= MAX_TEXT / 2);
    for text in [shouted(&printed), printed] {
        prop_assert_eq!(filter::parse(resource, &text, quirks), Ok(filter.clone()), "{}", text);
    }
    Ok(())
}

type PatchPath = (AttributePath, Option<Filter>, String);

fn check_path(resource: &'static ResourceType, expect: &PatchPath, quirks: Quirks) -> Result<(), TestCaseError> {
    let (path, value_filter, text) = expect;
    for text in [shouted(text), text.clone()] {
        let read = path::parse(resource, &text, quirks).map_err(|refusal| TestCaseError::fail(refusal.detail))?;
        prop_assert_eq!((&read.path, &read.value_filter), (path, value_filter), "{}", text);
    }
    Ok(())
}

/// The same text with everything outside of quotes in capitals and every blank twice.
fn shouted(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let mut shouted = String::new();
    for character in text.chars() {
        quoted ^= character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
        match character {
            ' ' if !quoted => shouted.push_str("  "),
            other if !quoted => shouted.push(other.to_ascii_uppercase()),
            other => shouted.push(other),
        }
    }
    shouted
}

/// The same object with all names in capitals, at every depth.
fn shouted_names(map: &Map<String, Json>) -> Map<String, Json> {
    fn shout(value: &Json) -> Json {
        match value {
            Json::Object(map) => Json::Object(shouted_names(map)),
            Json::Array(values) => values.iter().map(shout).collect(),
            other => other.clone(),
        }
    }
    map.iter()
        .map(|(name, value)| (name.to_ascii_uppercase(), shout(value)))
        .collect()
}

/// A generated user's resource, without what the service provider adds.
fn content(input: &user::UserInput) -> Map<String, Json> {
    let mut rendered = user::render(&input.user, BASE);
    rendered.retain(|name, _| !matches!(name.as_str(), "schemas" | "id" | "meta"));
    rendered
}

fn operations(list: &[Json], quirks: Quirks) -> super::Result<Vec<PatchOperation>> {
    let body = json!({"schemas": [patch::URN], "Operations": list});
    let Json::Object(body) = body else {
        unreachable!("json! made an object")
    };
    patch::parse(&USER, body, ID, quirks)
}

/// One operation for each attribute, with its path.
fn with_paths(op: &str, changes: &Map<String, Json>) -> Vec<Json> {
    let operation = |path: String, value: &Json| json!({"op": op, "path": path, "value": value});
    let listed = changes.iter().flat_map(|(name, value)| match value {
        Json::Object(inside) if name == ENTERPRISE_URN => {
            let inside = inside.iter();
            inside
                .map(|(sub, value)| operation(format!("{name}:{sub}"), value))
                .collect()
        }
        value => vec![operation(name.clone(), value)],
    });
    listed.collect()
}

/// The same attributes under other keys that mean them: dotted, and with the URN of the core schema.
fn under_other_keys(changes: &Map<String, Json>) -> Map<String, Json> {
    let mut other = Map::new();
    for (name, value) in changes {
        match value {
            Json::Object(inside) => {
                let separator = if name == ENTERPRISE_URN { ":" } else { "." };
                let inside = inside.iter();
                other.extend(inside.map(|(sub, value)| (format!("{name}{separator}{sub}"), value.clone())));
            }
            value => drop(other.insert(format!("{USER_URN}:{name}"), value.clone())),
        }
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_printed_filter_is_read_as_itself(
        of_users in generated::filter(&USER), of_groups in generated::filter(&GROUP), quirks in profile(),
    ) {
        check_filter(&USER, &of_users, quirks)?;
        check_filter(&GROUP, &of_groups, quirks)?;
    }

    #[test]
    fn a_printed_path_is_read_as_itself(
        of_users in generated::patch_path(&USER), of_groups in generated::patch_path(&GROUP), quirks in profile(),
    ) {
        check_path(&USER, &of_users, quirks)?;
        check_path(&GROUP, &of_groups, quirks)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_read_is_what_a_client_sends_and_sends_back(body in generated::user(), quirks in profile()) {
        let read = |body| user::parse(body, quirks).map_err(|refusal| TestCaseError::fail(refusal.detail));
        let input = read(body.clone())?;
        let mut sent = body.clone();
        sent.remove("schemas");
        prop_assert_eq!(content(&input), sent);
        prop_assert_eq!(&read(user::render(&input.user, BASE))?.user, &input.user);
        prop_assert_eq!(&read(shouted_names(&body))?.user, &input.user);
    }

    #[test]
    fn a_patch_without_paths_is_the_same_with_paths(
        changes in generated::changes(), op in "add|replace", quirks in profile(),
    ) {
        prop_assume!(!changes.is_empty());
        let read = |list: &[Json]| operations(list, quirks).map_err(|refusal| TestCaseError::fail(refusal.detail));
        let without = read(&[json!({"op": op, "value": changes})])?;
        prop_assert_eq!(&read(&with_paths(&op, &changes))?, &without);
        let with_keys = under_other_keys(&changes).into_iter().map(|(key, value)| json!({"op": op, "path": key, "value": value}));
        let expect = read(&with_keys.collect::<Vec<_>>())?;
        prop_assert_eq!(read(&[json!({"op": op, "value": under_other_keys(&changes)})])?, expect);
    }

    #[test]
    fn a_group_is_read_as_it_is_sent_and_sent_back((body, members) in generated::group(), quirks in profile()) {
        let read = |body| group::parse(body, quirks).map_err(|refusal| TestCaseError::fail(refusal.detail));
        let group = read(body.clone())?;
        let mut once = members;
        let mut seen = HashSet::new();
        once.retain(|id| seen.insert(id.clone()));
        let found: Vec<_> = group.members.iter().map(|member| member.id.clone()).collect();
        prop_assert_eq!(found, once);
        prop_assert_eq!(&read(group::render(&group, BASE))?, &group);
        prop_assert_eq!(&read(shouted_names(&body))?, &group);
    }
}
