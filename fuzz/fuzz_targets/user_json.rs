#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_edge_fuzz::{SmallStack, check_user};

thread_local!(static CHECK: SmallStack = SmallStack::of(check_user));

fuzz_target!(|input: &[u8]| CHECK.with(|check| check.check(input)));
