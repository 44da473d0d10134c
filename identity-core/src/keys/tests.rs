use identity_proto::schema::ENTERPRISE_URN;
use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn text_that_differs_only_in_case_or_form_has_one_key() {
    let check = |left: &str, right: &str| assert_eq!(fold(left), fold(right), "{left} {right}");
    for (left, right) in [
        ("Alice@Example.COM", "alice@example.com"),
        ("É", "é"),
        ("E\u{301}", "é"),
        ("ａｄｍｉｎ", "admin"),
        ("ﬁnance", "FINANCE"),
        ("straße", "STRASSE"),
        ("STRAẞE", "strasse"),
        ("\u{212A}elvin", "kelvin"),
        ("\u{212B}", "å"),
        ("ΟΔΟΣ", "οδος"),
        ("οδοσ", "οδος"),
        ("\u{17F}", "s"),
        ("Ǆ", "ǆ"),
        ("ᾳ", "ΑΙ"),
    ] {
        check(left, right);
    }
}

#[test]
fn text_that_differs_in_letters_or_spaces_has_two_keys() {
    let check = |left: &str, right: &str| assert_ne!(fold(left), fold(right), "{left} {right}");
    for (left, right) in [
        ("é", "e"),
        ("İ", "i"),
        ("ı", "i"),
        ("a", "а"),
        (" a", "a"),
        ("a  b", "a b"),
    ] {
        check(left, right);
    }
    assert_eq!(fold("İ"), "i\u{307}");
}

#[test]
fn a_document_is_folded_by_the_schema() {
    let attributes = json!({
        "userName": "Ann", "externalId": "X-1", "active": true, "profileUrl": "https://A/",
        "name": {"familyName": "Ångström"},
        "emails": [{"value": "A@B.C", "type": "Work", "primary": true}],
        "x509Certificates": [{"value": "MIIB", "display": "Key"}],
        "photos": [{"value": "https://P/A.png", "type": "Photo"}],
        ENTERPRISE_URN: {"department": "R&D", "manager": {"value": "Id-A", "$ref": "../Users/A", "displayName": "Bo"}},
    });
    let expect = json!({
        "userName": "ann", "externalId": "X-1", "active": true, "profileUrl": "https://A/",
        "name": {"familyName": "ångström"},
        "emails": [{"value": "a@b.c", "type": "work", "primary": true}],
        "x509Certificates": [{"value": "MIIB", "display": "key"}],
        "photos": [{"value": "https://P/A.png", "type": "photo"}],
        ENTERPRISE_URN: {"department": "r&d", "manager": {"value": "Id-A", "$ref": "../Users/A", "displayName": "bo"}},
    });
    assert_eq!(Json::Object(document(attributes.as_object().unwrap())), expect);
}

#[test]
fn what_is_unassigned_has_no_key() {
    let attributes = json!({
        "userName": "a", "title": null, "name": {"givenName": null}, "emails": [], "roles": [{}], "nickName": "",
        "ims": [{}, {"value": "V"}], ENTERPRISE_URN: {"manager": {}},
    });
    let expect = json!({"userName": "a", "nickName": "", "ims": [{"value": "v"}]});
    assert_eq!(Json::Object(document(attributes.as_object().unwrap())), expect);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn folding_twice_is_folding_once(text in any::<String>()) {
        let key = fold(&text);
        prop_assert_eq!(fold(&key), key);
    }

    #[test]
    fn case_never_makes_a_second_key(text in "[a-zA-Z0-9ßéÉñσςΣ@. ]{0,24}") {
        prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
    }
}

#[test]
fn every_character_settles() {
    for character in (0..0x3_0000).filter_map(char::from_u32) {
        let key = fold(&character.to_string());
        assert_eq!(fold_once(&key), key, "U+{:04X}", u32::from(character));
    }
}
