//! An application that is an OAuth client, by the `oauth2` crate, which was written by others from the RFCs.

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenIntrospectionResponse, BasicTokenResponse};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ErrorResponseType, HttpRequest, HttpResponse, IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};

use super::REDIRECT;
use super::browser::{self, Callback};

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;

/// A registered application.
#[derive(Clone, Debug)]
pub struct Application {
    pub id: String,
    pub secret: Option<String>,
    pub edge: String,
    pub oauth: Client,
    http: reqwest::Client,
}

/// What a grant brought.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

/// The error code that the server answered.
pub type Outcome<T> = Result<T, String>;

impl Application {
    /// At this edge, with what was answered when it was registered.
    pub fn new(edge: &str, id: &str, secret: Option<&str>) -> Self {
        let url = |path: &str| format!("{edge}/oauth/{path}");
        // The crate revokes over https alone, which here ends before the edge: see `send`.
        let revocation = url("revoke").replacen("http:", "https:", 1);
        let oauth = BasicClient::new(ClientId::new(id.to_owned()))
            .set_auth_uri(AuthUrl::new(url("authorize")).expect("a URL"))
            .set_token_uri(TokenUrl::new(url("token")).expect("a URL"))
            .set_introspection_url(IntrospectionUrl::new(url("introspect")).expect("a URL"))
            .set_revocation_url(RevocationUrl::new(revocation).expect("a URL"))
            .set_redirect_uri(RedirectUrl::new(REDIRECT.to_owned()).expect("a URL"));
        let oauth = match secret {
            Some(secret) => oauth.set_client_secret(ClientSecret::new(secret.to_owned())),
            None => oauth,
        };
        Application {
            id: id.to_owned(),
            secret: secret.map(str::to_owned),
            edge: edge.to_owned(),
            oauth,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("an HTTP client can be made"),
        }
    }

    /// The same application, which puts its secret elsewhere.
    #[must_use]
    pub fn by(&self, auth_type: AuthType) -> Self {
        let mut other = self.clone();
        other.oauth = other.oauth.set_auth_type(auth_type);
        other
    }

    /// The same application with another redirect URI.
    #[must_use]
    pub fn returning_to(&self, redirect: &str) -> Self {
        let mut other = self.clone();
        let redirect = RedirectUrl::new(redirect.to_owned()).expect("a URL");
        other.oauth = other.oauth.set_redirect_uri(redirect);
        other
    }

    /// The same application with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Application::new(&self.edge, &self.id, Some(secret))
    }

    /// The same application at another edge.
    #[must_use]
    pub fn at(&self, edge: &str) -> Self {
        Application::new(edge, &self.id, self.secret.as_deref())
    }

    /// Id and secret.
    pub fn basic(&self) -> (&str, &str) {
        (&self.id, self.secret.as_deref().expect("a secret"))
    }

    /// Sends an administrator with this key through the consent page. The state comes back, or the test fails.
    pub async fn consent(&self, key: &str, challenge: Option<PkceCodeChallenge>) -> Callback {
        self.consent_to(key, challenge, &[]).await
    }

    /// The same for these scopes.
    pub async fn consent_to(&self, key: &str, challenge: Option<PkceCodeChallenge>, scopes: &[&str]) -> Callback {
        let scopes = scopes.iter().map(|scope| Scope::new((*scope).to_owned()));
        let request = self.oauth.authorize_url(CsrfToken::new_random).add_scopes(scopes);
        let (url, state) = match challenge {
            Some(challenge) => request.set_pkce_challenge(challenge).url(),
            None => request.url(),
        };
        let callback = browser::visit(url.as_str()).await.allow(key).await.callback();
        assert_eq!(
            callback.parameter("state"),
            Some(state.secret().as_str()),
            "{callback:?}"
        );
        callback
    }

    /// Exchanges a code.
    pub async fn exchange(&self, code: &str, verifier: Option<PkceCodeVerifier>) -> Outcome<Tokens> {
        let request = self.oauth.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = match verifier {
            Some(verifier) => request.set_pkce_verifier(verifier),
            None => request,
        };
        request
            .request_async(&self.sender())
            .await
            .map(|response| tokens(&response))
            .map_err(code_of)
    }

    /// The whole connection: consent, code, tokens.
    pub async fn connect(&self, key: &str) -> Tokens {
        let callback = self.consent(key, None).await;
        self.exchange(callback.code(), None).await.expect("tokens for a code")
    }

    /// The next pair of tokens.
    pub async fn refresh(&self, refresh: &str) -> Outcome<Tokens> {
        let refresh = RefreshToken::new(refresh.to_owned());
        let request = self.oauth.exchange_refresh_token(&refresh);
        request
            .request_async(&self.sender())
            .await
            .map(|response| tokens(&response))
            .map_err(code_of)
    }

    /// A token for the application itself.
    pub async fn client_credentials(&self, scopes: &[&str]) -> Outcome<BasicTokenResponse> {
        let scopes = scopes.iter().map(|scope| Scope::new((*scope).to_owned()));
        let request = self.oauth.exchange_client_credentials().add_scopes(scopes);
        request.request_async(&self.sender()).await.map_err(code_of)
    }

    /// The same with a signed assertion.
    pub async fn signed(&self, assertion: &str) -> Outcome<BasicTokenResponse> {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let request = self.oauth.exchange_client_credentials();
        let request = request.add_extra_param("client_assertion_type", kind);
        let request = request.add_extra_param("client_assertion", assertion);
        request.request_async(&self.sender()).await.map_err(code_of)
    }

    /// What the server says of a token.
    pub async fn introspect(&self, token: &str) -> BasicTokenIntrospectionResponse {
        let token = AccessToken::new(token.to_owned());
        let answer = self.oauth.introspect(&token).request_async(&self.sender()).await;
        answer.map_err(code_of).expect("an introspection")
    }

    /// Revokes a token.
    pub async fn revoke(&self, token: StandardRevocableToken) {
        let request = self.oauth.revoke_token(token).expect("https");
        request.request_async(&self.sender()).await.expect("a revocation");
    }

    /// How the crate sends.
    pub fn sender(
        &self,
    ) -> impl Fn(HttpRequest) -> std::pin::Pin<Box<dyn Future<Output = reqwest::Result<HttpResponse>> + Send>> + use<>
    {
        let http = self.http.clone();
        move |request| Box::pin(send(http.clone(), request))
    }
}

/// As a proxy in front of the edge, which ends TLS.
async fn send(http: reqwest::Client, request: HttpRequest) -> reqwest::Result<HttpResponse> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string().replacen("https:", "http:", 1);
    let request = http.request(parts.method, url).headers(parts.headers).body(body);
    let answer = request.send().await?;
    let mut response = HttpResponse::default();
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

fn tokens(response: &BasicTokenResponse) -> Tokens {
    Tokens {
        access: response.access_token().secret().clone(),
        refresh: response.refresh_token().expect("a refresh token").secret().clone(),
    }
}

/// The code of an answer that refuses; whatever else goes wrong fails the test.
fn code_of(error: RequestTokenError<reqwest::Error, BasicErrorResponse>) -> String {
    match error {
        RequestTokenError::ServerResponse(response) => name(response.error()),
        other => panic!("{other:?}"),
    }
}

fn name(code: &impl ErrorResponseType) -> String {
    let text = serde_json::to_value(code).expect("an error code");
    text.as_str().expect("text").to_owned()
}
