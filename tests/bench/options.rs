//! The command line, after `cargo bench -p e2e --`.

use clap::Parser;

use crate::operations::Operation;

/// Measures the whole system beside the limit that its own database and Redis set.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench -p e2e --")]
pub struct Options {
    /// Only these operations
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Operation>,
    /// How many connections at a time [default: 1,16,64; with --growth and --quick: 16; with --groups: 1,16]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: Vec<u32>,
    /// How long a round lasts [default: 5, with --quick: 1]; how long events are followed [default: 20, with --quick: 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: Option<u32>,
    /// How many rounds, of which the medians are told [default: 3; with --quick: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How many users are in the tenant [default: 10000; with --quick: 1000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    users: Option<u32>,
    /// With 1,000, 10,000, 100,000 and 1,000,000 users, or with these numbers of them
    #[arg(long, value_delimiter = ',', num_args = 0..=1, default_missing_value = "1000,10000,100000,1000000",
        value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    growth: Vec<u32>,
    /// Changes and reads groups of 10, 1,000, 100,000 and 1,000,000 members, or of these numbers of them, instead of the
    /// operations on users; with --quick: 10, 1,000 and 5,000
    #[arg(long, value_delimiter = ',', num_args = 0..=1, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    groups: Option<Vec<u32>>,
    /// Follows the events of so many changes a second, and reads events that are there already, instead of the operations on users
    #[arg(long, num_args = 0..=1, value_name = "RATE", default_missing_value = "1000",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub events: Option<u32>,
    /// Whether it works at all, in well under a minute: its figures say little
    #[arg(long)]
    quick: bool,
    /// Also the statements that took the most time in PostgreSQL, for each operation
    #[arg(long)]
    pub statements: bool,
    /// The limits' scripts as well, as pgbench gets them
    #[arg(long)]
    pub scripts: bool,
    /// One JSON object a row instead of tables
    #[arg(long)]
    pub json: bool,
    /// Tables in Markdown
    #[arg(long)]
    pub markdown: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// In the order in which they disturb each other least.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        let all = Operation::ALL.into_iter();
        all.filter(|operation| self.only.is_empty() || self.only.contains(operation))
    }

    pub fn connections(&self) -> Vec<u32> {
        match self.connections.as_slice() {
            [] if self.quick || !self.growth.is_empty() => vec![16],
            [] => vec![1, 16, 64],
            given => given.to_vec(),
        }
    }

    pub fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Whether operations on users are asked for, as they are unless something else is.
    pub fn of_users(&self) -> bool {
        self.groups.is_none() && self.events.is_none()
    }

    /// How many members the groups have, rising; none if none are asked for.
    pub fn groups(&self) -> Vec<u32> {
        let mut sizes = match &self.groups {
            Some(sizes) if sizes.is_empty() && self.quick => vec![10, 1_000, 5_000],
            Some(sizes) if sizes.is_empty() => vec![10, 1_000, 100_000, 1_000_000],
            sizes => sizes.clone().unwrap_or_default(),
        };
        sizes.sort_unstable();
        sizes
    }

    /// With how many connections members change.
    pub fn connections_of_groups(&self) -> Vec<u32> {
        match self.connections.as_slice() {
            [] => vec![1, 16],
            given => given.to_vec(),
        }
    }

    /// How long events are followed.
    pub fn seconds_of_events(&self) -> u32 {
        self.seconds.unwrap_or(if self.quick { 3 } else { 20 })
    }

    /// The numbers of users, rising.
    pub fn sizes(&self) -> Vec<u32> {
        let mut sizes = self.growth.clone();
        if sizes.is_empty() {
            sizes.push(self.users.unwrap_or(if self.quick { 1_000 } else { 10_000 }));
        }
        sizes.sort_unstable();
        sizes
    }
}
