//! Signs as an issuer does, by the primitives and not by the library that verifies.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

pub(super) struct Signer {
    pub(super) kid: &'static str,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(super) fn rsa(kid: &'static str) -> Self {
        let key = Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));
        Signer { kid, key }
    }

    pub(super) fn ec(kid: &'static str) -> Self {
        let key = Key::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"));
        Signer { kid, key }
    }

    pub(super) fn ed(kid: &'static str) -> Self {
        let key = Key::Ed(Ed25519KeyPair::generate().expect("a key"));
        Signer { kid, key }
    }

    /// The public key.
    pub(super) fn jwk(&self) -> Value {
        let kid = self.kid;
        match &self.key {
            Key::Rsa(key) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({"kty": "RSA", "kid": kid, "n": BASE64.encode(n), "e": BASE64.encode(e)})
            }
            Key::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": BASE64.encode(x), "y": BASE64.encode(y)})
            }
            Key::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": BASE64.encode(key.public_key())})
            }
        }
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// An RSA key signs with PSS where the header says so.
    pub(super) fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = Self::text(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = if header.contains("PS256") {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                key.sign(padding, &random, message.as_bytes(), &mut signature)
                    .expect("a signature");
                signature
            }
            Key::Ec(key) => key
                .sign(&random, message.as_bytes())
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Key::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", BASE64.encode(signature))
    }

    /// What is signed.
    pub(super) fn text(header: &str, claims: &str) -> String {
        format!("{}.{}", BASE64.encode(header), BASE64.encode(claims))
    }
}
