//! A login becomes a session: the core says which epochs the login was checked against, and one script creates the
//! session if the registers still say so.

use std::sync::LazyLock;
use std::time::Duration;

use identity_proto::identity::v1::{AccessState, CheckLoginRequest, CheckLoginResponse, Epochs};
use redis::{Script, Value};
use uuid::Uuid;

use super::{Session, Sessions, hex, unknown_answer};
use crate::error::Error;
use crate::token::issue;

static CREATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("create.lua")));

/// How long a session lives if nobody says otherwise.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(12);
/// How long a session may live.
const MAX_LIFETIME: Duration = Duration::from_hours(30 * 24);

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
    /// Creates a session, or says why not. `may` judges the tenant that the core named. Two tries: the first may come
    /// before the registers are there.
    pub async fn create(
        &self,
        new: NewSession,
        may: impl Fn(Uuid) -> Result<(), Error> + Send + Sync,
    ) -> Result<Created, Error> {
        let lifetime = new.lifetime.unwrap_or(DEFAULT_LIFETIME);
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return Err(Error::Invalid("a session's lifetime is between 1 ms and 30 days"));
        }
        match self.try_create(&new.login, lifetime, &may).await {
            Err(Error::Behind) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.try_create(&new.login, lifetime, &may).await
            }
            answer => answer,
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
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| Error::Random)?;
        let (token, locator) = issue(tenant, user, random);

        let expire = checked.expire_time.unwrap_or_default();
        let arguments = [
            hex(tenant),
            hex(user),
            locator.id.clone(),
            epochs.tenant_epoch.to_string(),
            epochs.user_epoch.to_string(),
            checked.jti,
            (expire.seconds * 1_000 + i64::from(expire.nanos) / 1_000_000).to_string(),
            lifetime.as_millis().to_string(),
            self.cap.to_string(),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (verdict, times): (String, Vec<i64>) = split(
            self.redis
                .run::<Vec<Value>>(&CREATE, locator.bucket, &arguments)
                .await?,
        )?;
        match (verdict.as_str(), times.as_slice()) {
            ("ok", &[created, expires]) => Ok(Created {
                token,
                session: Session {
                    tenant,
                    user,
                    id: locator.id,
                    created,
                    expires,
                },
            }),
            ("later", _) => Err(Error::Behind),
            ("ended", _) => Err(Error::AccessChanged),
            ("used", _) => Err(Error::LoginUsed),
            _ => Err(unknown_answer()),
        }
    }
}

/// The core answers only for active users; that is checked again, since everything rests on it.
fn read(checked: &CheckLoginResponse) -> Result<(Uuid, Uuid, Epochs), Error> {
    let foreign = |_| Error::Core(tonic::Status::internal("the core named no user"));
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
pub(super) fn split(answer: Vec<Value>) -> Result<(String, Vec<i64>), Error> {
    let mut parts = answer.into_iter();
    let word = redis::from_redis_value(parts.next().ok_or_else(unknown_answer)?).map_err(|_| unknown_answer())?;
    let numbers = parts
        .map(|part| redis::from_redis_value(part).map_err(|_| unknown_answer()))
        .collect::<Result<_, _>>()?;
    Ok((word, numbers))
}
