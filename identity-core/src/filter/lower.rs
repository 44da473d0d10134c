//! Second step: where each test is read. Key columns and the table `user_value` have indexes and are used wherever an
//! index can answer; everything else is read from the folded document `u.keys`.
//!
//! Below a `not`, `user_value` is never used: what matches there is what the index did not find. Neither is it used for
//! `co`, which none of its indexes answers.

use identity_proto::schema::{ENTERPRISE_URN, USER, USER_URN};
use serde_json::Value as Json;
use uuid::Uuid;

use super::check::{InValue, Leaf, Place};
use super::test::{Operand, Test};
use super::tree::Tree;

/// A condition on a row of `users`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Constant(bool),
    IdIs(Uuid),
    Scalar(Scalar, Test),
    /// One element of the JSON array satisfies the whole inner tree; with `or_none`, so does an absent array.
    Element {
        array: Scalar,
        inner: Tree<InValue>,
        or_none: bool,
    },
    /// A row of `user_value` for that path has the value, and the type if one is asked for.
    Searchable {
        path: &'static str,
        value: Test,
        kind: Option<Test>,
    },
}

/// An expression of one value, in parts of SQL that are all constants of this program.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub(super) sql: Vec<&'static str>,
    pub(super) storage: Storage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// A column with its own type and, if text, collation "C".
    Column,
    /// What `->` or `->>` takes out of a JSON document.
    Json,
}

/// Attributes that have a column, by the names of attribute and sub-attribute.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("userName", "", "u.user_name_key"),
    ("externalId", "", "u.external_id"),
    ("active", "", "u.active"),
    ("meta", "created", "u.created_at"),
    ("meta", "lastModified", "u.last_modified_at"),
    ("meta", "version", "('W/\"' || u.version || '\"' COLLATE \"C\")"),
];
const ID_AS_TEXT: &str = "(u.user_id::text COLLATE \"C\")";

/// Attributes that `user_value` holds, by the path that it calls them.
const SEARCHABLE: [&str; 3] = ["displayName", "emails", "phoneNumbers"];

/// Chooses a condition for every leaf.
pub(super) fn lower(checked: &Tree<Leaf>) -> Tree<Condition> {
    lower_under(checked, true)
}

fn lower_under(checked: &Tree<Leaf>, positive: bool) -> Tree<Condition> {
    let all = |trees: &[Tree<Leaf>]| trees.iter().map(|tree| lower_under(tree, positive)).collect();
    match checked {
        Tree::All(trees) => Tree::All(all(trees)),
        Tree::Any(trees) => Tree::Any(all(trees)),
        Tree::Not(tree) => Tree::Not(Box::new(lower_under(tree, false))),
        Tree::Leaf(Leaf::Attribute(place, test)) => attribute(place, test, positive),
        Tree::Leaf(Leaf::Value(place, inner)) => Tree::Leaf(value(place, inner, positive)),
    }
}

fn attribute(place: &Place, test: &Test, positive: bool) -> Tree<Condition> {
    let sub_name = place.sub_attribute.map_or("", |sub| sub.name);
    let column = COLUMNS
        .iter()
        .find(|(name, sub, _)| is_core(place, name) && *sub == sub_name);
    if let Some((_, _, sql)) = column {
        return Tree::Leaf(Condition::Scalar(of_column(sql), test.clone()));
    }
    if is_core(place, "schemas") {
        return schemas(test);
    }
    Tree::Leaf(match (place.attribute.name, sub_name) {
        ("id", "") if place.extension.is_none() => return user_id(test),
        ("meta", "") => Condition::Constant(true),
        ("meta", "resourceType") => Condition::Constant(test.holds(true, Some(&USER.name.into()))),
        ("displayName", "") | (_, "value") if positive && is_searchable(place, test) => Condition::Searchable {
            path: place.attribute.name,
            value: test.clone(),
            kind: None,
        },
        _ => in_document(place, test),
    })
}

fn is_core(place: &Place, name: &str) -> bool {
    place.extension.is_none() && place.attribute.name == name
}

pub(super) fn of_column(sql: &'static str) -> Scalar {
    Scalar {
        sql: vec![sql],
        storage: Storage::Column,
    }
}

