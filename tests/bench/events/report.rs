//! Rows, and the tables that they become.

use serde_json::{Value, json};

use crate::cpu::PROCESSES;
use crate::table::table;

/// How fast what is there is read.
pub struct Backlog {
    pub way: &'static str,
    pub page: i64,
    pub rate: f64,
    pub limit: f64,
    pub ratio: f64,
}

/// How a consumer followed.
pub struct Followed {
    pub way: &'static str,
    /// Changes per second: asked for, and reached.
    pub asked: u32,
    pub changes: f64,
    /// Half of the changes were answered within the first, 99 % within the second.
    pub change_ms: [f64; 2],
    /// Changes that failed, and calls of the consumer.
    pub errors: [u64; 2],
    /// From a change's answer to its event: half, 99 %, all.
    pub delay_ms: [f64; 3],
    /// Events that came before the answer: their delay is 0.
    pub early: u64,
    /// Changes that were answered and had not come: the most, and those when the last answer came.
    pub most_waiting: u64,
    pub waiting: u64,
    /// Events that never came, came twice, came out of order.
    pub faults: [u64; 3],
    /// Processors that were busy.
    pub cpu: [f64; 6],
    pub elsewhere: f64,
}

impl Backlog {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "operation": "events that are there", "way": self.way, "at_a_time": self.page,
            "events_per_second": self.rate, "limit_as_sent_per_second": self.limit, "ratio_as_sent": self.ratio,
        })
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.way.to_owned(),
            self.page.to_string(),
            format!("{:.0}", self.rate),
            format!("{:.0}", self.limit),
            format!("{:.2}", self.ratio),
        ]
    }
}

impl Followed {
    /// For programs.
    pub fn json(&self) -> Value {
        let cpu: serde_json::Map<_, _> = PROCESSES
            .iter()
            .zip(self.cpu)
            .map(|(name, busy)| (name.to_lowercase(), json!(busy)))
            .collect();
        json!({
            "operation": "events that come", "way": self.way, "changes_asked_per_second": self.asked,
            "changes_per_second": self.changes, "change_p50_ms": self.change_ms[0], "change_p99_ms": self.change_ms[1],
            "errors": self.errors[0], "calls_again": self.errors[1], "delay_p50_ms": self.delay_ms[0], "delay_p99_ms": self.delay_ms[1],
            "delay_max_ms": self.delay_ms[2], "before_the_answer": self.early, "most_waiting": self.most_waiting,
            "waiting_at_the_end": self.waiting, "missing": self.faults[0], "twice": self.faults[1],
            "out_of_order": self.faults[2], "busy": cpu, "busy_elsewhere": self.elsewhere,
        })
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.way.to_owned(), format!("{:.0}", self.changes)];
        let times = self.change_ms.iter().chain(&self.delay_ms);
        cells.extend(times.map(|millis| format!("{millis:.2}")));
        let counts = [self.early, self.most_waiting, self.waiting]
            .into_iter()
            .chain(self.faults)
            .chain(self.errors);
        cells.extend(counts.map(|count| count.to_string()));
        cells
    }

    fn processors(&self) -> Vec<String> {
        let busy = self
            .cpu
            .into_iter()
            .chain([self.elsewhere])
            .map(|busy| format!("{busy:.2}"));
        std::iter::once(format!("{:.0}", self.changes)).chain(busy).collect()
    }
}

/// What was read, what was followed, and the processors meanwhile.
pub fn tables(backlog: &[Backlog], followed: &[Followed], markdown: bool) -> String {
    let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let read = text(&[
        "events that are there",
        "at a time",
        "events/s",
        "limit as sent/s",
        "ratio",
    ]);
    let came = text(&[
        "events that come",
        "changes/s",
        "answer p50 ms",
        "p99 ms",
        "event after it p50 ms",
        "p99 ms",
        "max ms",
        "before it",
        "waiting, most",
        "at the end",
        "missing",
        "twice",
        "out of order",
        "errors",
        "calls again",
    ]);
    let busy: Vec<&str> = ["changes/s"]
        .into_iter()
        .chain(PROCESSES)
        .chain(["busy elsewhere"])
        .collect();
    [
        table(read, backlog.iter().map(Backlog::cells), markdown),
        table(came, followed.iter().map(Followed::cells), markdown),
        "Processors that were busy meanwhile\n".to_owned(),
        table(text(&busy), followed.iter().take(1).map(Followed::processors), markdown),
    ]
    .join("\n")
}
