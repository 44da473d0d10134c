//! The command line, after `cargo test -p e2e --test campaign --`.

use std::time::Duration;

use clap::Parser;

/// Breaks the system in each way that docs/access-ends.md names, and checks that access ended all the same.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo test -p e2e --test campaign --")]
pub struct Options {
    /// Every fault for a few seconds: about seven minutes
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// Every fault for as long as docs/access-ends.md says, under more load
    #[arg(long)]
    pub long: bool,
    /// Takes one guard away after the other and says what noticed: needs --features sabotage
    #[arg(long, conflicts_with_all = ["short", "long"])]
    pub guards: bool,
    /// Only faults (with --guards: guards) whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Says which faults there are
    #[arg(long)]
    pub list: bool,
    /// What repeats the order of kinds and pauses of an earlier run
    #[arg(long, env = "PORTCULLIS_SEED")]
    pub seed: Option<u64>,
    /// Ends of access a second [default: 2; with --guards: 4, with --long: 20]
    #[arg(long)]
    rate: Option<u32>,
    /// One JSON object a fault
    #[arg(long)]
    pub json: bool,
    /// The table in Markdown
    #[arg(long)]
    pub markdown: bool,
}

impl Options {
    /// Nothing, when nothing was asked for: `cargo test` runs every test target, and this one takes minutes.
    pub fn given() -> Option<Self> {
        let asked = ["--short", "--long", "--guards", "--list", "--help"];
        let any = std::env::args().any(|argument| asked.contains(&argument.as_str()));
        any.then(Options::parse)
    }

    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// Pauses between ends of access.
    pub fn every(&self) -> Duration {
        let usual = match (self.long, self.guards) {
            (true, _) => 20,
            (_, true) => 4,
            _ => 2,
        };
        Duration::from_secs(1) / self.rate.unwrap_or(usual).max(1)
    }

    /// How often a session is validated by each service once it has been refused for a while, and while nobody can say: a
    /// machine that also builds and tests has no time for more in the short form.
    pub fn settled(&self) -> Duration {
        Duration::from_millis(if self.long { 10 } else { 50 })
    }
}
