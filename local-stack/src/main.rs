//! `local-stack FOLDER`: a PostgreSQL and a Redis with their data in FOLDER, until this process ends. Prints their
//! URLs, one a line, when both answer. For trying things out, and for the tests that kill it.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use local_stack::{Postgres, Redis, postgres, redis};

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("usage: local-stack FOLDER")?.into();
    let postgres = Postgres::start(&folder.join("postgres"), &postgres::Options::default())?;
    let redis = Redis::start(&folder.join("redis"), &redis::Options::default())?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}\n{}", postgres.url("postgres"), redis.url())?;
    stdout.flush()?;
    // Until standard input ends, which it does at the latest when whoever started this process is gone.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    redis.stop()?;
    postgres.stop()
}
