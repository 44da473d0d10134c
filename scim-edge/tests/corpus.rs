//! The seeds of the fuzz targets, which are requests of recorded clients, through the targets' own checks: what fuzzing
//! holds the parsers to stays true on a stable toolchain and without a fuzzer.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use fuzz::SmallStack;

fn check(target: &str, at_least: usize, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let seeds: Vec<_> = fs::read_dir(&folder)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(
        seeds.len() >= at_least,
        "{} has too few seeds: {}",
        folder.display(),
        seeds.len()
    );
    let small_stack = SmallStack::of(check);
    for seed in seeds {
        small_stack.check(&fs::read(seed).expect("a seed"));
    }
}

#[test]
fn every_seed_keeps_the_promises() {
    check("filter", 25, fuzz::check_filter);
    check("path", 25, fuzz::check_path);
    check("patch", 40, fuzz::check_patch);
    check("user_json", 50, fuzz::check_user);
}
