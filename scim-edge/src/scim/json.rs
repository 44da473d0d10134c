//! Request bodies as JSON, RFC 8259, with what that leaves open decided: a name given twice (in whatever case, as SCIM
//! names have none), U+0000 and deep nesting are refused, so that no two readers can see different things.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::value::found;
use super::{Refusal, Result};

/// How deep objects and lists may nest. A User needs five levels, a PATCH of one seven.
pub const MAX_DEPTH: usize = 32;

/// Parses a body that must be one JSON object.
pub fn parse(body: &[u8]) -> Result<Map<String, Json>> {
    if body.is_empty() {
        return Err(Refusal::syntax("The request has no body: send a JSON object."));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Refusal::syntax(format!("The body is not UTF-8: byte {} is wrong.", error.valid_up_to())))?;
    let refused = RefCell::new(None);
    let seed = Seed {
        depth: 0,
        name: "the body",
        refused: &refused,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (parsed, refused.into_inner()) {
        (_, Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(Refusal::syntax(format!("The body is not valid JSON: {error}."))),
        (Ok(Json::Object(map)), None) => Ok(map),
        (Ok(other), None) => {
            let found = found(&other);
            Err(Refusal::syntax(format!("The body must be a JSON object, not {found}.")))
        }
    }
}

/// Deserialises one value at a known depth. A refusal of our own is put into `refused`, because serde's errors are text.
#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    /// The attribute that the value belongs to, for messages.
    name: &'a str,
    refused: &'a RefCell<Option<Refusal>>,
}

impl<'a> Seed<'a> {
    fn refuse<E: serde::de::Error>(self, refusal: Refusal) -> E {
        self.refused.replace(Some(refusal));
        E::custom("refused")
    }

    fn inside<'b, E: serde::de::Error>(self, name: &'b str) -> std::result::Result<Seed<'b>, E>
    where
        'a: 'b,
    {
        if self.depth >= MAX_DEPTH {
            let detail = format!("The body is nested deeper than {MAX_DEPTH} levels.");
            return Err(self.refuse(Refusal::syntax(detail)));
        }
        Ok(Seed {
            depth: self.depth + 1,
            name,
            refused: self.refused,
        })
    }

    fn text<E: serde::de::Error>(self, text: String) -> std::result::Result<String, E> {
        if text.contains('\0') {
            let detail = format!("{} holds the character U+0000, which cannot be stored.", self.name);
            return Err(self.refuse(Refusal::value(detail)));
        }
        Ok(text)
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> std::result::Result<Json, E> {
        self.text(value.to_owned()).map(Json::String)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> std::result::Result<Json, E> {
        self.text(value).map(Json::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> std::result::Result<Json, A::Error> {
        let inner = self.inside::<A::Error>(self.name)?;
        let mut list = Vec::new();
        while let Some(value) = values.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Json, A::Error> {
        let mut map = Map::new();
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            let name = self.text::<A::Error>(name)?;
            if !names.insert(name.to_lowercase()) {
                let detail = format!("{name:?} is given twice in one object; names differ by more than case.");
                return Err(self.refuse(Refusal::syntax(detail)));
            }
            let inner = self.inside::<A::Error>(&name)?;
            let value = entries.next_value_seed(inner)?;
            map.insert(name, value);
        }
        Ok(Json::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use identity_proto::identity::v1::ErrorReason;
    use serde_json::json;

    use super::*;

    fn check(body: impl AsRef<[u8]>, expect: (ErrorReason, &str)) {
        let shown = String::from_utf8_lossy(body.as_ref())
            .chars()
            .take(60)
            .collect::<String>();
        let refusal = parse(body.as_ref()).expect_err(&shown);
        assert_eq!(refusal.reason, expect.0, "{shown}: {}", refusal.detail);
        assert!(refusal.detail.contains(expect.1), "{shown}: {}", refusal.detail);
    }

    #[test]
    fn a_sound_body_comes_through_unchanged() {
        let body = json!({"a": [1, -2, 1.5, true, null, {"b": "é\u{1F642}"}], "c": u64::MAX});
        assert_eq!(Json::Object(parse(body.to_string().as_bytes()).unwrap()), body);
        assert_eq!(parse(br#"{"a": "\u00e9\ud83d\ude42"}"#).unwrap()["a"], "é\u{1F642}");
    }

    #[test]
    fn what_is_no_object_is_a_syntax_error() {
        for (body, what) in [
            ("", "no body"),
            (" ", "not valid JSON"),
            ("[]", "not a list"),
            ("\"x\"", "not a string"),
            ("null", "not null"),
            ("{\"a\": ", "not valid JSON"),
            ("{} {}", "trailing"),
            ("{\"a\": 1e999}", "not valid JSON"),
            ("{\"a\": NaN}", "not valid JSON"),
            ("{\"a\": \"\\ud800x\"}", "not valid JSON"),
            ("{\"a\": \"\u{1}\"}", "not valid JSON"),
            ("\u{feff}{}", "not valid JSON"),
        ] {
            check(body, (ErrorReason::InvalidSyntax, what));
        }
        check(b"{\"a\": \"\xff\"}", (ErrorReason::InvalidSyntax, "byte 7"));
        check(
            [0xff, 0xfe, b'{', 0, b'}', 0],
            (ErrorReason::InvalidSyntax, "not UTF-8"),
        );
    }

    #[test]
    fn a_name_given_twice_is_refused_at_any_depth_and_in_any_case() {
        for body in [
            r#"{"active": true, "active": false}"#,
            r#"{"active": true, "ACTIVE": false}"#,
            r#"{"a": [{"b": {"userName": 1, "x": 2, "username": 3}}]}"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#"{"É": 1, "é": 2}"#,
        ] {
            check(body, (ErrorReason::InvalidSyntax, "given twice"));
        }
        assert!(parse(br#"{"a": {"x": 1}, "b": {"x": 1}}"#).is_ok());
    }

    #[test]
    fn nul_is_refused_and_the_attribute_named() {
        check(
            r#"{"userName": "a\u0000b"}"#,
            (ErrorReason::InvalidValue, "userName holds"),
        );
        check(
            r#"{"emails": [{"value": "\u0000"}]}"#,
            (ErrorReason::InvalidValue, "value holds"),
        );
        check(r#"{"a\u0000": 1}"#, (ErrorReason::InvalidValue, "U+0000"));
    }

    #[test]
    fn nesting_is_capped_and_never_overflows_the_stack() {
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        let deep = move || {
            check(nested(MAX_DEPTH), (ErrorReason::InvalidSyntax, "deeper than 32"));
            check(nested(1_000_000), (ErrorReason::InvalidSyntax, "deeper than 32"));
            check(
                "{\"a\":".repeat(1_000_000),
                (ErrorReason::InvalidSyntax, "deeper than 32"),
            );
        };
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread.spawn(deep).unwrap().join().unwrap();
    }
}
