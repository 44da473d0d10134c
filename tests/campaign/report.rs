//! What is said of each fault.

use std::fmt::Write as _;

use serde_json::json;

use crate::row::{Judged, Outcome, Row};

/// The figures of docs/access-ends.md for a system that is well, ms.
const HEALTHY: [(usize, f64); 2] = [(50, 50.0), (99, 250.0)];
/// What p99 of the gap is still one of 10 ms, ms.
const PROBE: f64 = 12.0;
/// How long an end of access may take while Redis is gone, ms.
const SCIM: f64 = 1_000.0;

pub const HEAD: &str = "fault                    endings  lost  revived  E p50     p99     max ms  unavailable  recovery s  gap p99 ms  result";

impl Row {
    pub fn failed(&self) -> bool {
        match &self.outcome {
            Outcome::NotRun(_) => false,
            Outcome::Broken(_) => true,
            Outcome::Judged(judged) => !judged.failures.is_empty(),
        }
    }

    pub fn line(&self) -> String {
        match &self.outcome {
            Outcome::NotRun(why) => format!("{:<24} NOT RUN: {why}", self.name),
            Outcome::Broken(why) => format!("{:<24} BROKEN: {why}", self.name),
            Outcome::Judged(judged) => self.judged(judged),
        }
    }

    fn judged(&self, judged: &Judged) -> String {
        const WIDTHS: [usize; 9] = [7, 5, 8, 7, 7, 8, 13, 11, 11];
        let [name, numbers @ ..] = self.cells(judged);
        let numbers = numbers.iter().zip(WIDTHS);
        let numbers: Vec<_> = numbers.map(|(number, width)| format!("{number:>width$}")).collect();
        let result = if judged.failures.is_empty() { "PASS" } else { "FAIL" };
        let mut line = format!("{name:<24} {}  {result}", numbers.join(" "));
        for note in self.notes(judged) {
            let _ = write!(line, " *{note}");
        }
        if judged.history.gap(99) > PROBE {
            line += " *validated less often than every 10 ms";
        }
        line
    }

    /// What is known of it, in the order of [`HEAD`], without the result.
    fn cells(&self, judged: &Judged) -> [String; 10] {
        let history = &judged.history;
        let milliseconds = |percent| format!("{:.1}", history.percentile(percent));
        [
            self.name.to_owned(),
            history.endings.to_string(),
            history.lost.len().to_string(),
            history.revived.len().to_string(),
            milliseconds(50),
            milliseconds(99),
            milliseconds(100),
            history.unavailable.to_string(),
            format!("{:.2}", judged.recovery.as_secs_f64()),
            format!("{:.1}", history.gap(99)),
        ]
    }

    /// What is over its figure, and decides nothing.
    fn notes(&self, judged: &Judged) -> Vec<String> {
        let mut notes = judged.notes.clone();
        for (percent, most) in HEALTHY {
            let e = judged.history.percentile(percent);
            if self.name.starts_with("healthy") && e > most {
                notes.push(format!("p{percent} over {most} ms"));
            }
        }
        let slowest = millis(judged.history.slowest_end);
        if self.name.starts_with("redis") && slowest > SCIM {
            notes.push(format!("an end took {slowest:.0} ms"));
        }
        if let Some(last) = judged.history.last_valid_of_tenant {
            notes.push(format!("the tenant's sessions: {:.0} ms", millis(last)));
        }
        if judged.history.flapped > 0 {
            notes.push(format!(
                "{} validations of what another had refused",
                judged.history.flapped
            ));
        }
        notes
    }

    /// A row of the table in docs/access-ends.md.
    fn markdown(&self) -> String {
        let judged = match &self.outcome {
            Outcome::NotRun(_) => return format!("| {} {}| not run |\n", self.name, "| ".repeat(9)),
            Outcome::Broken(_) => return format!("| {} {}| broken |\n", self.name, "| ".repeat(9)),
            Outcome::Judged(judged) => judged,
        };
        let result = if judged.failures.is_empty() {
            "passed"
        } else {
            "**failed**"
        };
        let notes = self.notes(judged).join("; ");
        let notes = if notes.is_empty() { notes } else { format!(": {notes}") };
        format!("| {} | {result}{notes} |\n", self.cells(judged).join(" | "))
    }

    pub fn json(&self) -> String {
        let value = match &self.outcome {
            Outcome::NotRun(why) => json!({"fault": self.name, "result": "not run", "why": why}),
            Outcome::Broken(why) => json!({"fault": self.name, "result": "broken", "why": why}),
            Outcome::Judged(judged) => json!({
                "fault": self.name,
                "result": if judged.failures.is_empty() { "pass" } else { "fail" },
                "endings": judged.history.endings,
                "lost": judged.history.lost.len(),
                "revived": judged.history.revived.len(),
                "flapped": judged.history.flapped,
                "wrong": judged.history.wrong.len(),
                "e_ms": {
                    "p50": judged.history.percentile(50),
                    "p99": judged.history.percentile(99),
                    "max": judged.history.percentile(100),
                },
                "e_of_tenant_ms": judged.history.last_valid_of_tenant.map(millis),
                "slowest_end_ms": millis(judged.history.slowest_end),
                "validations": judged.history.validations,
                "unavailable": judged.history.unavailable,
                "recovery_s": judged.recovery.as_secs_f64(),
                "gap_p99_ms": judged.history.gap(99),
                "failures": judged.failures,
                "notes": judged.notes,
            }),
        };
        value.to_string()
    }
}

/// The table of docs/access-ends.md.
pub fn markdown(rows: &[Row]) -> String {
    let head = "| fault | endings | lost | revived | E p50 ms | p99 | max | unavailable | recovery s | gap p99 ms | |\n\
                |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";
    let rows: String = rows.iter().map(Row::markdown).collect();
    format!("{head}{rows}")
}

#[expect(clippy::cast_precision_loss, reason = "minutes in µs fit")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
