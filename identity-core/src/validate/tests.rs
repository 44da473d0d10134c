use identity_proto::schema::ENTERPRISE_URN;
use serde_json::json;

use super::*;

fn map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn refusal(result: Result<impl Sized, Error>) -> Option<String> {
    result.err().map(|error| {
        assert_eq!(error.reason, ErrorReason::InvalidValue);
        error.message
    })
}

#[test]
fn a_user_name_is_visible_plain_and_bounded() {
    let check = |name: &str, expect: Option<&str>| {
        let message = refusal(user(&map(json!({"userName": name}))));
        assert_eq!(message.is_some(), expect.is_some(), "{name:?}: {message:?}");
        assert!(
            message.unwrap_or_default().contains(expect.unwrap_or_default()),
            "{name:?}"
        );
    };
    for good in [
        "ann",
        "Ann B@ex.test",
        "zoë",
        "ａｎｎ",
        "ﬁona",
        "straße",
        "名前",
        "🙂",
        "\u{212A}",
        "\u{17F}am",
        "½",
    ] {
        check(good, None);
    }
    check(&"a".repeat(MAX_INDEXED), None);
    check("", Some("required"));
    for blank in [" ", "\u{A0}", " ann", "ann\u{3000}"] {
        check(blank, Some("white space"));
    }
    for hidden in [
        "\u{200B}",
        "\u{3164}",
        "\u{E000}",
        "\u{FFFE}",
        "\u{FEFF}ann",
        "a\u{202E}nn",
        "a\nb",
        "a\u{1b}[2J",
        "a\0b",
        "a\u{7f}",
    ] {
        check(hidden, Some("invisible"));
    }
    for styled in ["ᴮᴵᴳᴮᴵᴿᴰ", "ⓐnn", "𝐀nn", "n²"] {
        check(styled, Some("looks like"));
    }
    check(&"a".repeat(MAX_INDEXED + 1), Some("userName takes 1001 bytes"));
    check(&"\u{FDFA}".repeat(100), Some("userName takes"));
}

#[test]
fn each_bound_is_named() {
    let check = |attributes: Json, expect: &str| {
        let mut document = map(json!({"userName": "a"}));
        document.extend(map(attributes));
        let message = refusal(user(&document));
        match expect {
            "" => assert_eq!(message, None),
            _ => assert!(
                message.as_deref().is_some_and(|text| text.contains(expect)),
                "{expect}: {message:?}"
            ),
        }
    };
    let long = |length: usize| "x".repeat(length);
    check(json!({"title": long(MAX_TEXT)}), "");
    check(
        json!({"title": long(MAX_TEXT + 1)}),
        "title takes 8193 bytes; it may take at most 8192",
    );
    check(json!({"externalId": long(MAX_INDEXED)}), "");
    check(json!({"externalId": long(MAX_INDEXED + 1)}), "externalId");
    check(json!({"displayName": long(MAX_INDEXED + 1)}), "displayName");
    check(json!({"emails": [{"value": long(MAX_INDEXED + 1)}]}), "emails.value");
    check(json!({"emails": [{"type": long(MAX_INDEXED + 1)}]}), "emails.type");
    check(json!({"x509Certificates": [{"value": "A".repeat(MAX_BINARY)}]}), "");
    check(
        json!({"x509Certificates": [{"value": "A".repeat(MAX_BINARY + 4)}]}),
        "x509Certificates.value",
    );
    check(json!({"x509Certificates": [{"value": "no base64!"}]}), "base64");
    check(json!({"roles": vec![json!({"value": "r"}); MAX_VALUES]}), "");
    check(
        json!({"roles": vec![json!({"value": "r"}); MAX_VALUES + 1]}),
        "roles has 201 values",
    );
    check(
        json!({"ims": [{"primary": true}, {"primary": true}]}),
        "ims has more than one value with primary true",
    );
    check(json!({"ims": [{"primary": true}, {"primary": false}]}), "");
    check(
        json!({ENTERPRISE_URN: {"manager": {"value": "a\0"}}}),
        "User:manager.value holds the character NUL",
    );
    check(
        json!({"addresses": vec![json!({"formatted": long(MAX_TEXT)}); 32]}),
        "at most 262144",
    );
}

#[test]
fn a_document_becomes_a_user_or_says_which_attribute_does_not() {
    let user = typed(map(json!({
        "userName": "ann", "active": false, "title": null, "name": {"givenName": null}, "roles": [{}],
        "emails": [{"value": "a@b", "primary": true}], ENTERPRISE_URN: {"manager": {"$ref": "../Users/1"}},
    })))
    .unwrap();
    assert_eq!((user.user_name.as_str(), user.active), ("ann", Some(false)));
    assert_eq!((user.name, user.roles.len(), user.emails.len()), (None, 0, 1));
    assert_eq!(
        user.enterprise.unwrap().manager.unwrap().r#ref.as_deref(),
        Some("../Users/1")
    );

    let check = |attributes: Json, expect: &str| {
        let message = refusal(typed(map(attributes)));
        assert!(
            message.as_deref().is_some_and(|text| text.contains(expect)),
            "{expect}: {message:?}"
        );
    };
    check(json!({"shoeSize": 44}), "shoeSize");
    check(json!({"id": "x"}), "id");
    check(json!({"groups": [{"value": "x"}]}), "groups");
    check(json!({"password": "x"}), "password");
    check(json!({"emails": [{"shoe": "x"}]}), "emails.shoe");
    check(json!({ENTERPRISE_URN: {"shoe": "x"}}), "User:shoe");
    check(json!({"userName": 5}), "userName must be a text");
    check(json!({"active": "true"}), "active must be true or false");
    check(json!({"emails": {"value": "x"}}), "emails must be a list");
    check(json!({"emails": ["x"]}), "emails must be an object");
    check(json!({"name": "x"}), "name must be an object");
    check(json!({"title": ["x"]}), "title must be a text");
    check(json!({ENTERPRISE_URN: "x"}), "must be an object");
}
