//! A login becomes a session: the core says which epochs the login was checked against, and one script creates the
//! session if the registers still say so.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use identity_proto::access::bucket;
use identity_proto::identity::v1::check_login_request::Begun;
use identity_proto::identity::v1::{AccessState, CheckLoginRequest, CheckLoginResponse, Epochs};
use redis::{Script, Value};
use runtime::sabotage::{failpoint, script};
use tonic::Status;
use uuid::Uuid;

use super::{Session, Sessions, hex, unknown_answer};
use crate::error::Error;
use crate::redis_link::LONGEST_LEASE;
use crate::token::issue;

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(script("claim.lua", include_str!("claim.lua"))));
static CREATE: LazyLock<Script> = LazyLock::new(|| Script::new(script("create.lua", include_str!("create.lua"))));

/// How long a session lives if nobody says otherwise.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(12);
/// How long a session may live.
const MAX_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// For how long a creation waits for the registers, and how often it looks.
const CATCH_UP: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(50);

/// For how long Redis remembers a login, by its own clock: longer than PostgreSQL lets one live.
const REMEMBER_MS: &str = "900000";

/// What a session is made from.
pub struct NewSession {
    pub login: CheckLoginRequest,
    pub lifetime: Option<Duration>,
}

/// A session that was just made; its token is shown this once.
pub struct Created {
    pub token: String,
    pub session: Session,
}

impl Sessions {
    /// Creates a session, or says why not. `may` judges the tenant that the core named. Tried again for a while as long as
    /// the registers are behind: in a new generation they are blank until the core was asked, and it was just asked.
    pub async fn create(
        &self,
        new: NewSession,
        may: impl Fn(Uuid) -> Result<(), Error> + Send + Sync,
    ) -> Result<Created, Error> {
        let lifetime = new.lifetime.unwrap_or(DEFAULT_LIFETIME);
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return Err(Error::Invalid("a session's lifetime is between 1 ms and 30 days"));
        }
        let begun = Instant::now();
        loop {
            let login = aged(new.login.clone(), begun.elapsed());
            match self.try_create(&login, lifetime, &may).await {
                Err(Error::Behind) if begun.elapsed() < CATCH_UP => tokio::time::sleep(AGAIN).await,
                answer => return answer,
            }
        }
    }

    async fn try_create(
        &self,
        login: &CheckLoginRequest,
        lifetime: Duration,
        may: &(impl Fn(Uuid) -> Result<(), Error> + Send + Sync),
    ) -> Result<Created, Error> {
        let checked = self.core.check_login(login.clone()).await?;
        let (tenant, user, epochs) = read(&checked)?;
        may(tenant)?;
        self.claim(tenant, user, &checked.jti).await?;
        failpoint("create::checked");
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| Error::Random)?;
        let (token, locator) = issue(tenant, user, random);
        let arguments = [
            &*hex(tenant),
            &*hex(user),
            &*locator.id,
            &*epochs.tenant_epoch.to_string(),
            &*epochs.user_epoch.to_string(),
            &*checked.jti,
            REMEMBER_MS,
            &*lifetime.as_millis().to_string(),
            &*self.cap.to_string(),
            &**LONGEST_LEASE,
        ];
        let answer: Vec<Value> = self.redis.run(&CREATE, locator.bucket, &arguments).await?;
        let (verdict, times) = split(answer)?;
        match (verdict.as_str(), times.as_slice()) {
            ("ok", &[created, expires]) => {
                let session = Session {
                    tenant,
                    user,
                    id: locator.id,
                    created,
                    expires,
                };
                Ok(Created { token, session })
            }
            ("later", _) => Err(Error::Behind),
            ("ended", _) => Err(Error::AccessChanged),
            ("used", _) => Err(Error::LoginUsed),
            _ => Err(unknown_answer()),
        }
    }

    /// Binds the login to this user: the create script sees the user's bucket only, and must not serve two users.
    async fn claim(&self, tenant: Uuid, user: Uuid, jti: &str) -> Result<(), Error> {
        let login: Uuid = jti
            .parse()
            .map_err(|_| Error::Core(Status::internal("the core gave no jti")))?;
        let arguments = [jti, &*hex(user), REMEMBER_MS];
        match self.redis.run::<i64>(&CLAIM, bucket(tenant, login), &arguments).await? {
            1 => Ok(()),
            _ => Err(Error::LoginUsed),
        }
    }
}

/// An assertion grows older while it is tried.
fn aged(mut login: CheckLoginRequest, by: Duration) -> CheckLoginRequest {
    if let Some(Begun::AssertionAge(age)) = &mut login.begun {
        let older = Duration::try_from(*age).unwrap_or_default() + by;
        *age = older.try_into().unwrap_or(*age);
    }
    login
}

/// The core answers only for active users; that is checked again, since everything rests on it.
fn read(checked: &CheckLoginResponse) -> Result<(Uuid, Uuid, Epochs), Error> {
    let foreign = |_| Error::Core(Status::internal("the core named no user"));
    let tenant = checked.tenant_id.parse().map_err(foreign)?;
    let user = checked.user_id.parse().map_err(foreign)?;
    let epochs = checked.epochs.unwrap_or_default();
    let active = i32::from(AccessState::AccessActive);
    if epochs.tenant_state != active || epochs.user_state != active {
        return Err(Error::AccessChanged);
    }
    Ok((tenant, user, epochs))
}

/// A script's answer: a word, then numbers. Numbers may come as text.
fn split(answer: Vec<Value>) -> Result<(String, Vec<i64>), Error> {
    let mut parts = answer.into_iter();
    let word = redis::from_redis_value(parts.next().ok_or_else(unknown_answer)?).map_err(|_| unknown_answer())?;
    let numbers = parts
        .map(|part| redis::from_redis_value(part).map_err(|_| unknown_answer()))
        .collect::<Result<_, _>>()?;
    Ok((word, numbers))
}
