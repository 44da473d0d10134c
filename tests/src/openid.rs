//! A small OpenID provider: discovery, keys, the authorization code flow with PKCE. It asks nobody anything: whoever comes is
//! whom it was told to say. Its issuers, one for each name in the path, share their keys, so that nothing but the issuer tells
//! their tokens apart.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64_URL};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The one client that it knows, and its secret.
pub const CLIENT: (&str, &str) = ("portal", "a secret of the portal");

/// Whose signature ID tokens bear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    #[default]
    First,
    /// After a rotation: published then, and the first one no longer.
    Second,
    /// The second key, by the name of the first.
    Stranger,
    /// HS256 with the secret that the client knows as well.
    ClientSecret,
    None,
}

static KEYS: LazyLock<[KeyPair; 2]> =
    LazyLock::new(|| std::array::from_fn(|_| KeyPair::generate(KeySize::Rsa2048).expect("a key")));

/// A provider for as long as it lives.
pub struct OpenIdProvider {
    url: String,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    url: String,
    mutable: Mutex<Mutable>,
}

#[derive(Default)]
struct Mutable {
    says: Value,
    signature: Signature,
    codes: HashMap<String, Grant>,
}

/// What a code is good for.
struct Grant {
    issuer: String,
    asked: Authorize,
    says: Value,
}

#[derive(Deserialize)]
struct Authorize {
    client_id: String,
    response_type: String,
    redirect_uri: String,
    scope: String,
    state: String,
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
}

#[derive(Deserialize)]
struct Exchange {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

impl OpenIdProvider {
    /// On this port of the loopback interface; 0 picks a free one.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let mutable = Mutex::default();
        let shared = Arc::new(Shared {
            url: url.clone(),
            mutable,
        });
        let router = Router::new()
            .route("/{issuer}/.well-known/openid-configuration", get(configuration))
            .route("/{issuer}/keys", get(keys))
            .route("/{issuer}/authorize", get(authorize))
            .route("/{issuer}/token", post(token))
            .with_state(shared.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        OpenIdProvider {
            url,
            shared,
            _serving: serving,
        }
    }

    /// The issuer of this name.
    pub fn issuer(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Whoever comes from now on is said to be this: claims beside or instead of the usual ones, `null` to leave one out.
    pub fn says(&self, claims: Value) {
        self.shared.mutable().says = claims;
    }

    /// ID tokens bear this signature from now on.
    pub fn sign(&self, signature: Signature) {
        self.shared.mutable().signature = signature;
    }
}

impl Shared {
    fn mutable(&self) -> std::sync::MutexGuard<'_, Mutable> {
        self.mutable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn configuration(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Json<Value> {
    let issuer = format!("{}/{name}", shared.url);
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // More than a client should believe.
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
    }))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let number = usize::from(shared.mutable().signature == Signature::Second);
    let public = PublicKeyComponents::<Vec<u8>>::from(KEYS[number].public_key());
    let (n, e) = (BASE64_URL.encode(public.n), BASE64_URL.encode(public.e));
    Json(
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": format!("key-{number}"), "n": n, "e": e}]}),
    )
}

async fn authorize(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(asked): Query<Authorize>,
) -> Response {
    let is_right = asked.client_id == CLIENT.0
        && asked.response_type == "code"
        && asked.code_challenge_method == "S256"
        && asked.scope.split(' ').any(|scope| scope == "openid");
    if !is_right {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let code = Uuid::new_v4().simple().to_string();
    let issuer = format!("{}/{name}", shared.url);
    let back = [("code", &code), ("state", &asked.state), ("iss", &issuer)];
    let back = Url::parse_with_params(&asked.redirect_uri, back).expect("a URL");
    let mut mutable = shared.mutable();
    let says = mutable.says.clone();
    mutable.codes.insert(code, Grant { issuer, asked, says });
    Redirect::to(back.as_str()).into_response()
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, Form(exchange): Form<Exchange>) -> Response {
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response();
    // The client writes its secret as a form does, RFC 6749 section 2.3.1.
    let client = format!("{}:{}", CLIENT.0, CLIENT.1.replace(' ', "+"));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(client));
    if headers.get("authorization").is_none_or(|given| *given != basic) {
        return refused("invalid_client");
    }
    let (grant, signature) = {
        let mut mutable = shared.mutable();
        (mutable.codes.remove(&exchange.code), mutable.signature)
    };
    let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, exchange.code_verifier.as_bytes());
    let Some(grant) = grant.filter(|grant| {
        exchange.grant_type == "authorization_code"
            && grant.asked.redirect_uri == exchange.redirect_uri
            && grant.asked.code_challenge == BASE64_URL.encode(challenge)
    }) else {
        return refused("invalid_grant");
    };
    let now = now();
    let mut claims = json!({
        "iss": grant.issuer, "aud": CLIENT.0, "nonce": grant.asked.nonce, "iat": now, "exp": now + 300,
    });
    for (name, value) in grant.says.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    if let Value::Object(claims) = &mut claims {
        claims.retain(|_, value| !value.is_null());
    }
    Json(json!({
        "access_token": Uuid::new_v4().simple().to_string(),
        "token_type": "Bearer",
        "id_token": signed(&claims, signature),
    }))
    .into_response()
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "OpenID providers go by their hosts' clocks")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// A JSON web token, RFC 7515 section 3.1.
fn signed(claims: &Value, signature: Signature) -> String {
    let (algorithm, key) = match signature {
        Signature::First | Signature::Stranger => ("RS256", "key-0"),
        Signature::Second => ("RS256", "key-1"),
        Signature::ClientSecret => ("HS256", "key-0"),
        Signature::None => ("none", "key-0"),
    };
    let header = json!({"typ": "JWT", "alg": algorithm, "kid": key});
    let part = |json: &Value| BASE64_URL.encode(json.to_string());
    let text = format!("{}.{}", part(&header), part(claims));
    let rsa = |number: usize| {
        let mut bytes = vec![0; KEYS[number].public_modulus_len()];
        KEYS[number]
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut bytes)
            .expect("a signature");
        bytes
    };
    let bytes = match signature {
        Signature::First => rsa(0),
        Signature::Second | Signature::Stranger => rsa(1),
        Signature::ClientSecret => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT.1.as_bytes());
            hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
        }
        Signature::None => Vec::new(),
    };
    format!("{text}.{}", BASE64_URL.encode(bytes))
}
