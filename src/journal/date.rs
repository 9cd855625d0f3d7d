//! The wall clock's milliseconds as a date.

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds since the Unix epoch as RFC 3339, in UTC with milliseconds: `2026-01-01T00:00:00.000Z`.
pub(super) fn rfc3339(wall_ms: u64) -> String {
    let (year, month, day) = date(wall_ms / DAY_MS);
    let ms = wall_ms % DAY_MS;
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of a day, counted from 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // The Gregorian calendar repeats every 400 years, which are 146 097 days.
    let mut year = 1970 + days / 146_097 * 400;
    let mut days = days % 146_097;
    while days >= length_of_year(year) {
        days -= length_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= length_of_month(year, month) {
        days -= length_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn length_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn length_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_000, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(ms), expected);
        }
        rfc3339(u64::MAX);
    }
}
