//! Sizes as users write them: `512`, `5KiB`, `5MiB`, `10KB`.

/// Reads a size in bytes; the error says what to write instead.
pub fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim_start() {
        "" | "B" => 1,
        "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err(unreadable(text)),
    };
    let number: u64 = text[..digits].parse().map_err(|_| unreadable(text))?;
    number
        .checked_mul(unit)
        .ok_or_else(|| format!("`{text}` is too large"))
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is no size: write for example 512, 4KiB or 5MiB")
}

/// A size as it would be written, for messages.
pub fn format(bytes: u64) -> String {
    for (unit, size) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}B")
}
