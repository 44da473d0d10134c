//! The campaign against itself: one guard after the other is taken away, and the row that is named for it has to fail.

use anyhow::{Context, Result, bail, ensure};
use e2e::guards::{Caught, GUARDS, Guard};

use crate::fault::Fault;
use crate::faults;
use crate::load::TWO_SESSIONS;
use crate::options::Options;
use crate::row::{Outcome, Row, of_row, run};
use crate::world::World;

/// Which steps of which process meet is up to the machine: so often a row is tried.
const TRIES: u64 = 3;

/// Whether nothing fails with all guards in place, and something without each.
pub async fn all_are_missed(options: &Options, seed: u64) -> Result<bool> {
    ensure!(
        cfg!(feature = "sabotage"),
        "guards can be taken away in a build with --features sabotage only"
    );
    let chosen: Vec<&Guard> = GUARDS.iter().filter(|guard| options.wants(guard.name)).collect();
    let mut good = controls(&chosen, options, seed).await?;
    println!("| without | which says | caught by | what it saw |\n|---|---|---|---|");
    for guard in chosen {
        let (by, saw) = match guard.caught {
            Caught::Model(why) => (
                "`a_script_without_one_of_its_guards_is_noticed` alone".to_owned(),
                why.to_owned(),
            ),
            Caught::Test(test, why) => (format!("`{test}` alone"), why.to_owned()),
            Caught::Campaign(row, seconds) => {
                let saw = missed(guard, &lasting(row, seconds)?, options, seed).await?;
                good &= saw.is_ok();
                (format!("`{row}`"), saw.unwrap_or_else(|nothing| nothing))
            }
        };
        println!("| {} | {} | {by} | {saw} |", guard.name, guard.what);
    }
    Ok(good)
}

/// The rows with every guard in place.
async fn controls(guards: &[&Guard], options: &Options, seed: u64) -> Result<bool> {
    let (mut good, mut seen) = (true, Vec::new());
    let mut world = World::start(seed, None).await?;
    println!("{}", crate::report::HEAD);
    for guard in guards {
        if let Caught::Campaign(name, seconds) = guard.caught
            && !seen.contains(&(name, seconds))
        {
            seen.push((name, seconds));
            let row = run(&mut world, &lasting(name, seconds)?, options, seed).await;
            println!("{}", row.line());
            if row.failed() {
                crate::tell(&row, &mut world)?;
                good &= matches!(saw(&row), Ok(None));
                drop(world);
                world = World::start(seed, None).await?;
            }
        }
    }
    println!();
    Ok(good)
}

/// What the row saw without the guard, or that it saw nothing, or was never judged.
async fn missed(guard: &Guard, fault: &Fault, options: &Options, seed: u64) -> Result<Result<String, String>> {
    let mut nothing = "**nothing**".to_owned();
    for turn in 0..TRIES {
        let seed = of_row(seed, usize::try_from(turn)?);
        let mut world = World::start(seed, Some(guard))
            .await
            .with_context(|| format!("without {}", guard.name))?;
        match saw(&run(&mut world, fault, options, seed).await) {
            Ok(Some(saw)) => return Ok(Ok(format!("{saw}, try {}", turn + 1))),
            Ok(None) => {}
            Err(why) => nothing = format!("**nothing**, and try {} broke: {why:#}", turn + 1),
        }
    }
    Ok(Err(nothing))
}

/// What is wrong with access, if anything is. That something took its time says nothing of a guard. An error: the row was
/// not judged.
fn saw(row: &Row) -> Result<Option<String>> {
    let judged = match &row.outcome {
        Outcome::Judged(judged) => judged,
        Outcome::Broken(why) | Outcome::NotRun(why) => bail!("{}: {why}", row.name),
    };
    let found = judged.failures.iter().filter_map(|text| Some((severity(text)?, text)));
    let worst = found.clone().min();
    Ok(worst.map(|worst| format!("{} ({} findings)", worst.1, found.count())))
}

/// The less the worse; nothing, if it is not about access.
fn severity(finding: &str) -> Option<usize> {
    let kinds = ["revived: ", "lost: ", "the register of ", "bucket ", "wrong: "];
    let known = kinds.iter().position(|kind| finding.starts_with(kind));
    known.or(finding.contains(TWO_SESSIONS).then_some(0))
}

fn lasting(name: &str, seconds: u64) -> Result<Fault> {
    let fault = faults::all().find(|fault| fault.name == name);
    let fault = *fault.with_context(|| format!("there is no row {name}"))?;
    Ok(Fault {
        seconds: (seconds, seconds),
        ..fault
    })
}
