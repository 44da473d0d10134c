//! Passwords: kept as argon2id hashes only, in a column of their own, never in a document or an event.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher};
use identity_proto::identity::v1::ErrorReason;
use tokio::sync::Semaphore;

use crate::Error;

const MAX_LENGTH: usize = 1_024;
/// One hash takes 19 MiB: this many at once, the others wait.
const AT_ONCE: usize = 4;
/// So many wait at most: about a second. Whoever comes then would wait for nothing but the end of its time.
const WAITING: usize = 64;

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
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    admitted: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Hasher {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            admitted: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
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
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| {
            let message = "too many passwords are being set at this moment; try again in a moment";
            Error::new(ErrorReason::Unavailable, message)
        })?;
        let running = self.running.clone().acquire_owned().await.map_err(Error::internal)?;
        // A hash that nobody waits for any more runs on: its places are free when it is done, not before.
        let hashed = tokio::task::spawn_blocking(move || {
            let hash = argon2id(&password);
            drop((running, admitted));
            hash
        });
        hashed.await.map_err(Error::internal)?
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
    use std::time::Duration;

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
    }

    #[tokio::test]
    async fn a_password_has_a_bounded_length() {
        let check = async |length: usize, fits: bool| {
            let hashed = Hasher::default().hash("x".repeat(length)).await;
            assert_eq!(
                hashed.map_err(|error| error.reason).err(),
                (!fits).then_some(ErrorReason::InvalidValue)
            );
        };
        check(0, false).await;
        check(MAX_LENGTH, true).await;
        check(MAX_LENGTH + 1, false).await;
    }

    #[tokio::test]
    async fn a_hash_that_nobody_waits_for_keeps_its_place() {
        let hasher = Hasher::default();
        for _ in 0..AT_ONCE {
            let given_up = tokio::time::timeout(Duration::from_millis(1), hasher.hash("secret".into())).await;
            assert!(given_up.is_err(), "a hash takes longer than a millisecond");
        }
        assert_eq!(hasher.running.available_permits(), 0, "all still run");
        hasher.hash("secret".into()).await.unwrap();
    }

    #[tokio::test]
    async fn those_beyond_the_queue_are_told_to_come_again() {
        let hasher = Hasher::default();
        let held: Vec<_> = (0..AT_ONCE + WAITING)
            .map(|_| hasher.admitted.clone().try_acquire_owned().unwrap())
            .collect();
        let refused = hasher.hash("secret".into()).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::Unavailable);
        assert!(refused.retryable());
        drop(held);
        hasher.hash("secret".into()).await.unwrap();
    }
}
