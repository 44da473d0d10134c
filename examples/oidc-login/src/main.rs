//! Logs people in through an OpenID provider and keeps Portcullis sessions: see the README beside this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    oidc_login::main()
}
