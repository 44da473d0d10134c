//! Handlers: each parses, makes one call, and renders.

pub mod discovery;
pub mod search;
pub mod users;
