//! `oidc-login`, as a binary of this package: cargo builds no other package's binary for a test.

use std::process::ExitCode;

fn main() -> ExitCode {
    oidc_login::main()
}
