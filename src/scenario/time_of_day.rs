//! Times of day: RFC 3339 in UTC or with an offset, as milliseconds since 1970.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The milliseconds since 1970-01-01T00:00:00Z that a text says (RFC 3339 §5.6).
///
/// # Errors
///
/// Says what was meant to stand there.
pub fn parse(text: &str) -> Result<u64, String> {
    let wanted = || {
        format!(
            "`{}` is no time: write it as 2026-01-31T12:00:00Z (RFC 3339, from 1970 on)",
            crate::name::short(text)
        )
    };
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wanted())?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).map_err(|_| wanted())
}

/// Milliseconds since 1970 as RFC 3339 says them, in UTC, with milliseconds.
pub fn format(ms: u64) -> String {
    // Clocks may go beyond the year 9999, which no text of this form can say.
    const LAST: u64 = 253_402_300_799_999;
    let nanos = i128::from(ms.min(LAST)) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_any_offset_and_said_in_utc() {
        for (text, ms, said) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"),
            (
                "2026-01-01T00:00:00Z",
                1_767_225_600_000,
                "2026-01-01T00:00:00.000Z",
            ),
            (
                "2026-01-01T01:30:00.250+01:30",
                1_767_225_600_250,
                "2026-01-01T00:00:00.250Z",
            ),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
            assert_eq!(format(ms), said);
        }
    }

    #[test]
    fn no_time_is_said_that_is_later_than_can_be_said() {
        assert_eq!(format(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "12:00",
        ] {
            assert!(parse(text).unwrap_err().contains("RFC 3339"), "{text}");
        }
    }
}
