//! The design has no violation in any history, and no guard can be taken away without one.

use e2e::fence_model::{Mutation, run};

/// Histories of the design, about 3 s in a debug build. 60,000 were run once without a violation.
const HISTORIES: u64 = 400;
/// Histories after which a mutation that was not caught counts as never caught. The slowest needs about 400.
const PATIENCE: u64 = 2_000;

#[test]
fn the_design_lets_nobody_in_after_the_bound() {
    let (mut accepted, mut asked, mut unavailable) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let history = run(seed, None);
        assert!(history.violations.is_empty(), "seed {seed}: {:#?}", history.violations);
        accepted += history.accepted;
        asked += history.asked;
        unavailable += history.unavailable;
    }
    println!("{HISTORIES} histories: {accepted} accepted, {asked} asked the core, {unavailable} unavailable");
    assert!(
        accepted > 500 * HISTORIES && asked > 100 * HISTORIES && unavailable > 0,
        "a history in which little happens proves little"
    );
}

#[test]
fn every_guard_is_missed() {
    let unnoticed: Vec<Mutation> = Mutation::ALL
        .into_iter()
        .filter(|mutation| (0..PATIENCE).all(|seed| run(seed, Some(*mutation)).violations.is_empty()))
        .collect();
    assert!(unnoticed.is_empty(), "no history misses {unnoticed:?}");
}

#[test]
fn a_seed_is_one_history() {
    let once = |seed| {
        let history = run(seed, Some(Mutation::NoLoginCheck));
        (history.accepted, history.asked, history.violations)
    };
    assert_eq!(once(7), once(7));
    assert_ne!(once(7), once(8));
}
