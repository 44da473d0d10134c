//! Handlers: each parses, makes a call or two, and renders.

pub mod discovery;
pub mod groups;
pub mod search;
pub mod users;

mod conditional;
mod members;
mod text;
