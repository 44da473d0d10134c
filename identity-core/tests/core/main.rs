//! identity-core as its callers see it: the real server over gRPC, on a real PostgreSQL. What it must have written is
//! read with SQL beside it.

#![expect(clippy::unwrap_used, reason = "what a test relies on may panic")]

mod access;
mod auth;
mod events;
mod faults;
mod groups;
mod harness;
mod lists;
mod logins;
mod oauth;
mod tenants;
mod tokens;
mod upgrades;
mod users;
mod writes;
