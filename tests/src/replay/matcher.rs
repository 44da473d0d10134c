//! What a trace may ask of a value: JSON for equality, or an object of matchers that must all hold.
//!
//! `$exists` `$regex` `$len` `$contains` `$notcontains` `$covers` `$in` `$oneOf` `$not` `$type` `$gte` `$lte`. For
//! `$exists`, `$len` and `$notcontains`, missing, null and `[]` are the same: unassigned, RFC 7643 section 2.5.

use regex::Regex;
use serde_json::{Map, Value};

/// Compares a value, `None` when there is none; the error says what is wrong.
pub fn check(got: Option<&Value>, want: &Value) -> Result<(), String> {
    let Some(matchers) = matchers(want) else {
        return match got {
            None if want.is_null() => Ok(()),
            Some(got) if got == want => Ok(()),
            _ => Err(format!("expected {want}, got {}", shown(got))),
        };
    };
    for (name, argument) in matchers {
        if !holds(name, argument, got)? {
            return Err(format!("expected {name} {argument}, got {}", shown(got)));
        }
    }
    Ok(())
}

fn holds(name: &str, argument: &Value, got: Option<&Value>) -> Result<bool, String> {
    let assigned = got.filter(|value| !value.is_null() && **value != Value::Array(Vec::new()));
    let any = |matches: &dyn Fn(&Value) -> bool| argument.as_array().is_some_and(|choices| choices.iter().any(matches));
    Ok(match name {
        "$exists" => Value::Bool(assigned.is_some()) == *argument,
        "$regex" => {
            let pattern = Regex::new(argument.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
            got.and_then(Value::as_str).is_some_and(|text| pattern.is_match(text))
        }
        "$len" => length(assigned).map(Value::from).as_ref() == Some(argument),
        "$contains" => items(got).iter().any(|item| covers(Some(item), argument)),
        "$notcontains" => {
            let is_list = assigned.is_none_or(Value::is_array);
            is_list && !items(got).iter().any(|item| covers(Some(item), argument))
        }
        "$covers" => got.is_some() && covers(got, argument),
        "$in" => any(&|choice| got == Some(choice)),
        "$oneOf" => any(&|choice| check(got, choice).is_ok()),
        "$not" => check(got, argument).is_err(),
        "$type" => got.is_some_and(|value| type_of(value) == argument.as_str().unwrap_or_default()),
        "$gte" => got
            .and_then(Value::as_i64)
            .is_some_and(|number| Some(number) >= argument.as_i64()),
        "$lte" => got
            .and_then(Value::as_i64)
            .is_some_and(|number| Some(number) <= argument.as_i64()),
        _ => return Err(format!("unknown matcher {name}")),
    })
}

/// Whether `want` is part of `got`: objects member by member, lists in any order.
fn covers(got: Option<&Value>, want: &Value) -> bool {
    if matchers(want).is_some() {
        return check(got, want).is_ok();
    }
    match (got, want) {
        (Some(Value::Object(got)), Value::Object(want)) => {
            want.iter().all(|(name, value)| covers(got.get(name), value))
        }
        (Some(Value::Array(got)), Value::Array(want)) => want
            .iter()
            .all(|value| got.iter().any(|item| covers(Some(item), value))),
        (got, want) => got == Some(want),
    }
}

fn matchers(want: &Value) -> Option<&Map<String, Value>> {
    let members = want.as_object()?;
    let all = members.keys().all(|name| name.starts_with('$') && name != "$ref");
    (!members.is_empty() && all).then_some(members)
}

fn items(got: Option<&Value>) -> &[Value] {
    got.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn length(assigned: Option<&Value>) -> Option<usize> {
    match assigned {
        None => Some(0),
        Some(Value::Array(items)) => Some(items.len()),
        Some(Value::Object(members)) => Some(members.len()),
        Some(Value::String(text)) => Some(text.chars().count()),
        Some(_) => None,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn shown(got: Option<&Value>) -> String {
    got.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn matchers_hold_or_do_not() {
        let hold = |got: Value, want: Value, expect: bool| {
            let got = Some(got).filter(|got| *got != "absent");
            assert_eq!(check(got.as_ref(), &want).is_ok(), expect, "{got:?} {want}");
        };
        for (got, want, expect) in [
            (json!("a"), json!("a"), true),
            (json!(true), json!(1), false),
            (json!("absent"), json!(null), true),
            (json!("absent"), json!("a"), false),
            (json!([]), json!({"$exists": false}), true),
            (json!("x"), json!({"$exists": true}), true),
            (json!("ab"), json!({"$regex": "^a"}), true),
            (json!("absent"), json!({"$regex": "."}), false),
            (json!("absent"), json!({"$len": 0}), true),
            (json!([1, 2]), json!({"$len": 2}), true),
            (json!([{"a": 1, "b": 2}]), json!({"$contains": {"a": 1}}), true),
            (json!([{"a": 1}]), json!({"$notcontains": {"a": 1}}), false),
            (json!("absent"), json!({"$notcontains": {"a": 1}}), true),
            (json!({"a": [1, 2]}), json!({"$covers": {"a": [2]}}), true),
            (json!({"a": [1]}), json!({"$covers": {"a": [2]}}), false),
            (json!(2), json!({"$in": [1, 2]}), true),
            (json!(2), json!({"$oneOf": [{"$gte": 3}, 2]}), true),
            (json!(2), json!({"$not": 2}), false),
            (json!(2), json!({"$type": "integer", "$lte": 1}), false),
            (json!({"$ref": "x"}), json!({"$ref": "x"}), true),
        ] {
            hold(got, want, expect);
        }
    }

    #[test]
    fn an_unknown_matcher_is_no_success() {
        assert!(check(Some(&json!(1)), &json!({"$maybe": 1})).is_err());
    }
}
