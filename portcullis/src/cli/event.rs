//! `portcullis events`

use clap::Subcommand;

/// `portcullis events`
#[derive(Debug, Subcommand)]
pub enum Events {
    /// List what happened, the oldest that is kept first
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
        /// The number to begin with
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        from: i64,
    },
    /// List what happens from now on, until Ctrl-C
    Follow {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// List the consumers that acknowledge events, and how far each came
    Consumers {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// Forget a consumer that is no more, so that events are no longer kept for it
    Forget {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
        /// As `events consumers` shows it
        consumer: String,
    },
    /// Announcements of ended access that failed five times; the access ended all the same
    #[command(subcommand)]
    DeadLetters(DeadLetters),
}

/// `portcullis events dead-letters`
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List those that wait, with what they said and why they failed
    List,
    /// Announce one or all of them once more, when what they failed of is mended
    Replay {
        /// As `events dead-letters list` shows it, such as 7:1764194521000-0
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Announce all that wait now
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Forget one that nothing is to be done about
    Forget {
        /// As `events dead-letters list` shows it
        id: String,
    },
}
