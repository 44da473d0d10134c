//! Percentiles and medians.

use std::time::Duration;

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    micros: Vec<u32>,
    sorted: bool,
}

impl Latencies {
    /// One more answer.
    pub fn push(&mut self, took: Duration) {
        self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.sorted = false;
    }

    /// The answers of another connection too.
    pub fn append(&mut self, mut other: Latencies) {
        self.micros.append(&mut other.micros);
        self.sorted = false;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// In milliseconds, by nearest rank: the smallest latency that `percent` of all answers did not exceed. Zero of none.
    pub fn percentile(&mut self, percent: usize) -> f64 {
        if !self.sorted {
            self.micros.sort_unstable();
            self.sorted = true;
        }
        let rank = (self.micros.len() * percent).div_ceil(100).max(1);
        self.micros
            .get(rank - 1)
            .map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
    }
}

/// The middle one, or the mean of the two in the middle; zero of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (0, 0) => 0.0,
        (middle, 0) => f64::midpoint(values[middle - 1], values[middle]),
        (middle, _) => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_were_seen() {
        let check = |micros: &[u64], percent: usize, expect: f64| {
            let mut latencies = Latencies::default();
            for one in micros {
                latencies.push(Duration::from_micros(*one));
            }
            assert!(
                (latencies.percentile(percent) - expect).abs() < 1e-9,
                "{micros:?} {percent}"
            );
        };
        check(&[], 50, 0.0);
        check(&[3_000], 50, 3.0);
        check(&[3_000], 99, 3.0);
        check(&[4_000, 1_000, 3_000, 2_000], 50, 2.0);
        check(&[4_000, 1_000, 3_000, 2_000], 51, 3.0);
        let hundred: Vec<u64> = (1..=100).rev().map(|one| one * 1_000).collect();
        check(&hundred, 50, 50.0);
        check(&hundred, 95, 95.0);
        check(&hundred, 99, 99.0);
        check(&hundred, 100, 100.0);
    }

    #[test]
    fn latencies_of_connections_are_taken_together() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        one.push(Duration::from_millis(9));
        assert!((one.percentile(50) - 9.0).abs() < 1e-9);
        other.push(Duration::from_millis(1));
        one.append(other);
        assert_eq!(one.count(), 2);
        assert!((one.percentile(50) - 1.0).abs() < 1e-9, "sorted again");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let check = |values: &[f64], expect: f64| assert!((median(values.iter().copied()) - expect).abs() < 1e-9);
        check(&[], 0.0);
        check(&[7.0], 7.0);
        check(&[9.0, 1.0], 5.0);
        check(&[9.0, 1.0, 2.0], 2.0);
    }
}
