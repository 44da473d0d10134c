//! The document of a user, in the JSON form of RFC 7643, and what follows from it.

use identity_proto::identity::v1::{ErrorReason, User};
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::keys::fold;

/// A user's attributes, without `id` and `meta`.
pub(super) type Document = Map<String, Json>;

/// The document of a message. Unassigned attributes (RFC 7643 section 2.5: null, empty list, empty complex value) are
/// left out.
pub(super) fn of(user: User) -> Result<Document, Error> {
    match serde_json::to_value(user).map_err(Error::internal)? {
        Json::Object(mut document) => {
            tidy(&mut document);
            Ok(document)
        }
        other => Err(Error::internal(format!("a user became {other}"))),
    }
}

/// The message of a document. Fails when an attribute is unknown or of another type than the schema says.
pub(super) fn to_user(document: &Document) -> Result<User, Error> {
    serde_json::from_value(Json::Object(document.clone())).map_err(|error| {
        let message = "an attribute is not of the type that the schema says";
        Error::new(ErrorReason::InvalidValue, message).with_source(error)
    })
}

/// Takes unassigned attributes out, at every level.
pub(super) fn tidy(document: &mut Document) {
    document.retain(|_, value| !unassigned(value));
}

fn unassigned(value: &mut Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(values) => {
            values.retain_mut(|value| !unassigned(value));
            values.is_empty()
        }
        Json::Object(attributes) => {
            tidy(attributes);
            attributes.is_empty()
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// Whether the user may log in, if the document says so.
pub(super) fn active(document: &Document) -> Option<bool> {
    document.get("active").and_then(Json::as_bool)
}

/// Gives a document that does not say whether the user is active what the current one says.
pub(super) fn keep_active(document: &mut Document, current: &Document) {
    if let (None, Some(active)) = (active(document), active(current)) {
        document.insert("active".to_owned(), active.into());
    }
}

/// The rows of `user_value`, column by column, as `unnest` takes them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Searchable {
    pub(super) paths: Vec<&'static str>,
    pub(super) values: Vec<String>,
    pub(super) types: Vec<Option<String>>,
}

/// What can be searched for in a document.
pub(super) fn searchable(document: &Document) -> Searchable {
    let mut found = Searchable::default();
    for path in ["emails", "phoneNumbers"] {
        for value in document.get(path).and_then(Json::as_array).into_iter().flatten() {
            if let Some(text) = value.get("value").and_then(Json::as_str) {
                found.push(path, text, value.get("type").and_then(Json::as_str));
            }
        }
    }
    if let Some(text) = document.get("displayName").and_then(Json::as_str) {
        found.push("displayName", text, None);
    }
    found
}

impl Searchable {
    fn push(&mut self, path: &'static str, value: &str, kind: Option<&str>) {
        self.paths.push(path);
        self.values.push(fold(value));
        self.types.push(kind.map(fold));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(json: Json) -> Document {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn unassigned_attributes_are_left_out_at_every_level() {
        let check = |given: Json, expect: Json| {
            let mut document = document(given);
            tidy(&mut document);
            assert_eq!(Json::Object(document), expect);
        };
        check(json!({"a": null, "b": [], "c": {}, "d": ""}), json!({"d": ""}));
        check(json!({"a": [{"b": null}, {"c": 1}]}), json!({"a": [{"c": 1}]}));
        check(
            json!({"a": {"b": {"c": []}}, "active": false}),
            json!({"active": false}),
        );
    }

    #[test]
    fn values_are_searchable_with_their_type() {
        let found = searchable(&document(json!({
            "displayName": "Ann B", "emails": [{"value": "A@X.org", "type": "Work"}, {"type": "home"}],
            "phoneNumbers": [{"value": "+1"}],
        })));
        assert_eq!(found.paths, ["emails", "phoneNumbers", "displayName"]);
        assert_eq!(found.values, [fold("A@X.org"), fold("+1"), fold("Ann B")]);
        assert_eq!(found.types, [Some(fold("Work")), None, None]);
    }

    #[test]
    fn a_document_and_its_message_are_one() {
        let given = document(json!({"userName": "ann", "active": true, "name": {"givenName": "Ann"}}));
        assert_eq!(of(to_user(&given).unwrap()).unwrap(), given);
        for wrong in [json!({"userName": 5}), json!({"userName": "a", "unknown": 1})] {
            assert_eq!(to_user(&document(wrong)).unwrap_err().reason, ErrorReason::InvalidValue);
        }
    }
}
