//! What a history came to.

use super::At;

/// What was found, and how long it took.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Ends of access that were answered with success and had a session to end.
    pub endings: usize,
    /// Sessions that were valid after everything although their access had ended.
    pub lost: Vec<String>,
    /// Sessions that were valid after they had been refused, or longer than the bound after the end; and logins from before
    /// an end that became a session after it.
    pub revived: Vec<String>,
    /// Validations of a session that another process had refused, where that may be.
    pub flapped: usize,
    /// Refused, although their access had not ended.
    pub wrong: Vec<String>,
    /// Answers that must not be given.
    pub forbidden: Vec<String>,
    /// For each ending, the time from the answer of success to the last answer that a session is valid.
    pub last_valid: Vec<At>,
    /// The same, at most, where a whole tenant's access ended.
    pub last_valid_of_tenant: Option<At>,
    pub validations: usize,
    pub unavailable: usize,
    /// Of these, ends of access by SCIM.
    pub scim_unavailable: usize,
    /// The longest answer to an end of access, µs.
    pub slowest_end: At,
    /// Times between two validations of the same session by the same service around its end, µs, sorted.
    pub gaps: Vec<At>,
}

impl Judgement {
    /// E that so many of a hundred endings did not exceed, in ms.
    pub fn percentile(&self, percent: usize) -> f64 {
        of(&self.last_valid, percent)
    }

    /// The same of the gaps between validations.
    pub fn gap(&self, percent: usize) -> f64 {
        of(&self.gaps, percent)
    }
}

/// Nearest rank.
fn of(sorted: &[At], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len().max(1));
    #[expect(clippy::cast_precision_loss, reason = "minutes in µs fit")]
    let micros = sorted.get(rank - 1).copied().unwrap_or_default() as f64;
    micros / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let check = |count: u64, percent, expect: f64| {
            let sorted: Vec<At> = (1..=count).map(|ms| ms * 1_000).collect();
            assert!((of(&sorted, percent) - expect).abs() < 1e-9, "{count} {percent}");
        };
        check(0, 50, 0.0);
        check(1, 50, 1.0);
        check(100, 50, 50.0);
        check(100, 99, 99.0);
        check(100, 100, 100.0);
        check(3, 99, 3.0);
    }
}
