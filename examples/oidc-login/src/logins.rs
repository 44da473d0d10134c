//! Logins that are under way: what must come back from the provider, kept here and not in the browser. Each is taken out once,
//! whatever comes of it, so that a callback that is sent again finds nothing.
//!
//! They are in the memory of this process. A platform of several processes keeps them where all can take them out once, such as
//! in Redis with GETDEL.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::CsrfToken;

use crate::provider::Sent;
use crate::refusal::Refusal;

/// As long as Portcullis accepts a login token.
pub const LIFE: Duration = Duration::from_mins(10);
/// More at once are refused: anybody may begin a login.
const MOST: usize = 10_000;

/// One login under way.
pub struct Login {
    /// The name of the tenant that it is of.
    pub tenant: String,
    /// From `BeginLogin`.
    pub token: String,
    pub sent: Sent,
}

/// All of them, by the random value of the browser's cookie.
#[derive(Default)]
pub struct Logins(Mutex<HashMap<String, (Instant, Login)>>);

impl Logins {
    /// Keeps a login; the value of the cookie that it can be had for.
    pub fn keep(&self, login: Login) -> Result<String, Refusal> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, (since, _)| since.elapsed() < LIFE);
        }
        if kept.len() >= MOST {
            return Err(Refusal::Busy);
        }
        let id = CsrfToken::new_random_len(32).into_secret();
        kept.insert(id.clone(), (Instant::now(), login));
        Ok(id)
    }

    /// Takes a login out, if there is one that is not too old.
    pub fn take(&self, id: &str) -> Option<Login> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, login) = kept.remove(id)?;
        (since.elapsed() < LIFE).then_some(login)
    }
}
