//! The whole system, from outside.

mod access_ends;
mod acknowledgements;
mod bad_input;
mod crowds;
mod dead_letters;
mod events;
mod faults;
mod identity_client;
mod invariants;
mod many_sessions;
mod oauth;
mod oidc_login;
mod properties;
mod redis_cluster;
mod rfc;
mod sessions;
mod suspension;
mod telemetry;
mod threat_model;
mod traces;
mod user_table;
mod walk;

use e2e::System;
use e2e::system::Place;

const PLACE: Place = Place {
    binary: env!("CARGO_BIN_EXE_portcullis-under-test"),
    scratch: env!("CARGO_TARGET_TMPDIR"),
};

/// The system that the tests of this process share.
fn system() -> &'static System {
    System::shared(PLACE)
}
