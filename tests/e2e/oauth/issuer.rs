//! Publishes key sets over HTTP, as the issuer of assertions does. One for all tests; each test has a set of its own.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::signer::Signer;

type Sets = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// A server on this machine.
pub struct Issuer {
    host: String,
    sets: Sets,
}

/// A key set at a URL of its own.
pub struct KeySet {
    name: String,
    pub url: String,
    sets: Sets,
}

impl Issuer {
    /// The one of this process; it ends with the process.
    pub fn shared() -> &'static Issuer {
        static SHARED: OnceLock<Issuer> = OnceLock::new();
        SHARED.get_or_init(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.set_nonblocking(true).expect("a listener for tokio");
            let host = listener.local_addr().expect("an address").to_string();
            let sets = Sets::default();
            let app = Router::new().route("/{name}", get(keys)).with_state(Arc::clone(&sets));
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                    axum::serve(listener, app).await.expect("keys are served");
                });
            });
            Issuer { host, sets }
        })
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A new key set, which holds the keys of these.
    pub fn publish(&self, signers: &[&Signer]) -> KeySet {
        let name = Uuid::new_v4().to_string();
        let set = KeySet {
            url: format!("http://{}/{name}", self.host),
            name,
            sets: Arc::clone(&self.sets),
        };
        set.hold(signers);
        set
    }
}

impl KeySet {
    /// From now on it holds the keys of these.
    pub fn hold(&self, signers: &[&Signer]) {
        let keys = signers.iter().map(|signer| signer.jwk()).collect();
        self.sets.lock().expect("the sets").insert(self.name.clone(), keys);
    }
}

async fn keys(State(sets): State<Sets>, Path(name): Path<String>) -> Result<String, StatusCode> {
    let sets = sets.lock().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let keys = sets.get(&name).ok_or(StatusCode::NOT_FOUND)?;
    Ok(json!({ "keys": keys }).to_string())
}
