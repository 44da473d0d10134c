//! What a person types: the administrator's commands, `serve` for one service, and `dev` for the whole system on one
//! machine. Commands reach the system only through its gRPC interfaces.
//!
//! Standard output holds the answer alone, so that it can be captured; what to do next goes to standard error.

pub mod cli;
pub mod dev;
pub mod failure;
pub mod serve;

mod commands;
mod connect;
mod health;
mod output;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command line of this process. Other binaries may call it and become `portcullis` by that.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::hint(&format!("error: {failure}"));
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let output = Output::new(cli.json);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(Command::Serve(serve)) = &cli.command {
        serve.set_threads(&mut builder);
    }
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start: {error}")))?;
    let data_dir = cli.data_dir;
    runtime.block_on(async {
        let command = match cli.command {
            None => return dev::run(&data_dir, cli.dev, output).await,
            Some(_) if cli.dev != dev::Options::default() => {
                return Err(Failure::usage(
                    "options of `dev` were given before another command: remove them",
                ));
            }
            Some(command) => command,
        };
        match command {
            Command::Dev(options) => dev::run(&data_dir, options, output).await,
            Command::Serve(serve) => serve::run(serve).await,
            Command::Secrets(options) => commands::secrets::run(&options, output),
            Command::Health { url } => health::run(&url, output).await,
            Command::Admin(command) => {
                let system = System::find(&data_dir)?;
                commands::run(command, &system, output)
                    .await
                    .map_err(|failure| failure.about(&system))
            }
        }
    })
}
