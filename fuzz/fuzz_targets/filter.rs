#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_edge_fuzz::{SmallStack, check_filter};

thread_local!(static CHECK: SmallStack = SmallStack::of(check_filter));

fuzz_target!(|input: &[u8]| CHECK.with(|check| check.check(input)));
