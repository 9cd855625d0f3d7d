//! Bytes and times in few characters.

use std::time::Duration;

/// Bytes on one line of at most so many characters: line ends and what cannot be seen are escaped
/// (`\n`, `\x00`, `\u{feff}`).
pub(super) fn printable(bytes: &[u8], most: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().chars().map(visible);
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        for shown in valid.chain(invalid) {
            length += shown.chars().count();
            if length > most {
                // Room for the ellipsis.
                while out.chars().count() >= most {
                    out.pop();
                }
                out.push('…');
                return out;
            }
            out += &shown;
        }
    }
    out
}

fn visible(c: char) -> String {
    match c {
        '"' | '\'' => c.into(),
        '\0'..='\x1f' | '\x7f' if !matches!(c, '\n' | '\r' | '\t') => format!("\\x{:02x}", c as u32),
        c => c.escape_debug().collect(),
    }
}

/// Seconds with their milliseconds: `1.050`.
pub(super) fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// `1 write`, `2 writes`.
pub(super) fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped_and_what_is_long_is_cut() {
        for (bytes, most, expected) in [
            (&b"data: a\n\n"[..], 20, r"data: a\n\n"),
            ("\u{feff}☃ \"x\" \\".as_bytes(), 40, r#"\u{feff}☃ "x" \\"#),
            (b"\xff\x00\t\r\x1b[31m\x7f", 40, r"\xff\x00\t\r\x1b[31m\x7f"),
            ("\u{202e}\u{85}".as_bytes(), 40, r"\u{202e}\u{85}"),
            (b"abcdef", 6, "abcdef"),
            (b"abcdefg", 6, "abcde…"),
            (b"abcde\n\n", 6, "abcde…"),
            (b"", 6, ""),
        ] {
            assert_eq!(printable(bytes, most), expected);
        }
    }
}
