//! What the operations of RFC 7644 section 3.5.2 make of a document.

mod properties;
mod refusals;
mod single;
mod values;

use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::patch_operation::{NoMatch, Op};
use identity_proto::identity::v1::{self as proto, PatchOperation};
use identity_proto::schema::ENTERPRISE_URN;
use serde_json::json;

use super::*;

/// `attribute.sub`, with a leading `+` for the enterprise extension.
fn path(text: &str) -> AttributePath {
    let (schema, rest) = match text.strip_prefix('+') {
        Some(rest) => (ENTERPRISE_URN, rest),
        None => ("", text),
    };
    let (attribute, sub) = rest.split_once('.').unwrap_or((rest, ""));
    AttributePath {
        schema: schema.to_owned(),
        attribute: attribute.to_owned(),
        sub_attribute: sub.to_owned(),
    }
}

fn operation(op: Op, at: &str, value: Option<Json>) -> PatchOperation {
    PatchOperation {
        op: op.into(),
        path: Some(path(at)),
        value: value.map(proto::Value::from),
        ..PatchOperation::default()
    }
}

fn add(at: &str, value: Json) -> PatchOperation {
    operation(Op::Add, at, Some(value))
}

fn replace(at: &str, value: Json) -> PatchOperation {
    operation(Op::Replace, at, Some(value))
}

fn remove(at: &str) -> PatchOperation {
    operation(Op::Remove, at, None)
}

fn eq(sub: &str, value: Json) -> Filter {
    Filter::compare(AttributePath::core(sub), Operator::Eq, value.into())
}

trait Filtered {
    fn filtered(self, filter: Filter) -> Self;
    fn or_create(self) -> Self;
}

impl Filtered for PatchOperation {
    fn filtered(self, filter: Filter) -> Self {
        PatchOperation {
            value_filter: Some(filter),
            ..self
        }
    }

    fn or_create(self) -> Self {
        PatchOperation {
            no_match: NoMatch::Create.into(),
            ..self
        }
    }
}

fn map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn start() -> Json {
    json!({
        "userName": "ann", "active": true, "title": "Dr",
        "name": {"givenName": "Ann", "familyName": "B"},
        "emails": [
            {"value": "a@work", "type": "work", "primary": true},
            {"value": "a@home", "type": "home", "display": "Home"},
        ],
        ENTERPRISE_URN: {"department": "R&D", "manager": {"value": "m1"}},
    })
}

/// Applies the operations to `start()` and compares the named attributes with what is expected; null means absent.
fn check(operations: Vec<PatchOperation>, expect: Json) {
    let mut document = map(start());
    apply(&USER, &mut document, operations).unwrap();
    let mut expected = map(start());
    for (name, value) in map(expect) {
        match value {
            Json::Null => drop(expected.shift_remove(&name)),
            value => drop(expected.insert(name, value)),
        }
    }
    assert_eq!(Json::Object(document), Json::Object(expected));
}

fn check_refused(operation: PatchOperation, reason: ErrorReason, word: &str) {
    let error = apply(&USER, &mut map(start()), vec![operation]).unwrap_err();
    assert_eq!(error.reason, reason, "{}", error.message);
    assert!(error.message.contains(word), "{}", error.message);
}

fn work() -> Json {
    json!({"value": "a@work", "type": "work", "primary": true})
}

fn home() -> Json {
    json!({"value": "a@home", "type": "home", "display": "Home"})
}
