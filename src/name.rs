//! What comes from requests: names short enough to be remembered in great number, texts fit to be shown.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// A name that is longer, in bytes, is remembered by its digest.
const LONG: usize = 256;

/// The name itself, or what stands for it if it is long.
pub(crate) fn short(name: &str) -> Cow<'_, str> {
    match name.len() > LONG {
        false => Cow::Borrowed(name),
        true => {
            let digest = Sha256::digest(name.as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            Cow::Owned(format!("sha256:{hex}"))
        }
    }
}

/// A text as it may stand in a line of the log: whatever would end the line, move the cursor or turn the
/// direction of writing is escaped.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(moves) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| match moves(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

fn moves(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line() {
        assert_eq!(printable("ä b"), "ä b");
        assert_eq!(
            printable("a\r\nb\x1b[31m\u{9b}\u{202e}\u{2028}\t"),
            r"a\r\nb\u{1b}[31m\u{9b}\u{202e}\u{2028}\t"
        );
    }

    #[test]
    fn long_names_stay_apart_and_become_short() {
        let long = "x".repeat(100_000);
        assert_eq!(short("name"), "name");
        assert_eq!(short(&long), short(&long.clone()));
        assert_ne!(short(&long), short(&long[1..]));
        assert!(short(&long).len() < LONG);
    }
}
