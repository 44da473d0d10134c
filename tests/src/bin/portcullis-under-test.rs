//! `portcullis`, as a binary of this package: cargo builds no other package's binary for a test.
//!
//! One thing is added: with `PORTCULLIS_END_WITH_STDIN` set, `dev` is asked to stop when its standard input closes. The
//! test process holds the other end, so however that ends, the system does not outlive it.

use std::io::Read;
use std::process::ExitCode;

use rustix::process::{Signal, getpid, kill_process};

fn main() -> ExitCode {
    let is_dev = std::env::args().nth(1).as_deref() == Some("dev");
    if is_dev && std::env::var_os("PORTCULLIS_END_WITH_STDIN").is_some() {
        std::thread::spawn(end_with_stdin);
    }
    portcullis::main()
}

fn end_with_stdin() {
    // Any end of the pipe means the same: nobody is there any more.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let _ = kill_process(getpid(), Signal::TERM);
}
