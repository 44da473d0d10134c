//! Lengths of time as people write them: a number with a unit.

use std::time::Duration;

/// `365d`, `12h`, `30m`, `45s`, and more than nothing.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = overlap(text)?;
    if duration.is_zero() {
        return Err("nothing lives for no time: give a number with d, h, m or s, such as 365d".to_owned());
    }
    Ok(duration)
}

/// The same, or `0s`: no overlap.
pub(super) fn overlap(text: &str) -> Result<Duration, String> {
    let wrong = || "give a number with d, h, m or s, such as 365d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_with_a_unit() {
        let check = |text: &str, lives: Option<u64>, overlaps: Option<u64>| {
            let seconds = |read: Result<Duration, String>| read.ok().map(|duration| duration.as_secs());
            assert_eq!(
                (seconds(lifetime(text)), seconds(overlap(text))),
                (lives, overlaps),
                "{text}"
            );
        };
        check("365d", Some(31_536_000), Some(31_536_000));
        check("12h", Some(43_200), Some(43_200));
        check("90m", Some(5_400), Some(5_400));
        check("5s", Some(5), Some(5));
        check("0d", None, Some(0));
        for wrong in ["", "d", "365", "-1d", "1w", "1é", "18446744073709551615d"] {
            check(wrong, None, None);
        }
    }
}
