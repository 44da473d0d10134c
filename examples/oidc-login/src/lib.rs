//! A small web application of a platform: it logs people in through the OpenID provider of their organization, and keeps their
//! sessions in Portcullis. When the provider's SCIM client deactivates somebody, the next request of that person is refused.
//!
//! Two things make it safe. A login begins in Portcullis before the browser leaves ([`portcullis::Portcullis::begin_login`]), so
//! that one which began before access ended becomes no session. And what the provider says names exactly one provisioned user
//! ([`users::Match`]), or nobody.

mod app;
mod cookies;
mod logins;
mod portcullis;
mod provider;
mod refusal;
mod settings;
mod users;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::net::TcpListener;

use app::App;
use settings::Settings;

/// Runs until it is stopped or killed.
pub fn main() -> ExitCode {
    match run(Settings::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oidc-login: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(settings: Settings) -> anyhow::Result<()> {
    let place = settings.place()?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("{}", settings.listen))?;
    let url = match settings.public_url {
        Some(url) => url,
        None => format!("http://{}", listener.local_addr()?),
    };
    let app = App::new(&place, &url)?;
    for tenant in app.tenants() {
        println!("oidc-login: {url}/{tenant}/");
    }
    axum::serve(listener, app.router())
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}