/// Ids are lower-case UUIDs and compare exactly: text in any other form equals none.
fn user_id(test: &Test) -> Tree<Condition> {
    let equal = |text: &str| match Uuid::parse_str(text) {
        Ok(id) if id.to_string() == text => Condition::IdIs(id),
        _ => Condition::Constant(false),
    };
    match test {
        Test::Equal(Operand::Text(text)) => Tree::Leaf(equal(text)),
        Test::NotEqual(Operand::Text(text)) => Tree::not_leaf(equal(text)),
        _ => Tree::Leaf(Condition::Scalar(of_column(ID_AS_TEXT), test.clone())),
    }
}

/// `schemas` is not stored: the core schema always belongs to it, an extension while it has attributes.
fn schemas(test: &Test) -> Tree<Condition> {
    let named = |urn: &'static str| Tree::Leaf(Condition::Constant(test.holds(true, Some(&Json::from(urn)))));
    let enterprise = Scalar {
        sql: vec!["(u.keys", " -> '", ENTERPRISE_URN, "'", ")"],
        storage: Storage::Json,
    };
    let with_enterprise = Tree::Leaf(Condition::Scalar(enterprise, Test::Present));
    Tree::Any(vec![
        named(USER_URN),
        Tree::All(vec![with_enterprise, named(ENTERPRISE_URN)]),
    ])
}

fn is_searchable(place: &Place, test: &Test) -> bool {
    let indexed = matches!(test, Test::Equal(_) | Test::StartsWith(_));
    indexed && place.extension.is_none() && SEARCHABLE.contains(&place.attribute.name)
}

fn in_document(place: &Place, test: &Test) -> Condition {
    match place.sub_attribute {
        Some(sub) if place.attribute.multi_valued => {
            let whole = Place {
                sub_attribute: None,
                ..*place
            };
            Condition::Element {
                array: json(&whole),
                inner: Tree::Leaf(InValue {
                    sub_attribute: sub.name,
                    case_exact: sub.case_exact,
                    test: test.clone(),
                }),
                or_none: matches!(test, Test::NotEqual(_)),
            }
        }
        _ => Condition::Scalar(json(place), test.clone()),
    }
}

/// The place in the folded document: as text, or as JSON where it has sub-attributes.
fn json(place: &Place) -> Scalar {
    let end = place.sub_attribute.unwrap_or(place.attribute);
    let last = if end.sub_attributes.is_empty() {
        " ->> '"
    } else {
        " -> '"
    };
    let steps = [
        place.extension.map(|schema| [" -> '", schema.id, "'"]),
        place.sub_attribute.map(|_| [" -> '", place.attribute.name, "'"]),
        Some([last, end.name, "'"]),
    ];
    let steps = steps.into_iter().flatten().flatten();
    Scalar {
        sql: std::iter::once("(u.keys").chain(steps).chain([")"]).collect(),
        storage: Storage::Json,
    }
}

fn value(place: &Place, inner: &Tree<InValue>, positive: bool) -> Condition {
    let searchable = searchable_value(place, inner);
    match searchable {
        Some((value, kind)) if positive => Condition::Searchable {
            path: place.attribute.name,
            value: value.clone(),
            kind: kind.cloned(),
        },
        _ => Condition::Element {
            array: json(place),
            inner: inner.clone(),
            or_none: false,
        },
    }
}

/// The tests of value and type, if the value filter consists of nothing else and one row of `user_value` answers them.
fn searchable_value<'a>(place: &Place, inner: &'a Tree<InValue>) -> Option<(&'a Test, Option<&'a Test>)> {
    let leaf = |tree: &'a Tree<InValue>| match tree {
        Tree::Leaf(leaf) => Some((leaf.sub_attribute, &leaf.test)),
        _ => None,
    };
    let (value, kind) = match inner {
        Tree::All(trees) => match (leaf(trees.first()?)?, leaf(trees.get(1)?)?) {
            (("value", value), ("type", kind)) | (("type", kind), ("value", value)) if trees.len() == 2 => {
                (value, Some(kind))
            }
            _ => return None,
        },
        tree => match leaf(tree)? {
            ("value", value) => (value, None),
            _ => return None,
        },
    };
    let kind_is_equal = kind.is_none_or(|kind| matches!(kind, Test::Equal(_)));
    (kind_is_equal && is_searchable(place, value)).then_some((value, kind))
}
