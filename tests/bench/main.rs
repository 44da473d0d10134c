//! `cargo bench -p e2e`: what the whole system does per second, beside what its PostgreSQL and its Redis do with the same
//! statements, on the same servers, in the same minutes. `-- --help` lists the options; docs/performance.md says how to
//! read the tables.

mod cpu;
mod data;
mod events;
mod fill;
mod groups;
mod grpc;
mod http;
mod limits;
mod load;
mod machine;
mod memory;
mod operations;
mod options;
mod psql;
mod report;
mod requests;
mod stage;
mod statements;
mod table;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use e2e::system::Place;

use crate::data::Data;
use crate::limits::Limit;
use crate::load::Load;
use crate::operations::Operation;
use crate::options::Options;
use crate::report::Row;
use crate::stage::Stage;

const PLACE: Place = Place {
    binary: env!("CARGO_BIN_EXE_portcullis-under-test"),
    scratch: env!("CARGO_TARGET_TMPDIR"),
};

/// Fills the pools and caches before an operation's first round.
const WARM_UP: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut stage = Stage::set(PLACE).await?;
    let mut data = Data::new();
    let rows = of_users(&mut stage, &mut data, &options).await?;
    let (changes, readings) = groups::measure(&mut stage, &mut data, &options).await?;
    let (backlog, followed) = events::measure(&mut stage, &mut data, &options).await?;
    if options.json {
        return Ok(());
    }
    println!("{}\n", machine::described(&options)?);
    for rows in [&rows, &changes] {
        if !rows.is_empty() {
            println!("{}", report::tables(rows, options.markdown));
        }
    }
    if !readings.is_empty() {
        println!("{}", groups::table(&readings, options.markdown));
    }
    if !followed.is_empty() {
        println!("{}", events::tables(&backlog, &followed, options.markdown));
    }
    Ok(())
}

/// The operations on users, unless something else is asked for.
async fn of_users(stage: &mut Stage, data: &mut Data, options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    if !options.of_users() {
        return Ok(rows);
    }
    for users in options.sizes() {
        eprintln!("{users} users: filling");
        fill::grow(stage, data, u64::from(users)).await?;
        for operation in options.operations() {
            rows.extend(measure(stage, data, operation, users, &options.connections(), options).await?);
        }
    }
    Ok(rows)
}

/// One operation, with each number of connections.
async fn measure(
    stage: &mut Stage,
    data: &Data,
    operation: Operation,
    size: u32,
    connections: &[u32],
    options: &Options,
) -> Result<Vec<Row>> {
    let limit = Limit::of(operation, stage, data).await?;
    if options.scripts {
        eprintln!("{}", limit.text());
    }
    statements::forget(stage)?;
    let mut rows = Vec::new();
    for &connections in connections {
        eprintln!(
            "{size} {}: {} at {connections} connections",
            operation.size(),
            operation.name()
        );
        let row = rounds(stage, data, &limit, Row::new(operation, connections, size), options).await?;
        if options.json {
            println!("{}", row.json());
        }
        rows.push(row);
    }
    if options.statements {
        eprintln!("{}", statements::top(stage)?);
    }
    Ok(rows)
}

/// Rounds of the system, each followed by one of the limit.
async fn rounds(stage: &mut Stage, data: &Data, limit: &Limit, mut row: Row, options: &Options) -> Result<Row> {
    let (target, processes) = (stage.target(), stage.processes());
    let mut load = Load::new(row.operation, &target, data, row.connections);
    load.run(WARM_UP).await;
    for _ in 0..options.rounds() {
        let before = processes.ticks();
        let round = load.run(Duration::from_secs(options.seconds().into())).await;
        let used = processes.ticks().since(before);
        if let Some(example) = &round.example {
            eprintln!("not the right answer: {example}");
        }
        let rates = limit.measure(stage, row.connections, options.seconds())?;
        row.add(round, used, rates);
    }
    Ok(row)
}
