//! The pages. A tenant's are under its name, `/acme/`: whoever comes there is logged in by that tenant's provider, as a user of
//! that tenant, and has cookies that are sent nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use identity_proto::session::v1::validate_session_response::Reason;
use serde::Deserialize;

use crate::cookies::{self, LOGIN, SESSION};
use crate::logins::{self, Login, Logins};
use crate::portcullis::Portcullis;
use crate::provider::Provider;
use crate::refusal::{Refusal, page};
use crate::settings::Place;
use crate::users::Match;

type Answer = Result<Response, Refusal>;

/// The application.
pub struct App {
    portcullis: Portcullis,
    tenants: BTreeMap<String, Tenant>,
    logins: Logins,
    /// Whether browsers come by HTTPS, so that cookies may be kept to it.
    secure: bool,
}

struct Tenant {
    id: String,
    provider: Provider,
    user: Match,
}

/// What the provider sends the browser back with.
#[derive(Deserialize)]
struct Callback {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
}

impl App {
    /// `url` is how browsers reach it.
    pub fn new(place: &Place, url: &str) -> anyhow::Result<Self> {
        let http = Provider::http()?;
        let tenants = place.tenants.iter().map(|(name, tenant)| {
            let provider = Provider::new(tenant, format!("{url}/{name}/callback"), http.clone())?;
            let (id, user) = (tenant.id.clone(), tenant.user.clone());
            anyhow::Ok((name.clone(), Tenant { id, provider, user }))
        });
        Ok(App {
            portcullis: Portcullis::new(place)?,
            tenants: tenants.collect::<Result<_, _>>()?,
            logins: Logins::default(),
            secure: url.starts_with("https://"),
        })
    }

    pub fn tenants(&self) -> impl Iterator<Item = &String> {
        self.tenants.keys()
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/{tenant}/", get(home))
            .route("/{tenant}/login", get(login))
            .route("/{tenant}/callback", get(callback))
            .route("/{tenant}/logout", post(logout))
            .with_state(Arc::new(self))
    }

    fn tenant(&self, name: &str) -> Result<&Tenant, Refusal> {
        self.tenants.get(name).ok_or(Refusal::NoTenant)
    }

    /// The same answer, and the browser keeps a session from now on, or forgets it.
    fn with_session(&self, tenant: &str, token: Option<&str>, answer: impl IntoResponse) -> Answer {
        let max_age = token.is_none().then_some(0);
        let cookie = cookies::set(
            SESSION,
            token.unwrap_or_default(),
            &format!("/{tenant}/"),
            max_age,
            self.secure,
        )?;
        Ok((AppendHeaders([(SET_COOKIE, cookie)]), answer).into_response())
    }
}

/// Sends the browser to the provider. Also where a provider's own portal leads to: whoever starts there comes back by here, and
/// no assertion is taken that nobody asked for.
async fn login(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    let tenant = app.tenant(&name)?;
    let token = app.portcullis.begin_login(&tenant.id).await?;
    let (url, sent) = tenant.provider.send().await?;
    let path = format!("/{name}/callback");
    let id = app.logins.keep(Login {
        tenant: name,
        token,
        sent,
    })?;
    let cookie = cookies::set(LOGIN, &id, &path, Some(logins::LIFE.as_secs()), app.secure)?;
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&url)).into_response())
}

/// The browser comes back from the provider.
async fn callback(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(answer): Query<Callback>,
    headers: HeaderMap,
) -> Answer {
    let tenant = app.tenant(&name)?;
    let begun = cookies::get(&headers, LOGIN).and_then(|id| app.logins.take(id));
    let begun = begun.ok_or(Refusal::NoLogin)?;
    let state = answer.state.map(openidconnect::CsrfToken::new);
    let elsewhere = answer.iss.is_some_and(|issuer| !tenant.provider.is_issuer(&issuer));
    if begun.tenant != name || state.as_ref() != Some(&begun.sent.state) || elsewhere {
        return Err(Refusal::NoLogin);
    }
    let code = answer.code.ok_or(Refusal::Denied)?;
    let claims = tenant.provider.claims(code, begun.sent).await?;
    let user = app
        .portcullis
        .find_user(&tenant.id, tenant.user.filter(&claims)?)
        .await?;
    let session = app.portcullis.create_session(begun.token, user).await?;
    app.with_session(&name, Some(&session), Redirect::to(&format!("/{name}/")))
}

/// Says who is logged in.
async fn home(State(app): State<Arc<App>>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    let tenant = app.tenant(&name)?;
    let session = cookies::get(&headers, SESSION).ok_or(Refusal::LoggedOut)?;
    let answer = app.portcullis.validate(session).await?;
    let refusal = match answer.reason() {
        // The cookie's path is the browser's promise; this is ours.
        _ if answer.valid && answer.tenant_id != tenant.id => Refusal::LoggedOut,
        _ if answer.valid => match app.portcullis.user(&tenant.id, answer.user_id).await? {
            Some(user) => {
                let button = "<form method=\"post\" action=\"logout\"><button>Log out</button></form>";
                return Ok(page(&format!("You are {}.", user.user_name), button).into_response());
            }
            None => Refusal::AccessEnded,
        },
        Reason::AccessEnded => Refusal::AccessEnded,
        Reason::TenantEnded => Refusal::TenantEnded,
        Reason::Unknown | Reason::Unspecified => Refusal::LoggedOut,
    };
    app.with_session(&name, None, refusal)
}

/// Ends this session. Where nobody can know whether it ended, the browser keeps it, and the person is told to try again.
async fn logout(State(app): State<Arc<App>>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    app.tenant(&name)?;
    if let Some(session) = cookies::get(&headers, SESSION) {
        app.portcullis.revoke(session).await?;
    }
    app.with_session(&name, None, Redirect::to(&format!("/{name}/")))
}
