//! Second step: where each test is read. Key columns and the tables `user_value` and `member` have indexes and are used
//! wherever an index can answer; everything else is read from the folded document `u.keys`.
//!
//! Below a `not`, `user_value` is never used: what matches there is what the index did not find. Neither is it used for
//! `co`, which none of its indexes answers.

use identity_proto::schema::Schema;
use serde_json::Value as Json;
use uuid::Uuid;

use super::check::{InValue, Leaf, Place};
use super::layout::Layout;
use super::test::{Operand, Test};
use super::tree::Tree;
use crate::keys;

/// A condition on a row of the layout's table.
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
    /// The user or group of that id is a member.
    HasMember(Uuid),
    /// One member satisfies the whole inner tree; with `or_none`, so does a group without members.
    Member {
        inner: Tree<InValue>,
        or_none: bool,
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

/// Chooses a condition for every leaf.
pub(super) fn lower(layout: &Layout, checked: &Tree<Leaf>) -> Tree<Condition> {
    lower_under(layout, checked, true)
}

fn lower_under(layout: &Layout, checked: &Tree<Leaf>, positive: bool) -> Tree<Condition> {
    let all = |trees: &[Tree<Leaf>]| trees.iter().map(|tree| lower_under(layout, tree, positive)).collect();
    match checked {
        Tree::All(trees) => Tree::All(all(trees)),
        Tree::Any(trees) => Tree::Any(all(trees)),
        Tree::Not(tree) => Tree::Not(Box::new(lower_under(layout, tree, false))),
        Tree::Leaf(Leaf::Attribute(place, test)) => attribute(layout, place, test, positive),
        Tree::Leaf(Leaf::Value(place, inner)) => Tree::Leaf(value(layout, place, inner, positive)),
    }
}

fn attribute(layout: &Layout, place: &Place, test: &Test, positive: bool) -> Tree<Condition> {
    let sub_name = place.sub_attribute.map_or("", |sub| sub.name);
    let mut columns = layout.columns.iter();
    if let Some((_, _, sql)) = columns.find(|(name, sub, _)| is_core(place, name) && *sub == sub_name) {
        return Tree::Leaf(Condition::Scalar(of_column(sql), test.clone()));
    }
    if is_core(place, "schemas") {
        return schemas(layout, test);
    }
    Tree::Leaf(match (place.attribute.name, sub_name) {
        ("id", "") if place.extension.is_none() => return id(layout, test),
        ("meta", "") => Condition::Constant(true),
        ("meta", "resourceType") => Condition::Constant(test.holds(true, Some(&layout.resource.name.into()))),
        _ if place.attribute.is_set_of_references() => members(place, test, positive),
        ("displayName", "") | (_, "value") if positive && is_searchable(layout, place, test) => Condition::Searchable {
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

/// Ids compare exactly.
fn id(layout: &Layout, test: &Test) -> Tree<Condition> {
    let equal = |text: &str| keys::id(text).map_or(Condition::Constant(false), Condition::IdIs);
    match test {
        Test::Equal(Operand::Text(text)) => Tree::Leaf(equal(text)),
        Test::NotEqual(Operand::Text(text)) => Tree::not_leaf(equal(text)),
        _ => Tree::Leaf(Condition::Scalar(of_column(layout.id_as_text), test.clone())),
    }
}

/// `schemas` is not stored: the core schema always belongs to it, an extension while it has attributes.
fn schemas(layout: &Layout, test: &Test) -> Tree<Condition> {
    let named = |schema: &Schema| Tree::Leaf(Condition::Constant(test.holds(true, Some(&Json::from(schema.id)))));
    let with_extension = |schema: &'static Schema| {
        let content = Scalar {
            sql: vec!["(u.keys", " -> '", schema.id, "'", ")"],
            storage: Storage::Json,
        };
        let is_there = Tree::Leaf(Condition::Scalar(content, Test::Present));
        Tree::All(vec![is_there, named(schema)])
    };
    let extensions = layout.resource.extensions.iter().copied().map(with_extension);
    Tree::Any(
        std::iter::once(named(layout.resource.schema))
            .chain(extensions)
            .collect(),
    )
}

fn members(place: &Place, test: &Test, positive: bool) -> Condition {
    let sub = place.sub_attribute.or_else(|| place.attribute.sub_attribute("value"));
    let inner = sub.map(|sub| InValue {
        sub_attribute: sub.name,
        case_exact: sub.case_exact,
        test: test.clone(),
    });
    match inner {
        Some(inner) => with_member(Tree::Leaf(inner), matches!(test, Test::NotEqual(_)), positive),
        None => Condition::Constant(false),
    }
}

/// One id is looked up by its index, unless what is asked for is the groups without it.
fn with_member(inner: Tree<InValue>, or_none: bool, positive: bool) -> Condition {
    match &inner {
        Tree::Leaf(InValue {
            sub_attribute: "value",
            test: Test::Equal(Operand::Text(text)),
            ..
        }) if positive => keys::id(text).map_or(Condition::Constant(false), Condition::HasMember),
        _ => Condition::Member { inner, or_none },
    }
}

fn is_searchable(layout: &Layout, place: &Place, test: &Test) -> bool {
    let indexed = matches!(test, Test::Equal(_) | Test::StartsWith(_));
    indexed && place.extension.is_none() && layout.searchable.contains(&place.attribute.name)
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

fn value(layout: &Layout, place: &Place, inner: &Tree<InValue>, positive: bool) -> Condition {
    if place.attribute.is_set_of_references() {
        return with_member(inner.clone(), false, positive);
    }
    let searchable = searchable_value(layout, place, inner);
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
fn searchable_value<'a>(
    layout: &Layout,
    place: &Place,
    inner: &'a Tree<InValue>,
) -> Option<(&'a Test, Option<&'a Test>)> {
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
    (kind_is_equal && is_searchable(layout, place, value)).then_some((value, kind))
}
