//! The table of states in which a session is met by the end of access.

use std::time::Duration;

use e2e::Tenant;
use futures_util::future::join_all;

use super::ways::Way;

/// How many logins come back in the same instant, and how far they are apart.
const AT_ONCE: u64 = 6;
const APART: Duration = Duration::from_millis(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is validated until access ends.
    Live,
    /// It is there, and nobody asks for it until the end is long over.
    Idle,
    /// It is made while access ends.
    SameInstant,
    /// Its login began, and it is yet to be made.
    Begun,
}

pub const STATES: [State; 4] = [State::Live, State::Idle, State::SameInstant, State::Begun];

/// What there is before the end, or in the same instant.
#[derive(Default)]
pub struct Held {
    /// Tokens of sessions.
    pub sessions: Vec<String>,
    /// Tokens of logins that began and made no session.
    pub logins: Vec<String>,
}

impl State {
    /// What is in this state as access ends this way.
    pub async fn meets(self, way: Way, tenant: &Tenant, id: &str) -> Held {
        let mut held = Held::default();
        let log_in = async || tenant.log_in(id).await.expect("a session");
        let begin = async || tenant.begin_login().await.expect("a login");
        match self {
            State::Live => {
                let session = log_in().await;
                assert!(tenant.validate(&session).await.expect("an answer").valid, "{way:?}");
                held.sessions.push(session);
                way.end(tenant, id).await;
            }
            State::Idle => {
                held.sessions.push(log_in().await);
                way.end(tenant, id).await;
            }
            State::Begun => {
                held.logins.push(begin().await);
                way.end(tenant, id).await;
            }
            State::SameInstant => {
                let logins = join_all((0..AT_ONCE).map(|_| begin())).await;
                let come_back = join_all((0_u32..).zip(&logins).map(|(number, login)| async move {
                    tokio::time::sleep(number * APART).await;
                    tenant.create_session(login, id).await
                }));
                let (made, ()) = tokio::join!(come_back, way.end(tenant, id));
                for (login, made) in logins.into_iter().zip(made) {
                    match made {
                        Ok(session) => held.sessions.push(session),
                        Err(_) => held.logins.push(login),
                    }
                }
            }
        }
        held
    }
}
