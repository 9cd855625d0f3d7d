//! Sizes as users write them: `512`, `5KiB`, `1.5MiB`, `10KB`; in bytes.

/// The largest size: 1 TiB. Beyond it a number is a slip of the pen.
const MAX: u64 = 1 << 40;

const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a size in bytes; the error says what to write instead. Units in any case.
pub fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a size is missing: write for example 512, 5KiB or 10MB".into());
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = factor(unit.trim()).ok_or_else(|| unreadable(text))?;
    let bytes = times(number, unit).ok_or_else(|| unreadable(text))?;
    let bytes = u64::try_from(bytes).ok().filter(|bytes| *bytes <= MAX);
    bytes.ok_or_else(|| format!("`{text}` is more than {}", format(MAX)))
}

fn factor(unit: &str) -> Option<u64> {
    if unit.is_empty() {
        return Some(1);
    }
    // `5K` could be either; it is neither.
    let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    known.map(|(_, factor)| *factor)
}

/// Exact: a fraction of more digits than the unit can hold is cut off. `None` for what is no number.
fn times(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && unit > 1 => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    if whole.len() > 20 || fraction.len() > 12 {
        return None;
    }
    let whole: u128 = whole.parse().ok()?;
    let parts: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let unit = u128::from(unit);
    Some(whole * unit + parts * unit / 10u128.pow(fraction.len() as u32))
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is not a size: write for example 512, 5KiB or 10MB")
}

/// A size as it would be written, for messages: in the largest unit that it is a whole number of.
pub fn format(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*factor);
    match UNITS.iter().filter(fits).max_by_key(|(_, factor)| *factor) {
        Some((_, 1)) | None => bytes.to_string(),
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("0", 0, "0"),
            ("512", 512, "512"),
            ("512B", 512, "512"),
            ("5KiB", 5_120, "5KiB"),
            ("5 kib", 5_120, "5KiB"),
            ("5MiB", 5 << 20, "5MiB"),
            ("1GiB", 1 << 30, "1GiB"),
            ("10KB", 10_000, "10KB"),
            ("1MB", 1_000_000, "1MB"),
            ("1.5MiB", 1_572_864, "1536KiB"),
            ("0.25KB", 250, "250"),
            ("1024GiB", 1 << 40, "1024GiB"),
        ] {
            let read = parse(text);
            assert_eq!(read, Ok(bytes), "{text}");
            assert_eq!(format(bytes), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_explained() {
        for (text, expected) in [
            ("", "a size is missing"),
            ("5K", "`5K` is not a size: write for example"),
            ("-1", "not a size"),
            ("1.5", "not a size"),
            ("1.KB", "not a size"),
            (".5KB", "not a size"),
            ("1.2.3MB", "not a size"),
            ("5MiB!", "not a size"),
            ("KiB", "not a size"),
            ("1025GiB", "`1025GiB` is more than 1024GiB"),
            ("99999999999999999999", "more than 1024GiB"),
            ("999999999999999999999999999999", "not a size"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
