//! The fault campaign: breaks the system in every way that docs/access-ends.md names, as real processes under load, and
//! checks from what clients saw, from PostgreSQL and from Redis that access ended within the bound and stayed ended.
//!
//! `cargo test -p e2e --test campaign -- --short` takes about seven minutes; `--help` lists the options.

mod acts;
mod aftermath;
mod calls;
mod crowd;
mod failpoints;
mod fault;
mod faults;
mod guards;
mod load;
mod options;
mod overload;
mod random;
mod redis_kinds;
mod report;
mod row;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::options::Options;
use crate::row::{Outcome, Row, of_row, run};
use crate::world::World;

/// How many failures of a row are told; its history has all.
const TOLD: usize = 8;

fn main() -> ExitCode {
    let Some(options) = Options::given() else {
        println!("the fault campaign is not run: give it --short, --long or --list");
        return ExitCode::SUCCESS;
    };
    match campaign(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
#[tokio::main(worker_threads = 2)]
async fn campaign(options: &Options) -> Result<bool> {
    if options.list {
        for fault in faults::all() {
            println!("{:<24} {}", fault.name, fault.what);
        }
        return Ok(true);
    }
    let seed = options.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    eprintln!("PORTCULLIS_SEED={seed}");
    if options.guards {
        return guards::all_are_missed(options, seed).await;
    }
    if !options.json {
        println!("{}", report::HEAD);
    }
    let (mut rows, mut world): (Vec<Row>, Option<World>) = (Vec::new(), None);
    for (number, fault) in faults::all().enumerate() {
        if fault.lasts(options.long).is_zero() || !options.wants(fault.name) {
            continue;
        }
        let seed = of_row(seed, number);
        let mut here = match world.take().filter(|here| here.is_on(fault.on)) {
            Some(here) => here,
            None => redis_kinds::world(seed, fault.on)
                .await
                .context("the system does not start")?,
        };
        let row = run(&mut here, fault, options, seed).await;
        println!("{}", if options.json { row.json() } else { row.line() });
        if row.failed() {
            tell(&row, &mut here)?;
        } else {
            // What failed may be broken still.
            world = Some(here);
        }
        rows.push(row);
    }
    if options.markdown {
        println!("\n{}", report::markdown(&rows));
    }
    Ok(!rows.iter().any(Row::failed))
}

/// Why it failed, and where all of it can be read.
fn tell(row: &Row, world: &mut World) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("campaign-{}-{}", row.name, std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for (name, log) in world.logs() {
        std::fs::write(folder.join(format!("{name}.log")), log)?;
    }
    if let Outcome::Judged(judged) = &row.outcome {
        for failure in judged.failures.iter().take(TOLD) {
            eprintln!("    {failure}");
        }
        let history: PathBuf = folder.join("history.jsonl");
        judged.load.history.write(&history)?;
        std::fs::write(folder.join("failures.txt"), judged.failures.join("\n"))?;
    }
    eprintln!("    {} failed; history and logs: {}", row.name, folder.display());
    Ok(())
}
