//! Queries in the body of a POST, so that no personal data stands in URLs: RFC 7644 section 3.4.3.

use serde_json::{Map, Value as Json};

use super::query::Query;
use super::value::found;
use super::{Refusal, Result};

const URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Reads a search request into what the same query in a URL says. Sorting is ignored, as it is there.
pub fn parse(body: Map<String, Json>) -> Result<Query> {
    let mut query = Query::default();
    let mut schemas = Json::Null;
    for (key, value) in body {
        match key.to_ascii_lowercase().as_str() {
            "schemas" => schemas = value,
            "filter" => query.filter = text("filter", value)?,
            "startindex" => query.start_index = integer("startIndex", value)?,
            "count" => query.count = integer("count", value)?,
            "attributes" => query.attributes = names("attributes", value)?,
            "excludedattributes" => query.excluded_attributes = names("excludedAttributes", value)?,
            _ => {}
        }
    }
    let is_search = |urn: &Json| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(URN));
    if schemas.as_array().is_some_and(|urns| urns.iter().any(is_search)) {
        Ok(query)
    } else {
        let detail = format!("schemas is required and must be a list that holds \"{URN}\".");
        Err(Refusal::syntax(detail))
    }
}

fn text(name: &str, value: Json) -> Result<Option<String>> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        other => Err(wrong(name, "a string", &other)),
    }
}

/// The digits of a number; whether it is whole is checked where queries in URLs are checked.
fn integer(name: &str, value: Json) -> Result<Option<String>> {
    match value {
        Json::Null => Ok(None),
        Json::Number(number) => Ok(Some(number.to_string())),
        other => Err(wrong(name, "an integer", &other)),
    }
}

/// Attribute names, as the list that a URL holds.
fn names(name: &str, value: Json) -> Result<Option<String>> {
    let list = match value {
        Json::Null => return Ok(None),
        Json::Array(list) => list,
        other => return Err(wrong(name, "a list of strings", &other)),
    };
    let texts = list
        .iter()
        .map(|one| one.as_str().ok_or_else(|| wrong(name, "a list of strings only", one)));
    let texts: Vec<_> = texts.collect::<Result<_>>()?;
    Ok(Some(texts.join(",")))
}

fn wrong(name: &str, expected: &str, value: &Json) -> Refusal {
    Refusal::value(format!("{name} must be {expected}, not {}.", found(value)))
}

#[cfg(test)]
mod tests {
    use identity_proto::identity::v1::ErrorReason;
    use serde_json::json;

    use super::*;

    fn parsed(mut body: Json) -> Result<Query> {
        if body.get("schemas").is_none() {
            body["schemas"] = json!([URN]);
        }
        parse(body.as_object().unwrap().clone())
    }

    fn check(body: Json, same_as: &str) {
        assert_eq!(parsed(body).unwrap(), Query::parse(same_as).unwrap(), "{same_as}");
    }

    fn check_refused(body: Json, expect: (ErrorReason, &str)) {
        let refusal = parsed(body).and_then(|query| query.page()).unwrap_err();
        assert_eq!(refusal.reason, expect.0, "{}", refusal.detail);
        assert!(refusal.detail.contains(expect.1), "{}", refusal.detail);
    }

    #[test]
    fn a_search_says_what_a_query_in_a_url_says() {
        check(json!({}), "");
        check(
            json!({"filter": "userName eq \"a&b\"", "startIndex": 6, "count": 0, "sortBy": "userName"}),
            "filter=userName+eq+%22a%26b%22&startIndex=6&count=0",
        );
        check(
            json!({"attributes": ["userName", "name.givenName"]}),
            "attributes=userName,name.givenName",
        );
        check(json!({"ExcludedAttributes": ["emails"]}), "excludedAttributes=emails");
        check(
            json!({"filter": null, "count": null, "attributes": null, "startIndex": -3}),
            "startIndex=-3",
        );
    }

    #[test]
    fn what_is_no_search_is_refused() {
        for schemas in [json!(null), json!([]), json!(URN), json!(["urn:x"]), json!([5])] {
            let body = json!({ "schemas": schemas });
            check_refused(body, (ErrorReason::InvalidSyntax, "SearchRequest"));
        }
        for (body, what) in [
            (json!({"filter": 5}), "filter must be a string, not a number"),
            (json!({"count": "5"}), "count must be an integer, not a string"),
            (json!({"count": 1.5}), "count must be an integer"),
            (json!({"startIndex": true}), "startIndex must be an integer"),
            (json!({"attributes": "userName"}), "attributes must be a list"),
            (json!({"excludedAttributes": ["a", 5]}), "excludedAttributes must be"),
        ] {
            check_refused(body, (ErrorReason::InvalidValue, what));
        }
    }
}
