//! Durations as users write them: `50ms`, `2s`, `1m30s`, and ranges `10ms..50ms`.

use std::time::Duration;

/// The longest duration: beyond it, schedules could overflow.
pub(super) const MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A duration, or the bounds between which one is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The shortest.
    pub low: Duration,
    /// The longest; equal to `low` if nothing is drawn.
    pub high: Duration,
}

/// Reads a duration or a range; the error says what to write instead.
pub fn parse_range(text: &str) -> Result<Range, String> {
    let Some((low, high)) = text.split_once("..") else {
        let one = parse(text)?;
        return Ok(Range { low: one, high: one });
    };
    let (low, high) = (parse(low)?, parse(high)?);
    if low > high {
        return Err(format!(
            "the range `{}` runs backwards: put the shorter duration first",
            text.trim()
        ));
    }
    Ok(Range { low, high })
}

/// Reads a duration; the error says what to write instead.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err("a duration is missing: write for example 500ms, 2s or 1m30s".into());
    }
    if text.parse::<f64>().is_ok() {
        return Err(format!("`{text}` has no unit: write {text}s or {text}ms"));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = part(rest).ok_or_else(|| unreadable(text))?;
        total = total
            .checked_add(part)
            .filter(|t| *t <= MAX)
            .ok_or_else(|| too_long(text))?;
        rest = after.trim_start();
    }
    Ok(total)
}

fn part(text: &str) -> Option<(Duration, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let micros: u64 = match unit {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    // At most six digits count, so that the result is exact in whole microseconds.
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let fraction: u64 = digits.parse().ok()?;
    let total = whole
        .checked_mul(micros)?
        .checked_add((u128::from(fraction) * u128::from(micros) / 1_000_000) as u64)?;
    Some((Duration::from_micros(total), rest))
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is not a duration: write for example 500ms, 2s, 1m30s or a range like 10ms..50ms")
}

fn too_long(text: &str) -> String {
    format!("`{text}` is longer than 100 years")
}

/// A duration as it would be written, for messages.
pub fn format(duration: Duration) -> String {
    let micros = duration.as_micros();
    let mut out = String::new();
    let mut rest = micros;
    for (unit, size) in [
        ("d", 86_400_000_000u128),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
        ("us", 1),
    ] {
        if rest >= size {
            out += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    if out.is_empty() { "0s".into() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, micros, written) in [
            ("50ms", 50_000, "50ms"),
            ("2s", 2_000_000, "2s"),
            ("1m30s", 90_000_000, "1m30s"),
            ("1.5s", 1_500_000, "1s500ms"),
            (" 1h 2m ", 3_720_000_000, "1h2m"),
            ("0", 0, "0s"),
            ("250us", 250, "250us"),
            ("1d", 86_400_000_000, "1d"),
        ] {
            let read = parse(text).unwrap();
            assert_eq!(
                (read.as_micros(), format(read).as_str()),
                (micros, written),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_explained() {
        for (text, expected) in [
            ("5", "has no unit: write 5s or 5ms"),
            ("", "missing"),
            ("2 sec", "not a duration"),
            ("-1s", "not a duration"),
            ("1s..", "missing"),
            ("5s..1s", "backwards"),
            ("999999999999999999d", "not a duration"),
            ("99999999d", "longer than 100 years"),
            (".5s", "not a duration"),
        ] {
            let error = parse_range(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
