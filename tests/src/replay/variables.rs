//! `${name}` in what a trace sends and expects.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;

/// The variables that have a value.
#[derive(Debug, Default)]
pub struct Variables(HashMap<String, Value>);

impl Variables {
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Text with every variable replaced.
    pub fn in_text(&self, text: &str) -> Result<String, String> {
        self.replace(text, str::to_owned)
    }

    /// The same for a path or a raw query: values are percent-encoded, the rest is left as written.
    pub fn in_path(&self, text: &str) -> Result<String, String> {
        self.replace(text, percent)
    }

    /// JSON with every variable replaced. A string that is one variable alone becomes its value, of whatever type.
    pub fn in_value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !name.contains('}') => self.get(name)?.clone(),
                _ => Value::String(self.in_text(text)?),
            },
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.in_value(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| Ok((self.in_text(name)?, self.in_value(value)?));
                Value::Object(members.iter().map(member).collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn replace(&self, text: &str, encode: impl Fn(&str) -> String) -> Result<String, String> {
        let mut parts = text.split("${");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part
                .split_once('}')
                .ok_or_else(|| format!("unclosed variable in {text:?}"))?;
            result += &encode(&self::text(self.get(name)?));
            result += rest;
        }
        Ok(result)
    }

    fn get(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).ok_or_else(|| format!("variable {name} has no value"))
    }
}

/// A string as it is, anything else as JSON.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_replaced_where_they_stand() {
        let mut variables = Variables::default();
        variables.set("id", json!("a/b"));
        variables.set("n", json!(3));
        assert_eq!(variables.in_text("x${id}y${n}").unwrap(), "xa/by3");
        assert_eq!(variables.in_path("/Users/${id}").unwrap(), "/Users/a%2Fb");
        assert_eq!(
            variables.in_value(&json!({"${id}": ["${n}", "n${n}"]})).unwrap(),
            json!({"a/b": [3, "n3"]})
        );
        assert!(variables.in_text("${other}").is_err());
    }
}
