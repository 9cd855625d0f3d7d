//! Members of JSON documents. The text is changed where a secret stands and nowhere else, so that numbers,
//! spaces, and members that come twice stay as they were sent.

use super::is_secret_name;

/// The text of a valid JSON document, with `hide(value)` as a string in place of each secret member's
/// value. A string's value comes without its quotes and escapes, any other as it stands there.
pub(super) fn mask(text: &str, mut hide: impl FnMut(String) -> &'static str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != b'"' {
            at += 1;
            continue;
        }
        let end = after_string(bytes, at);
        let key = &text[at..end];
        at = spaces(bytes, end);
        // A string before a colon is a name; it cannot be a value.
        if bytes.get(at) != Some(&b':') {
            continue;
        }
        at = spaces(bytes, at + 1);
        if !is_secret_name(&string(key)) {
            continue;
        }
        let end = after_value(bytes, at);
        out += &text[copied..at];
        out.push('"');
        out += hide(string(&text[at..end]));
        out.push('"');
        (copied, at) = (end, end);
    }
    out + &text[copied..]
}

/// The value of a string; anything else as it stands.
fn string(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.trim_matches('"').to_owned())
}

fn spaces(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// The place behind the string that begins here.
fn after_string(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The place behind the value that begins here.
fn after_value(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = after_string(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}
