//! What administrators do. Each command but `secrets` is one or two calls of the system's gRPC interfaces and one answer.

pub(crate) mod secrets;

mod access;
mod audit;
mod client;
mod dead_letters;
mod events;
mod group;
mod login;
mod profile;
mod resolve;
mod session;
mod tenant;
mod token;
mod user;

use std::time::Duration;

use jiff::Timestamp;

use crate::cli::Admin;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// Carries out one command.
pub(crate) async fn run(command: Admin, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        Admin::Tenant(command) => tenant::run(command, system, output).await,
        Admin::Token(command) => token::run(command, system, output).await,
        Admin::Client(command) => client::run(command, system, output).await,
        Admin::Audit(command) => audit::run(command, system, output).await,
        Admin::User(command) => user::run(command, system, output).await,
        Admin::Group(command) => group::run(command, system, output).await,
        Admin::Events(command) => events::run(command, system, output).await,
        Admin::Access(command) => access::run(command, system, output).await,
        Admin::Login(command) => login::run(command, system, output).await,
        Admin::Session(command) => session::run(command, system, output).await,
    }
}

/// RFC 3339 in microseconds, so that texts sort as times do. `None` for no time and for what is no time.
fn rfc3339(time: Option<prost_types::Timestamp>) -> Option<String> {
    let time = time?;
    Some(format!("{:.6}", Timestamp::new(time.seconds, time.nanos).ok()?))
}

/// What an option said, as the interfaces take it.
fn proto_duration(option: &str, duration: Duration) -> Result<prost_types::Duration, Failure> {
    prost_types::Duration::try_from(duration).map_err(|_| Failure::usage(format!("{option} is too long")))
}

/// The name of an event's type as people know it: RFC 9967's without what all of them begin with.
fn short(event_type: &str) -> &str {
    event_type
        .strip_prefix("urn:ietf:params:scim:event:")
        .unwrap_or(event_type)
}

/// A time for people.
fn or_never(time: Option<&String>) -> &str {
    time.map_or("never", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let check = |seconds, nanos, expect: Option<&str>| {
            assert_eq!(
                rfc3339(Some(prost_types::Timestamp { seconds, nanos })).as_deref(),
                expect
            );
        };
        check(0, 0, Some("1970-01-01T00:00:00.000000Z"));
        check(1_763_772_000, 5_000_000, Some("2025-11-22T00:40:00.005000Z"));
        check(i64::MAX, 0, None);
        assert_eq!(rfc3339(None), None);
    }
}
