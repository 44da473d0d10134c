//! Signs assertions as an identity provider does, with keys of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

/// A key that signs by RS256.
pub struct Signer {
    id: String,
    key: KeyPair,
}

impl Signer {
    pub fn new() -> Self {
        Signer {
            id: Uuid::new_v4().to_string(),
            key: KeyPair::generate(KeySize::Rsa2048).expect("a key"),
        }
    }

    /// Its public half, as it is published.
    pub fn jwk(&self) -> Value {
        let public = self.key.public_key();
        json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.id,
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// These claims, signed.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"typ": "JWT", "alg": "RS256", "kid": self.id}), claims)
    }

    /// The same under another header.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .expect("a signature");
        format!("{message}.{}", encode(signature))
    }
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "assertions are dated by the clock of their signer"
)]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs()
}
