//! Where the answer to an authorization request goes: to the client's redirect URI, once that is known to be its own, or
//! else onto a page. RFC 6749 section 4.1.2, RFC 9207.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::error::{Error, ErrorCode};
use super::page;
use crate::error::Error as Failure;
use crate::respond;

/// The way back to a client.
pub struct Back {
    /// One that the client registered, as the core says.
    pub uri: String,
    pub state: Option<String>,
    pub issuer: String,
}

/// Why no code is issued, and who is told.
pub enum Refused {
    /// Whoever sits in front of the browser.
    OnPage(Error),
    /// The client.
    Back(Box<Back>, Error),
}

impl Back {
    /// Sends the browser back with a code.
    pub fn with_code(&self, code: &str) -> Response {
        self.with(&[("code", code)])
    }

    /// Sends it back with a failure.
    pub fn with_error(&self, code: ErrorCode, description: &str) -> Response {
        self.with(&[("error", code.name()), ("error_description", description)])
    }

    fn with(&self, answer: &[(&str, &str)]) -> Response {
        match HeaderValue::try_from(self.location(answer)) {
            Ok(location) => {
                let mut response = respond::empty(StatusCode::SEE_OTHER);
                page::guard(response.headers_mut());
                response.headers_mut().insert(LOCATION, location);
                response
            }
            Err(_) => page::failure(&Failure::HeaderUnfit.into()),
        }
    }

    /// The redirect URI keeps the query that it has.
    fn location(&self, answer: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        query.extend_pairs(self.state.as_ref().map(|state| ("state", state)));
        query.append_pair("iss", &self.issuer);
        let mark = match self.uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, query)) if query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{mark}{}", self.uri, query.finish())
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::OnPage(error)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Refused::OnPage(failure.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::OnPage(error) => page::failure(&error),
            Refused::Back(back, error) => {
                error.log();
                back.with_error(error.code(), &error.description())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, state: Option<&str>, expect: &str) {
        let back = Back {
            uri: uri.to_owned(),
            state: state.map(str::to_owned),
            issuer: "https://scim.example".to_owned(),
        };
        let response = back.with_code("a b");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], expect);
    }

    #[test]
    fn the_answer_is_added_to_what_the_uri_has() {
        const ISS: &str = "iss=https%3A%2F%2Fscim.example";
        check("https://x/cb", None, &format!("https://x/cb?code=a+b&{ISS}"));
        check("https://x/cb?", None, &format!("https://x/cb?code=a+b&{ISS}"));
        check("https://x/cb?y=1", None, &format!("https://x/cb?y=1&code=a+b&{ISS}"));
        check("https://x/cb?y=1&", None, &format!("https://x/cb?y=1&code=a+b&{ISS}"));
        check(
            "app:/cb",
            Some("s=1&t"),
            &format!("app:/cb?code=a+b&state=s%3D1%26t&{ISS}"),
        );
    }

    #[test]
    fn a_uri_that_fits_no_header_is_not_sent() {
        let back = Back {
            uri: "https://x/\n".to_owned(),
            state: None,
            issuer: String::new(),
        };
        let response = back.with_error(ErrorCode::AccessDenied, "x");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.headers().contains_key(LOCATION));
    }
}
