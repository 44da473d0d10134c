//! A service of a platform that has a table of users of its own, and keeps it in step with one tenant of Portcullis: when an
//! identity provider deactivates somebody, that row is inactive a moment later.
//!
//! What makes it safe is one transaction for each event: the row changes and the event's number is noted, or neither. So the
//! process may be killed anywhere and goes on after the last event that took effect. What it is told twice it leaves out, and
//! when the events that it missed are no longer kept, it copies all users and goes on from there.

mod follow;
mod settings;
mod source;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use follow::follow;
use settings::Settings;
use source::Source;
use table::Table;

/// The wait after a failure: a core that restarts, a database that is gone for a moment.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until it is stopped or killed.
pub fn main() -> ExitCode {
    match run(Settings::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("user-table: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(settings: Settings) -> anyhow::Result<()> {
    let place = settings.place()?;
    let mut source = Source::new(&place, settings.consumer)?;
    let table = Table::open(&place.database_url, source.tenant())
        .await
        .context("the database of the table")?;
    let following = async {
        loop {
            if let Err(error) = follow(&mut source, &table).await {
                eprintln!("user-table: {error:#}; going on in a moment");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = following => Ok(()),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
