//! Rows, and the tables that they become.

use e2e::measure::figures::median;
use serde_json::{Value, json};

use crate::cpu::{PROCESSES, Used};
use crate::limits::Rates;
use crate::load::Round;
use crate::operations::Operation;
use crate::table::{table, thousands};

/// An operation with a number of connections, and of users or members, over all rounds.
pub struct Row {
    pub operation: Operation,
    pub connections: u32,
    /// Users of the tenant, or members of the group.
    size: u32,
    rounds: Vec<Measured>,
    answers: f64,
    errors: u64,
    wrong: u64,
    used: Used,
    took: f64,
}

/// The figures of one round.
struct Measured {
    rate: f64,
    percentiles: [f64; 3],
    limit: Rates,
}

impl Row {
    pub fn new(operation: Operation, connections: u32, size: u32) -> Self {
        Row {
            operation,
            connections,
            size,
            rounds: Vec::new(),
            answers: 0.0,
            errors: 0,
            wrong: 0,
            used: Used::default(),
            took: 0.0,
        }
    }

    pub fn add(&mut self, mut round: Round, used: Used, limit: Rates) {
        let answers = f64::from(u32::try_from(round.latencies.count()).unwrap_or(u32::MAX));
        let took = round.took.as_secs_f64();
        self.rounds.push(Measured {
            rate: answers / took,
            percentiles: [50, 95, 99].map(|percent| round.latencies.percentile(percent)),
            limit,
        });
        self.answers += answers;
        self.errors += round.errors;
        self.wrong += round.wrong;
        self.used = self.used.plus(used);
        self.took += took;
    }

    /// Whether every answer came and was right.
    pub fn is_right(&self) -> bool {
        (self.errors, self.wrong) == (0, 0)
    }

    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    fn rate(&self) -> f64 {
        self.median(|round| round.rate)
    }

    fn percentile(&self, index: usize) -> f64 {
        self.median(|round| round.percentiles[index])
    }

    /// The rate of the limit, and the system's rate as part of it.
    fn limit(&self, of: impl Fn(Rates) -> Option<f64>) -> Option<(f64, f64)> {
        let limits: Option<Vec<f64>> = self.rounds.iter().map(|round| of(round.limit)).collect();
        let limits = limits?;
        let ratios = self.rounds.iter().zip(&limits).map(|(round, limit)| round.rate / limit);
        Some((median(limits.iter().copied()), median(ratios)))
    }

    fn alone(&self) -> Option<(f64, f64)> {
        self.limit(|rates| Some(rates.alone))
    }

    fn as_sent(&self) -> Option<(f64, f64)> {
        self.limit(|rates| rates.as_sent)
    }

    /// Milliseconds per answer of each process.
    fn cpu(&self) -> [f64; 6] {
        self.used.each.map(|millis| millis / self.answers.max(1.0))
    }

    /// How many processors others kept busy meanwhile.
    fn elsewhere(&self) -> f64 {
        self.used.elsewhere / 1_000.0 / self.took
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let cpu: serde_json::Map<_, _> = PROCESSES
            .iter()
            .zip(self.cpu())
            .map(|(name, millis)| (name.to_lowercase(), json!(millis)))
            .collect();
        json!({
            "operation": self.operation.name(), "connections": self.connections, (self.operation.size()): self.size,
            "rounds": self.rounds.len(), "requests_per_second": self.rate(),
            "p50_ms": self.percentile(0), "p95_ms": self.percentile(1), "p99_ms": self.percentile(2),
            "errors": self.errors, "wrong_answers": self.wrong, "cpu_ms_per_request": cpu,
            "busy_elsewhere": self.elsewhere(),
            "limit_per_second": self.alone().map(|(limit, _)| limit), "ratio": self.alone().map(|(_, ratio)| ratio),
            "limit_as_sent_per_second": self.as_sent().map(|(limit, _)| limit),
            "ratio_as_sent": self.as_sent().map(|(_, ratio)| ratio),
        })
    }

    fn rates(&self) -> Vec<String> {
        let whole = |value: f64| format!("{value:.0}");
        let ratio = |value: f64| format!("{value:.2}");
        let pair = |limit: Option<(f64, f64)>| match limit {
            Some((limit, part)) => [whole(limit), ratio(part)],
            None => ["–", "–"].map(str::to_owned),
        };
        let mut cells = self.label();
        cells.push(whole(self.rate()));
        cells.extend([0, 1, 2].map(|index| format!("{:.2}", self.percentile(index))));
        cells.extend([self.errors, self.wrong].map(|count| count.to_string()));
        cells.extend(pair(self.alone()));
        cells.extend(pair(self.as_sent()));
        cells
    }

    fn processors(&self) -> Vec<String> {
        let mut cells = self.label();
        cells.extend(self.cpu().map(|millis| format!("{millis:.3}")));
        cells.push(format!("{:.2}", self.elsewhere()));
        cells
    }

    fn label(&self) -> Vec<String> {
        vec![
            self.operation.name().to_owned(),
            thousands(self.size),
            self.connections.to_string(),
        ]
    }
}

/// Both tables, of operations whose size is of one kind.
pub fn tables(rows: &[Row], markdown: bool) -> String {
    let size = rows.first().map_or("users", |row| row.operation.size());
    let label = ["operation", size, "connections"];
    let rates = [
        "requests/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "wrong",
        "limit/s",
        "ratio",
        "limit as sent/s",
        "ratio",
    ];
    let head = |columns: &[&str]| -> Vec<String> { label.iter().chain(columns).map(|&name| name.to_owned()).collect() };
    let processors: Vec<&str> = PROCESSES.into_iter().chain(["busy elsewhere"]).collect();
    [
        table(head(&rates), rows.iter().map(Row::rates), markdown),
        "CPU, milliseconds per request; and how many processors others kept busy\n".to_owned(),
        table(head(&processors), rows.iter().map(Row::processors), markdown),
    ]
    .join("\n")
}
