//! A setting that must not be printed. Each has a `*_FILE` twin, for secrets that are mounted as files.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};

/// Text that `Debug` does not show and that has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes the secret from the setting `name` or from the file that `name`_FILE points to; exactly one must be given.
    pub fn from_setting(name: &str, value: Option<&Secret>, file: Option<&Path>) -> anyhow::Result<Self> {
        let secret = match (value, file) {
            (Some(value), None) => value.clone(),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("{name}_FILE: cannot read {}", path.display()))?;
                Secret(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (Some(_), Some(_)) => bail!("{name} and {name}_FILE are both set: keep one"),
            (None, None) => bail!("{name} is not set: give it, or {name}_FILE with the path of a file that holds it"),
        };
        if secret.0.is_empty() {
            bail!("{name} is empty");
        }
        Ok(secret)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn exactly_one_source_is_taken() {
        let value = Secret::new("v");
        assert_eq!(Secret::from_setting("KEY", Some(&value), None).unwrap(), value);
        let both = Secret::from_setting("KEY", Some(&value), Some(Path::new("x"))).unwrap_err();
        assert_eq!(both.to_string(), "KEY and KEY_FILE are both set: keep one");
        assert!(
            Secret::from_setting("KEY", None, None)
                .unwrap_err()
                .to_string()
                .starts_with("KEY is not set")
        );
        assert!(Secret::from_setting("KEY", Some(&Secret::new("")), None).is_err());
    }
}
