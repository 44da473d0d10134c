//! The OpenID provider of one tenant: where browsers are sent, and what it says of whom it logged in.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields,
    IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::settings::Tenant;

/// How long the provider's endpoints and keys are believed. A key that is not among them is looked for at once.
const KNOWN_FOR: Duration = Duration::from_mins(5);
/// For one request to the provider.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer of the provider, in bytes.
const LONGEST: usize = 1 << 20;
/// Signatures that only the provider can make. Not HS256, whose key is the client's secret, whatever the provider offers.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Claims that the standard does not know, such as Entra's `oid`.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Others(HashMap<String, serde_json::Value>);

impl AdditionalClaims for Others {}

type Token = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Client = openidconnect::Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Token,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What went along with the browser and must come back.
pub struct Sent {
    pub state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// One provider.
pub struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    http: reqwest::Client,
    known: Mutex<Option<(Instant, CoreProviderMetadata)>>,
}

impl Provider {
    /// `redirect` is the URL of the tenant's own callback: an answer of one provider never arrives at another's.
    pub fn new(tenant: &Tenant, redirect: String, http: reqwest::Client) -> anyhow::Result<Self> {
        Ok(Provider {
            issuer: tenant.issuer.clone(),
            client_id: tenant.client_id.clone(),
            client_secret: tenant.client_secret.clone(),
            redirect: RedirectUrl::new(redirect).context("PUBLIC_URL")?,
            http,
            known: Mutex::default(),
        })
    }

    /// The HTTP client of every provider. It follows no redirects: what a provider says is at the URLs that it named.
    pub fn http() -> anyhow::Result<reqwest::Client> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(builder.timeout(PATIENCE).build()?)
    }

    pub fn is_issuer(&self, issuer: &str) -> bool {
        self.issuer.as_str() == issuer
    }

    /// Where the browser is sent, and what must come back.
    pub async fn send(&self) -> Result<(String, Sent), Refusal> {
        let client = self.client(KNOWN_FOR).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(["profile", "email"].map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        let sent = Sent { state, nonce, verifier };
        Ok((url.into(), sent))
    }

    /// The claims of the ID token that the code is good for, once its signature, issuer, audience, expiry and nonce are verified.
    pub async fn claims(&self, code: String, sent: Sent) -> Result<serde_json::Value, Refusal> {
        let client = self.client(KNOWN_FOR).await?;
        let token = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Refusal::ProviderAway(error.into()))?
            .set_pkce_verifier(sent.verifier)
            .request_async(&|request| send(self.http.clone(), request))
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(_) => Refusal::ProviderAway(error.into()),
                error => Refusal::Unverified(error.into()),
            })?;
        let id_token = token.id_token();
        let id_token = id_token.ok_or_else(|| Refusal::Unverified(anyhow!("the answer has no ID token")))?;
        let verify = |client: &Client| {
            let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
            id_token.claims(&verifier, &sent.nonce).cloned()
        };
        let claims = match verify(&client) {
            // It may have a new key since.
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                verify(&self.client(Duration::ZERO).await?)
            }
            verified => verified,
        };
        let claims = claims.map_err(|error| Refusal::Unverified(error.into()))?;
        Ok(serde_json::to_value(claims).map_err(anyhow::Error::from)?)
    }

    /// By what the provider said of itself at most so long ago.
    async fn client(&self, ago: Duration) -> Result<Client, Refusal> {
        let (id, secret) = (self.client_id.clone(), self.client_secret.clone());
        let client = openidconnect::Client::from_provider_metadata(self.metadata(ago).await?, id, secret);
        Ok(client.set_redirect_uri(self.redirect.clone()))
    }

    async fn metadata(&self, ago: Duration) -> Result<CoreProviderMetadata, Refusal> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known().clone().filter(|(since, _)| since.elapsed() < ago);
        if let Some((_, metadata)) = fresh {
            return Ok(metadata);
        }
        let asked = Instant::now();
        let http = |request| send(self.http.clone(), request);
        let answer = CoreProviderMetadata::discover_async(self.issuer.clone(), &http).await;
        let metadata = answer.map_err(|error| Refusal::ProviderAway(error.into()))?;
        *known() = Some((asked, metadata.clone()));
        Ok(metadata)
    }
}

/// One request, with an answer of bounded length.
async fn send(http: reqwest::Client, request: HttpRequest) -> io::Result<HttpResponse> {
    let request = request.try_into().map_err(io::Error::other)?;
    let mut answer = http.execute(request).await.map_err(io::Error::other)?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(io::Error::other)? {
        body.extend_from_slice(&part);
        if body.len() > LONGEST {
            return Err(io::Error::other("the answer is too long"));
        }
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}
