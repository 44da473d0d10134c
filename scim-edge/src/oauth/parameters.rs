//! The parameters of a request, from its query or its form: RFC 6749 section 3.1, 3.2 and appendix A. Each that is known may
//! be given once, in printable ASCII; an empty one is as good as none. Unknown ones are ignored.

use super::error::{Error, ErrorCode};

/// The longest value, in characters.
const LONGEST: usize = 2_048;
/// The longest `client_assertion`: a JWT may carry a chain of certificates.
const LONGEST_ASSERTION: usize = 16 * 1024;

/// What an endpoint knows of what was sent. Never printed: it may hold secrets.
pub struct Parameters(Vec<(&'static str, Value)>);

enum Value {
    Fit(String),
    Unfit,
    Twice,
}

impl Parameters {
    /// Reads what is `known` in a text of the form `application/x-www-form-urlencoded`.
    pub fn parse(text: &[u8], known: &[&'static str]) -> Self {
        let mut values: Vec<(&'static str, Value)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            let Some(name) = known.iter().find(|one| **one == name) else {
                continue;
            };
            match values.iter_mut().find(|(seen, _)| seen == name) {
                Some((_, seen)) => *seen = Value::Twice,
                None if fits(name, &value) => values.push((name, Value::Fit(value.into_owned()))),
                None => values.push((name, Value::Unfit)),
            }
        }
        Parameters(values)
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Error> {
        let invalid = |text: String| Err(Error::Refused(ErrorCode::InvalidRequest, text));
        match self.0.iter().find(|(one, _)| *one == name) {
            None => Ok(None),
            Some((_, Value::Fit(value))) => Ok(Some(value.as_str()).filter(|value| !value.is_empty())),
            Some((name, Value::Twice)) => {
                invalid(format!("The parameter {name} is given more than once: send it once."))
            }
            Some((name, Value::Unfit)) => {
                let most = longest(name);
                invalid(format!(
                    "The parameter {name} must be printable ASCII, of at most {most} characters."
                ))
            }
        }
    }

    /// The value of a parameter that must be there.
    pub fn require(&self, name: &str) -> Result<&str, Error> {
        let missing = || {
            Error::Refused(
                ErrorCode::InvalidRequest,
                format!("The parameter {name} is missing: send it."),
            )
        };
        self.get(name)?.ok_or_else(missing)
    }

    /// Fails if one is given twice, or is not as it must be.
    pub fn check(&self) -> Result<(), Error> {
        self.0.iter().try_for_each(|(name, _)| self.get(name).map(drop))
    }

    /// Those that were sent, as they may be sent again.
    pub fn sent(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Fit(value) if !value.is_empty() => Some((*name, value.as_str())),
            _ => None,
        })
    }

    /// The scopes that are asked for; none if the parameter is absent.
    pub fn scopes(&self) -> Result<Vec<String>, Error> {
        let words = self.get("scope")?.unwrap_or_default().split(' ');
        Ok(words.filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }
}

fn fits(name: &str, value: &str) -> bool {
    value.len() <= longest(name) && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn longest(name: &str) -> usize {
    match name {
        "client_assertion" => LONGEST_ASSERTION,
        _ => LONGEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["scope", "state", "client_assertion"];

    /// `Err` is a word of the refusal.
    fn check(text: &str, name: &str, expect: Result<Option<&str>, &str>) {
        let parameters = Parameters::parse(text.as_bytes(), &KNOWN);
        let found = parameters.get(name);
        match (&found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(*found, expect, "{text:.60}"),
            (Err(Error::Refused(ErrorCode::InvalidRequest, detail)), Err(word)) => {
                assert!(detail.contains(word) && detail.contains(name), "{text:.60}: {detail}");
            }
            _ => panic!("{text:.60}: {found:?}"),
        }
        let is_whole = parameters.check().is_ok();
        assert_eq!(is_whole, found.is_ok(), "{text:.60}");
    }

    #[test]
    fn each_is_given_once_in_printable_ascii() {
        check("state=a", "state", Ok(Some("a")));
        check("state=a%2Bb+c%26", "state", Ok(Some("a+b c&")));
        check("state=%zz", "state", Ok(Some("%zz")));
        check("state=", "state", Ok(None));
        check("state", "state", Ok(None));
        check("", "state", Ok(None));
        check("STATE=a", "state", Ok(None));
        check("x=1&state=a&x=2", "state", Ok(Some("a")));
        check("state=a&state=a", "state", Err("more than once"));
        check("state=&state=a", "state", Err("more than once"));
        check("state=a&st%61te=b", "state", Err("more than once"));
        for unfit in ["%00", "%0a", "%0D%0A", "%7f", "é", "%C3%A9", "%ff", "%EF%BF%BD"] {
            check(&format!("state=a{unfit}"), "state", Err("printable"));
        }
        check(
            &format!("state={}", "a".repeat(2_048)),
            "state",
            Ok(Some(&"a".repeat(2_048))),
        );
        check(&format!("state={}", "a".repeat(2_049)), "state", Err("2048"));
        let longest = "a".repeat(16 * 1024);
        let name = "client_assertion";
        check(&format!("{name}={longest}"), name, Ok(Some(&longest)));
        check(&format!("{name}={longest}a"), name, Err("16384"));
    }

    #[test]
    fn scopes_are_words() {
        let scopes = |text: &str| Parameters::parse(text.as_bytes(), &KNOWN).scopes().ok();
        assert_eq!(scopes("state=x"), Some(vec![]));
        assert_eq!(scopes("scope=+a++b+"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(scopes("scope=a&scope=b"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let parameters = Parameters::parse(b"state=", &KNOWN);
        let Err(Error::Refused(ErrorCode::InvalidRequest, detail)) = parameters.require("state") else {
            panic!("an empty parameter is none");
        };
        assert!(detail.contains("state"), "{detail}");
    }
}
