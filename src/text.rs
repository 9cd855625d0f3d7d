//! Bytes carried in text: every byte string has one text form and comes back from it unchanged.
//!
//! Expressions and JSON work on Unicode text, but requests and streams are bytes. Valid UTF-8
//! stands for itself; any other byte `b` becomes the private-use character U+10FF00 + `b`
//! (the idea of Python's `surrogateescape`, PEP 383, within valid Unicode). The bytes of those
//! private characters themselves are escaped byte by byte, so that nothing is ambiguous.

use std::borrow::Cow;

const ESCAPE: u32 = 0x10_FF00;
/// The first byte of every character from U+100000 on in UTF-8.
const ESCAPE_LEAD: u8 = 0xF4;

/// The text form of any bytes.
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_escape(c) {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer)
                    .bytes()
                    .for_each(|b| out.push(escape(b)));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|&b| out.push(escape(b)));
    }
    out
}

/// The bytes a text form stands for. Text without escapes is borrowed.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    // Their first byte is rare: most texts are not looked at character by character.
    if memchr::memchr(ESCAPE_LEAD, text.as_bytes()).is_none() || !text.chars().any(is_escape) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        if is_escape(c) {
            out.push((c as u32 - ESCAPE) as u8);
        } else {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
    }
    Cow::Owned(out)
}

/// Decodes `%41` (and, in queries and forms, `+`) byte for byte; `None` if an escape is malformed.
pub fn percent_decode(encoded: impl AsRef<[u8]>, plus_is_space: bool) -> Option<String> {
    let encoded = encoded.as_ref();
    let mut out = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    Some(from_bytes(&out))
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|d| d as u8)
}

fn is_escape(c: char) -> bool {
    (ESCAPE..=ESCAPE + 0xFF).contains(&(c as u32))
}

fn escape(b: u8) -> char {
    char::from_u32(ESCAPE + u32::from(b)).expect("plane 16 ends at U+10FFFF")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let text = from_bytes(&bytes);
            proptest::prop_assert_eq!(&to_bytes(&text)[..], &bytes[..]);
        }
    }

    #[test]
    fn escapes_and_their_own_characters_come_back() {
        for bytes in [
            &b"\xff\xfe\0snow \xe2\x98\x83"[..],
            "\u{10FF41}\u{10FFFF}".as_bytes(),
            b"",
        ] {
            assert_eq!(&to_bytes(&from_bytes(bytes))[..], bytes);
        }
    }

    #[test]
    fn percent_escapes_are_bytes() {
        assert_eq!(
            &to_bytes(&percent_decode("%ff%00+%E2%98%83", true).unwrap())[..],
            b"\xff\0 \xe2\x98\x83"
        );
        assert_eq!(percent_decode("a+b", false).unwrap(), "a+b");
        assert_eq!(percent_decode("%4", true), None);
        assert_eq!(percent_decode("%zz", true), None);
        assert_eq!(percent_decode("%+1", true), None);
    }
}
