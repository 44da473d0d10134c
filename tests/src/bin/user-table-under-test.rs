//! `user-table`, as a binary of this package: cargo builds no other package's binary for a test.

use std::process::ExitCode;

fn main() -> ExitCode {
    user_table::main()
}
