//! A SCIM client as an identity provider is one: JSON over HTTP with a bearer token.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::replay::variables::percent;

/// The media type of RFC 7644 section 3.1.
pub const SCIM_JSON: &str = "application/scim+json";
/// The schema of an error answer.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// One client. Cheap to clone; belongs to the tokio runtime that it was first used in.
#[derive(Clone, Debug)]
pub struct Scim {
    http: Client,
    base: String,
    token: Option<String>,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null when there is no body, or none in JSON.
    pub json: Value,
}

impl Scim {
    /// A client of the server whose SCIM base URI is `base`.
    pub fn new(base: &str, token: Option<&str>) -> Self {
        let http = Client::builder().timeout(Duration::from_secs(30)).tcp_nodelay(true);
        Scim {
            http: http.build().expect("an HTTP client can be made"),
            base: base.trim_end_matches('/').to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// The same server without the token, or with another.
    #[must_use]
    pub fn as_bearer(&self, token: Option<&str>) -> Self {
        Scim {
            token: token.map(str::to_owned),
            ..self.clone()
        }
    }

    /// The SCIM base URI.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The bearer token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request to a path below the base, with token and Accept header.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(ACCEPT, SCIM_JSON);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.with_body(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.with_body(Method::PUT, path, body).await
    }

    /// PATCH with these operations.
    pub async fn patch(&self, path: &str, operations: &Value) -> Answer {
        let body = json!({"schemas": [PATCH_OP], "Operations": operations});
        self.with_body(Method::PATCH, path, &body).await
    }

    async fn with_body(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, SCIM_JSON);
        send(request.body(body.to_string())).await
    }

    /// Users that a filter matches.
    pub async fn find(&self, filter: &str) -> Answer {
        self.get(&format!("/Users?filter={}", percent(filter))).await
    }

    /// Creates an active user of this name; its id.
    pub async fn create_user(&self, user_name: &str) -> String {
        let answer = self.post("/Users", &user(user_name)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id()
    }
}

impl Answer {
    /// The resource's id.
    pub fn id(&self) -> String {
        self.json["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
            .to_owned()
    }

    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// The body of an active user with the attributes that every identity provider sends.
pub fn user(user_name: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": user_name,
        "active": true,
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"value": user_name, "type": "work", "primary": true}],
    })
}

/// Sends a request and reads the answer.
pub async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.expect("the server answers")
}

/// Sends a request and reads the answer, if there is one.
pub async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer {
        status,
        headers,
        text,
        json,
    })
}
