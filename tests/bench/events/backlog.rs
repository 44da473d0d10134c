//! How fast one consumer reads what there is already.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::measure::figures::median;
use e2e::measure::script::Vary;
use identity_proto::identity::v1::{ListEventsRequest, ListEventsResponse, SubscribeRequest};

use super::report::Backlog;
use super::{Events, client, last_sequence};
use crate::limits::{Limit, Variation};
use crate::options::Options;
use crate::stage::Stage;

/// Events on a page. The stream reads as many as the smaller one at a time.
const PAGES: [i64; 2] = [1_000, 100];
/// The number by which the statement is learnt: no other parameter has it.
const MODEL: i64 = 617;

/// By pages, and by the stream.
pub async fn measure(stage: &Stage, options: &Options) -> Result<Vec<Backlog>> {
    let mut events = client(stage);
    let last = last_sequence(&mut events, stage).await?;
    let mut rows = Vec::new();
    for page in PAGES {
        eprintln!("{last} events: ListEvents, {page} at a time");
        let limit = limit(stage, page, last, options).await?;
        let listing = async |events: &mut Events, duration| list(events, stage, page, last, duration).await;
        rows.push(row("ListEvents", page, &limit, listing, stage, options).await?);
        if page == PAGES[1] {
            let streaming = async |events: &mut Events, duration| subscribe(events, stage, last, duration).await;
            rows.push(row("Subscribe", page, &limit, streaming, stage, options).await?);
        }
    }
    if options.json {
        for row in &rows {
            println!("{}", row.json());
        }
    }
    Ok(rows)
}

/// Rounds, each followed by one of the limit.
async fn row(
    way: &'static str,
    page: i64,
    limit: &Limit,
    read: impl AsyncFn(&mut Events, Duration) -> Result<f64>,
    stage: &Stage,
    options: &Options,
) -> Result<Backlog> {
    let mut events = client(stage);
    let (mut rates, mut limits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    read(&mut events, crate::WARM_UP).await?;
    for _ in 0..options.rounds() {
        let rate = read(&mut events, Duration::from_secs(options.seconds().into())).await?;
        let limit = limit.measure(stage, 1, options.seconds())?.whole() * number(page);
        rates.push(rate);
        limits.push(limit);
        ratios.push(rate / limit);
    }
    Ok(Backlog {
        way,
        page,
        rate: median(rates),
        limit: median(limits),
        ratio: median(ratios),
    })
}

/// A page of each beginning.
async fn limit(stage: &Stage, page: i64, last: i64, options: &Options) -> Result<Limit> {
    let mut events = client(stage);
    let (_, statements) = stage.statements_of(ask(&mut events, stage, MODEL, page)).await?;
    let variation = Variation {
        set: format!("\\set from random(1, {})\n", last - page),
        vary: vec![
            Vary::Whole(MODEL.to_string(), ":from".to_owned()),
            // The consumer's name: `pgbench` takes no empty value.
            Vary::Whole(String::new(), "''".to_owned()),
        ],
        after: None,
    };
    let limit = Limit::of_statements(&statements, variation);
    if options.scripts {
        eprintln!("{}", limit.text());
    }
    Ok(limit)
}

async fn ask(events: &mut Events, stage: &Stage, from: i64, page: i64) -> Result<ListEventsResponse> {
    let request = ListEventsRequest {
        tenant_id: stage.tenant.id.clone(),
        from_sequence: from,
        page_size: i32::try_from(page)?,
        ..Default::default()
    };
    Ok(events.list_events(request).await?.into_inner())
}

/// From the first to the last, again and again: events per second.
async fn list(events: &mut Events, stage: &Stage, page: i64, last: i64, duration: Duration) -> Result<f64> {
    let (begun, mut count, mut from) = (Instant::now(), 0, 1);
    while begun.elapsed() < duration {
        let answer = ask(events, stage, from, page).await?;
        for event in &answer.events {
            ensure!(event.sequence == from, "{} came instead of {from}", event.sequence);
            from += 1;
        }
        count += i64::try_from(answer.events.len())?;
        if from > last {
            from = 1;
        }
    }
    Ok(number(count) / begun.elapsed().as_secs_f64())
}

/// The same by streams.
async fn subscribe(events: &mut Events, stage: &Stage, last: i64, duration: Duration) -> Result<f64> {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < duration {
        let request = SubscribeRequest {
            tenant_id: stage.tenant.id.clone(),
            from_sequence: 1,
            ..Default::default()
        };
        let mut stream = events.subscribe(request).await?.into_inner();
        for from in 1..=last {
            let event = stream.message().await?;
            let sequence = event.map(|event| event.sequence);
            ensure!(sequence == Some(from), "{sequence:?} came instead of {from}");
            count += 1;
            if begun.elapsed() >= duration {
                break;
            }
        }
    }
    Ok(number(count) / begun.elapsed().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "events are few")]
fn number(count: i64) -> f64 {
    count as f64
}
