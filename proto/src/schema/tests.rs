use super::*;
use crate::identity::v1::{self, User};

fn resolved(schema: &str, attribute: &str, sub: &str) -> Option<String> {
    USER.resolve(schema, attribute, sub).map(|(path, _)| path.to_string())
}

#[test]
fn names_resolve_in_any_case_to_the_schemas_spelling() {
    assert_eq!(resolved("", "USERNAME", "").as_deref(), Some("userName"));
    assert_eq!(resolved("", "Name", "FAMILYNAME").as_deref(), Some("name.familyName"));
    assert_eq!(
        resolved("", "meta", "lastmodified").as_deref(),
        Some("meta.lastModified")
    );
    assert_eq!(
        resolved(&USER_URN.to_uppercase(), "emails", "value").as_deref(),
        Some("emails.value")
    );
    let manager = format!("{ENTERPRISE_URN}:manager.value");
    assert_eq!(resolved(ENTERPRISE_URN, "manager", "value"), Some(manager));
    assert_eq!(resolved(ENTERPRISE_URN, "", "").as_deref(), Some(ENTERPRISE_URN));
}

#[test]
fn unknown_names_resolve_to_nothing() {
    for (schema, attribute, sub) in [
        ("", "manager", ""),
        ("", "name", "x"),
        ("urn:x", "userName", ""),
        (ENTERPRISE_URN, "userName", ""),
        ("", "", ""),
    ] {
        assert_eq!(resolved(schema, attribute, sub), None, "{schema} {attribute} {sub}");
    }
    assert!(
        USER.target(&AttributePath::core("username")).is_none(),
        "only the schema's spelling is canonical"
    );
}

/// The typed message and the table are one set of attributes: what the table allows a client to write, the message
/// holds under the same JSON name.
#[test]
fn the_message_holds_every_attribute_of_the_table() {
    let mut json = serde_json::Map::new();
    for schema in USER.schemas() {
        let mut attributes = serde_json::Map::new();
        for attribute in schema
            .attributes
            .iter()
            .filter(|one| !matches!(one.name, "groups" | "password"))
        {
            attributes.insert(attribute.name.to_owned(), sample(attribute));
        }
        match schema.id {
            USER_URN => json.extend(attributes),
            urn => {
                json.insert(urn.to_owned(), attributes.into());
            }
        }
    }
    let user: User = serde_json::from_value(json.clone().into()).unwrap();
    assert_eq!(serde_json::to_value(&user).unwrap(), serde_json::Value::Object(json));
}

#[test]
fn absent_attributes_are_absent_in_json() {
    let user = User {
        user_name: "ann".into(),
        name: Some(v1::Name::default()),
        ..User::default()
    };
    assert_eq!(serde_json::to_string(&user).unwrap(), r#"{"userName":"ann","name":{}}"#);
}

fn sample(attribute: &Attribute) -> serde_json::Value {
    let value = match attribute.kind {
        Type::Boolean => serde_json::Value::Bool(true),
        Type::Complex => attribute
            .sub_attributes
            .iter()
            .map(|sub| (sub.name.to_owned(), sample(sub)))
            .collect(),
        _ => serde_json::Value::from(attribute.name),
    };
    if attribute.multi_valued {
        vec![value].into()
    } else {
        value
    }
}
