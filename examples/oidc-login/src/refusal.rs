//! Why somebody is not let in: what the page says, and its status. This is the one place where either is chosen.

use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Response};

/// No page, and why.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("There is no such page.")]
    NoTenant,
    #[error("You are not logged in.")]
    LoggedOut,
    /// The callback was made up, sent again, or came too late.
    #[error("This login was not begun in this browser, was used already, or took too long. Log in again.")]
    NoLogin,
    #[error("Your identity provider did not log you in.")]
    Denied,
    /// An ID token that is not what it should be.
    #[error("What your identity provider said cannot be verified.")]
    Unverified(#[source] anyhow::Error),
    #[error("Your identity provider does not say that your e-mail address is yours.")]
    EmailUnverified,
    #[error("Your identity provider did not say who you are. Ask your administrator: the claim {0:?} is missing.")]
    ClaimMissing(String),
    #[error("You are not provisioned. Ask your administrator.")]
    NotProvisioned,
    #[error("More than one user matches you. Ask your administrator.")]
    Ambiguous,
    /// Access changed while the login was under way.
    #[error("Your access changed while you logged in. Log in again.")]
    Changed,
    #[error("Your access ended. Ask your administrator.")]
    AccessEnded,
    #[error("The access of your organization ended. Ask your administrator.")]
    TenantEnded,
    /// Nobody can know now.
    #[error("This cannot be answered now. Try again in a moment.")]
    Unavailable(#[source] tonic::Status),
    #[error("Too many people are logging in. Try again in a moment.")]
    Busy,
    #[error("Your identity provider cannot be reached. Try again in a moment.")]
    ProviderAway(#[source] anyhow::Error),
    #[error("Something is wrong here.")]
    Internal(#[from] anyhow::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::NoTenant => StatusCode::NOT_FOUND,
            Refusal::LoggedOut => StatusCode::UNAUTHORIZED,
            Refusal::NoLogin => StatusCode::BAD_REQUEST,
            Refusal::Denied
            | Refusal::Unverified(_)
            | Refusal::EmailUnverified
            | Refusal::ClaimMissing(_)
            | Refusal::NotProvisioned
            | Refusal::Ambiguous
            | Refusal::Changed
            | Refusal::AccessEnded
            | Refusal::TenantEnded => StatusCode::FORBIDDEN,
            Refusal::Unavailable(_) | Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::ProviderAway(_) => StatusCode::BAD_GATEWAY,
            Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match &self {
            Refusal::Unverified(why) | Refusal::ProviderAway(why) | Refusal::Internal(why) => {
                eprintln!("oidc-login: {self} {why:#}");
            }
            Refusal::Unavailable(why) => eprintln!("oidc-login: {self} {why}"),
            _ => {}
        }
        let status = self.status();
        let wait = (status == StatusCode::SERVICE_UNAVAILABLE).then_some([(RETRY_AFTER, "1")]);
        let link = "<p><a href=\"login\">Log in</a></p>";
        (status, wait, page(&self.to_string(), link)).into_response()
    }
}

/// A page that nobody keeps. `text` is plain, `more` is HTML.
pub fn page(text: &str, more: &str) -> ([(HeaderName, &'static str); 1], Html<String>) {
    let text = html_escape::encode_text(text);
    let html = format!("<!doctype html>\n<title>Portal</title>\n<p>{text}</p>\n{more}\n");
    ([(CACHE_CONTROL, "no-store")], Html(html))
}
