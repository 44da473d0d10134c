//! [`Value`] to JSON and back, exactly: an integer stays an integer, a decimal keeps its digits as JSON wrote them.

use serde_json::{Map, Number, Value as Json};

use crate::identity::v1::{Attributes, Value, ValueList, value::Kind};

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        let kind = match json {
            Json::Null => Kind::Null(true),
            Json::Bool(boolean) => Kind::Boolean(boolean),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Kind::Integer(integer),
                None => Kind::Decimal(number.to_string()),
            },
            Json::String(text) => Kind::Text(text),
            Json::Array(values) => Kind::List(ValueList {
                values: values.into_iter().map(Value::from).collect(),
            }),
            Json::Object(map) => Kind::Complex(Attributes::from(map)),
        };
        Value { kind: Some(kind) }
    }
}

impl From<Map<String, Json>> for Attributes {
    fn from(map: Map<String, Json>) -> Self {
        Attributes {
            attributes: map.into_iter().map(|(name, value)| (name, value.into())).collect(),
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value.kind {
            None | Some(Kind::Null(_)) => Json::Null,
            Some(Kind::Boolean(boolean)) => Json::Bool(boolean),
            Some(Kind::Integer(integer)) => Json::from(integer),
            Some(Kind::Decimal(text)) => text.parse::<Number>().map_or(Json::Null, Json::Number),
            Some(Kind::Text(text)) => Json::String(text),
            Some(Kind::Complex(attributes)) => Json::Object(attributes.into()),
            Some(Kind::List(list)) => Json::Array(list.values.into_iter().map(Json::from).collect()),
        }
    }
}

impl From<Attributes> for Map<String, Json> {
    fn from(attributes: Attributes) -> Self {
        attributes
            .attributes
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_went() {
        let json = serde_json::json!({
            "text": "é\u{1F600}", "yes": true, "none": null, "big": 9_007_199_254_740_993_i64, "half": 0.5,
            "list": [1, "two", {"three": 3}],
        });
        assert_eq!(Json::from(Value::from(json.clone())), json);
    }
}
