//! The browser of a tenant's administrator: opens the consent page, fills in its form as it stands there, and is sent back.

use std::collections::HashMap;

use e2e::scim::{self, Answer};
use oauth2::url::{Url, form_urlencoded};
use regex::Regex;
use reqwest::header::{CONTENT_TYPE, COOKIE, REFERER};

/// A page that a browser shows.
#[derive(Debug)]
pub struct Page {
    url: Url,
    pub answer: Answer,
}

/// Where a browser was sent.
#[derive(Debug)]
pub struct Callback {
    /// Without what was added to it.
    pub uri: String,
    parameters: HashMap<String, String>,
}

/// Opens a URL and follows no redirect.
pub async fn visit(url: &str) -> Page {
    let answer = scim::send(http().get(url)).await;
    Page {
        url: Url::parse(url).expect("a URL"),
        answer,
    }
}

impl Page {
    /// Types the key and presses what says "Allow".
    pub async fn allow(&self, key: &str) -> Page {
        self.press("Allow", key).await
    }

    /// Presses what says "Deny".
    pub async fn deny(&self) -> Page {
        self.press("Deny", "").await
    }

    /// The fields of the form: those that are hidden, the one that a key is typed into, and the button.
    pub fn form(&self, button: &str, key: &str) -> Vec<(String, String)> {
        let inputs = elements(&self.answer.text, "input");
        let typed = |input: &HashMap<String, String>| input.get("type").is_some_and(|kind| kind == "password");
        let of = |input: &HashMap<String, String>| {
            let value = if typed(input) {
                key
            } else {
                input.get("value").map_or("", String::as_str)
            };
            (input["name"].clone(), value.to_owned())
        };
        let pattern = format!("<button([^>]*)>{button}</button>");
        let pattern = Regex::new(&pattern).expect("a pattern");
        let pressed = pattern
            .captures(&self.answer.text)
            .unwrap_or_else(|| panic!("no {button}: {self:?}"));
        let pressed = attributes(&pressed[1]);
        assert!(inputs.iter().any(typed), "nothing to type a key into: {self:?}");
        inputs
            .iter()
            .map(of)
            .chain([(pressed["name"].clone(), pressed["value"].clone())])
            .collect()
    }

    /// Posts these fields as this page's form would.
    pub async fn submit(&self, form: &[(String, String)]) -> Page {
        let forms = elements(&self.answer.text, "form");
        let action = forms.first().and_then(|form| form.get("action")).expect("a form");
        let url = self.url.join(action).expect("an address");
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let origin = url.origin().ascii_serialization();
        let request = http()
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("origin", origin)
            .header("sec-fetch-site", "same-origin")
            .header(REFERER, self.url.as_str());
        let request = match self.answer.headers.get("set-cookie") {
            Some(cookie) => {
                let cookie = cookie.to_str().expect("text");
                request.header(COOKIE, cookie.split(';').next().unwrap_or_default())
            }
            None => request,
        };
        let answer = scim::send(request.body(body)).await;
        Page { url, answer }
    }

    async fn press(&self, button: &str, key: &str) -> Page {
        assert_eq!(self.answer.status, 200, "{self:?}");
        self.submit(&self.form(button, key)).await
    }

    /// Where this sends the browser.
    pub fn callback(&self) -> Callback {
        assert_eq!(self.answer.status, 303, "{self:?}");
        let location = Url::parse(self.answer.header("location")).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let parameters: Vec<(String, String)> = location.query_pairs().into_owned().collect();
        let count = parameters.len();
        let parameters: HashMap<_, _> = parameters.into_iter().collect();
        assert_eq!(parameters.len(), count, "given twice: {self:?}");
        let (uri, _) = location.as_str().split_once('?').unwrap_or((location.as_str(), ""));
        Callback {
            uri: uri.to_owned(),
            parameters,
        }
    }

    /// Fails unless this is a page that shows an error and sends the browser nowhere.
    pub fn is_refusal(&self, status: u16) {
        assert_eq!(self.answer.status, status, "{self:?}");
        assert!(self.answer.headers.get("location").is_none(), "{self:?}");
        assert!(self.answer.header("content-type").starts_with("text/html"), "{self:?}");
        assert!(!self.answer.text.contains("pca_"), "{self:?}");
    }
}

impl Callback {
    /// A parameter that was added.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The code.
    pub fn code(&self) -> &str {
        self.parameter("code").unwrap_or_else(|| panic!("no code: {self:?}"))
    }
}

fn http() -> reqwest::Client {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    http.build().expect("an HTTP client can be made")
}

/// The attributes of each element of this name.
fn elements(html: &str, name: &str) -> Vec<HashMap<String, String>> {
    let pattern = Regex::new(&format!("<{name}\\s([^>]*)>")).expect("a pattern");
    pattern.captures_iter(html).map(|found| attributes(&found[1])).collect()
}

fn attributes(text: &str) -> HashMap<String, String> {
    let pattern = Regex::new(r#"([a-z-]+)="([^"]*)""#).expect("a pattern");
    let of = |found: regex::Captures<'_>| (found[1].to_owned(), unescape(&found[2]));
    pattern.captures_iter(text).map(of).collect()
}

fn unescape(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
