use super::*;

const ISSUER: &str = "https://scim.example/a";
const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn check(lines: &[(&'static str, &str)], field: Option<&str>, accepted: bool) {
    let found = Proof::check(&headers(lines), ISSUER, field);
    assert_eq!(found.is_ok(), accepted, "{lines:?} {field:?}");
}

#[test]
fn the_form_and_the_cookie_say_the_same() {
    let cookie = format!("{NAME}={VALUE}");
    check(&[("cookie", &cookie)], Some(VALUE), true);
    check(&[("cookie", &format!("a=b; {cookie}; c"))], Some(VALUE), true);
    check(&[("cookie", "a=b"), ("cookie", &cookie)], Some(VALUE), true);
    check(&[("cookie", &cookie)], Some(OTHER), false);
    check(&[("cookie", &cookie)], Some(""), false);
    check(&[("cookie", &cookie)], None, false);
    check(&[], Some(VALUE), false);
    check(&[("cookie", &format!("{NAME}="))], Some(""), false);
    check(&[("cookie", &format!("{NAME}=x"))], Some("x"), false);
    check(&[("cookie", &format!("x{cookie}"))], Some(VALUE), false);
    check(&[("cookie", &format!("{NAME}={OTHER}; {cookie}"))], Some(VALUE), false);
}

#[test]
fn what_the_browser_says_of_another_site_is_believed() {
    let cookie = format!("{NAME}={VALUE}");
    for (name, value, accepted) in [
        ("origin", "https://scim.example", true),
        ("origin", "null", true),
        ("origin", "https://evil.example", false),
        ("origin", "http://scim.example", false),
        ("origin", "https://scim.example.evil", false),
        ("origin", "https://scim.example:8443", false),
        ("origin", "", false),
        ("sec-fetch-site", "same-origin", true),
        ("sec-fetch-site", "none", true),
        ("sec-fetch-site", "same-site", false),
        ("sec-fetch-site", "cross-site", false),
    ] {
        check(&[("cookie", &cookie), (name, value)], Some(VALUE), accepted);
    }
}

#[test]
fn each_browser_has_a_value_of_its_own_and_keeps_it() {
    let (one, another) = (Proof::of(&headers(&[])), Proof::of(&headers(&[])));
    assert_ne!(one.text(), another.text());
    let again = headers(&[("cookie", &format!("{NAME}={}", one.text()))]);
    assert_eq!(Proof::of(&again).text(), one.text());
    assert_ne!(
        Proof::of(&headers(&[("cookie", &format!("{NAME}=<script>"))])).text(),
        "<script>"
    );
}

#[test]
fn the_cookie_goes_to_our_own_pages_alone() {
    for (issuer, path) in [
        ("https://scim.example/a", "/a/oauth; HttpOnly; SameSite=Strict; Secure"),
        ("https://scim.example", "/oauth; HttpOnly; SameSite=Strict; Secure"),
        ("http://localhost:8080", "/oauth; HttpOnly; SameSite=Strict"),
    ] {
        let cookie = Proof(VALUE.to_owned()).cookie(issuer);
        assert_eq!(cookie, format!("{NAME}={VALUE}; Path={path}"), "{issuer}");
    }
}
