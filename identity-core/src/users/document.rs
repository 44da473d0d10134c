//! The document of a user, in the JSON form of RFC 7643, and what follows from it.

use identity_proto::identity::v1::User;
use serde_json::{Map, Value as Json};

use crate::keys::fold;
use crate::{Error, validate};

/// A user's attributes, without `id` and `meta`.
pub(super) type Document = Map<String, Json>;

/// The document of a message. Unassigned attributes (RFC 7643 section 2.5: null, empty list, empty complex value) are
/// left out.
pub(super) fn of(user: User) -> Result<Document, Error> {
    match serde_json::to_value(user).map_err(Error::internal)? {
        Json::Object(mut document) => {
            validate::prune(&mut document);
            Ok(document)
        }
        other => Err(Error::internal(format!("a user became {other}"))),
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
    use identity_proto::identity::v1::EnterpriseUser;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_searchable_with_their_type() {
        let document = json!({
            "displayName": "Ann B", "emails": [{"value": "A@X.org", "type": "Work"}, {"type": "home"}],
            "phoneNumbers": [{"value": "+1"}],
        });
        let found = searchable(document.as_object().unwrap());
        assert_eq!(found.paths, ["emails", "phoneNumbers", "displayName"]);
        assert_eq!(found.values, [fold("A@X.org"), fold("+1"), fold("Ann B")]);
        assert_eq!(found.types, [Some(fold("Work")), None, None]);
    }

    #[test]
    fn a_document_and_its_message_are_one() {
        let given = json!({"userName": "ann", "active": true, "name": {"givenName": "Ann"}});
        let given = given.as_object().unwrap();
        let mut user = validate::typed(given.clone()).unwrap();
        user.enterprise = Some(EnterpriseUser::default());
        assert_eq!(of(user).unwrap(), *given, "an empty complex value is none");
    }
}
