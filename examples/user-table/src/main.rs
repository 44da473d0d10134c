//! Keeps a platform's own table of users in step with Portcullis: see the README beside this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    user_table::main()
}
