//! Passwords: kept as argon2id hashes only, in a column of their own, never in a document or an event.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher};
use identity_proto::identity::v1::ErrorReason;
use tokio::sync::Semaphore;

use crate::Error;

const MAX_LENGTH: usize = 1_024;
/// One hash takes 19 MiB: this many at once, the others wait.
const AT_ONCE: usize = 4;

/// What becomes of a user's password.
pub(super) enum Password {
    /// It stays, if there is one.
    Kept,
    /// It is taken away.
    Removed,
    /// It is set; this is its hash.
    Set(String),
}

/// Hashes passwords away from the threads that serve requests.
#[derive(Clone)]
pub struct Hasher {
    permits: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Hasher {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Hasher {
    /// The password that a request sets, if it sets one.
    pub(super) async fn set(&self, password: Option<String>) -> Result<Password, Error> {
        match password {
            Some(password) => self.hash(password).await.map(Password::Set),
            None => Ok(Password::Kept),
        }
    }

    /// The hash in PHC form.
    pub(super) async fn hash(&self, password: String) -> Result<String, Error> {
        if password.is_empty() || password.len() > MAX_LENGTH {
            let message = format!("password must have 1 to {MAX_LENGTH} bytes");
            return Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "password"));
        }
        let _permit = self.permits.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || argon2id(&password))
            .await
            .map_err(Error::internal)?
    }
}

fn argon2id(password: &str) -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Error::internal(error.to_string()))?;
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_are_argon2id_and_salted() {
        let hasher = Hasher::default();
        let (one, other) = (
            hasher.hash("secret".into()).await.unwrap(),
            hasher.hash("secret".into()).await.unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert_eq!(
            hasher.hash(String::new()).await.unwrap_err().reason,
            ErrorReason::InvalidValue
        );
    }
}
