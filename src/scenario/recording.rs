//! Recordings: one write a line, `{"at":12.5,"text":"data: x\n\n"}`. `at` counts from the head, in
//! milliseconds; bytes that are no UTF-8 stand as `base64`. Read by the step `replay`, written by
//! `mock-sse record`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::duration;

/// One write of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// When, since the head; never before the write ahead of it.
    pub at: Duration,
    /// What; not empty.
    pub bytes: Bytes,
}

/// The writes of a recording; the error names the line and says what is wrong with it. Empty lines
/// are skipped.
pub fn parse(bytes: &[u8]) -> Result<Vec<Write>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut writes: Vec<Write> = Vec::new();
    for (i, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let write = parse_line(line).map_err(|why| format!("line {}: {why}", i + 1))?;
        if let Some(before) = writes.last().filter(|before| before.at > write.at) {
            return Err(format!(
                "line {}: its `at` is {}, but the write before it is at {}: time cannot go backwards",
                i + 1,
                shown(write.at),
                shown(before.at)
            ));
        }
        writes.push(write);
    }
    Ok(writes)
}

/// A write as a line, its end included.
pub fn line(write: &Write) -> String {
    let mut map = Map::new();
    map.insert("at".into(), milliseconds(write.at).into());
    match std::str::from_utf8(&write.bytes) {
        Ok(text) => map.insert("text".into(), text.into()),
        Err(_) => map.insert("base64".into(), STANDARD.encode(&write.bytes).into()),
    };
    Json::Object(map).to_string() + "\n"
}

/// Exact to the microsecond.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn shown(time: Duration) -> String {
    milliseconds(time).to_string()
}

fn parse_line(line: &[u8]) -> Result<Write, String> {
    let value: Json = serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        format!("this is no JSON: column {}: {what}", error.column())
    })?;
    let Json::Object(map) = value else {
        return Err("this is no mapping: write {\"at\": 0, \"text\": \"…\"}".into());
    };
    if let Some(key) = map
        .keys()
        .find(|key| !["at", "text", "base64"].contains(&key.as_str()))
    {
        let key = key.escape_debug();
        return Err(format!(
            "a write has no key `{key}`: it has `at`, and `text` or `base64`"
        ));
    }
    let at = time(map.get("at"))?;
    let bytes = content(map.get("text"), map.get("base64"))?;
    if bytes.is_empty() {
        return Err("there are no bytes to write: remove the line".into());
    }
    Ok(Write { at, bytes })
}

fn time(value: Option<&Json>) -> Result<Duration, String> {
    let value = value.ok_or("`at` is missing: the milliseconds since the head")?;
    let ms = value.as_f64().ok_or("`at` is no number: it is milliseconds")?;
    if ms < 0.0 {
        return Err("`at` is negative: it is the milliseconds since the head".into());
    }
    let time = Duration::try_from_secs_f64(ms / 1000.0).ok();
    time.filter(|time| *time <= duration::MAX)
        .ok_or_else(|| "`at` is longer than 100 years".into())
}

fn content(text: Option<&Json>, base64: Option<&Json>) -> Result<Bytes, String> {
    match (text, base64) {
        (Some(Json::String(text)), None) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        (None, Some(Json::String(text))) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => {
                let why = error.to_string().to_lowercase();
                Err(format!("this is not base64: {}", why.trim_end_matches('.')))
            }
        },
        (Some(_), Some(_)) => Err("it has both `text` and `base64`: keep one of them".into()),
        (None, None) => Err("its bytes are missing: add `text` or `base64`".into()),
        (Some(_), None) => Err("`text` is no text".into()),
        (None, Some(_)) => Err("`base64` is no text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_comes_back_from_its_line() {
        for (micros, bytes, expected) in [
            (
                0,
                &b"data: a\r\n\n"[..],
                "{\"at\":0.0,\"text\":\"data: a\\r\\n\\n\"}\n",
            ),
            (
                1_234_567,
                "☃\u{feff}".as_bytes(),
                "{\"at\":1234.567,\"text\":\"☃\u{feff}\"}\n",
            ),
            (50, b"\xe2\x98", "{\"at\":0.05,\"base64\":\"4pg=\"}\n"),
        ] {
            let write = Write {
                at: Duration::from_micros(micros),
                bytes: Bytes::copy_from_slice(bytes),
            };
            assert_eq!(line(&write), expected);
            assert_eq!(parse(expected.as_bytes()), Ok(vec![write]));
        }
    }

    #[test]
    fn what_is_no_write_is_told_with_its_line() {
        for (text, expected) in [
            ("{\"at\":1", "line 1: this is no JSON: column 7: EOF"),
            ("\n\n[]", "line 3: this is no mapping"),
            ("{\"text\":\"x\"}", "line 1: `at` is missing"),
            ("{\"at\":\"1\",\"text\":\"x\"}", "line 1: `at` is no number"),
            ("{\"at\":-1,\"text\":\"x\"}", "line 1: `at` is negative"),
            (
                "{\"at\":1e30,\"text\":\"x\"}",
                "line 1: `at` is longer than 100 years",
            ),
            (
                "{\"at\":2,\"text\":\"x\"}\n{\"at\":1.5,\"text\":\"x\"}",
                "line 2: its `at` is 1.5, but the write before it is at 2: time cannot go backwards",
            ),
            ("{\"at\":1}", "line 1: its bytes are missing"),
            (
                "{\"at\":1,\"text\":\"x\",\"base64\":\"eA==\"}",
                "line 1: it has both",
            ),
            ("{\"at\":1,\"text\":5}", "line 1: `text` is no text"),
            ("{\"at\":1,\"base64\":null}", "line 1: `base64` is no text"),
            ("{\"at\":1,\"base64\":\"e\"}", "line 1: this is not base64: "),
            ("{\"at\":1,\"text\":\"\"}", "line 1: there are no bytes"),
            (
                "{\"at\":1,\"text\":\"x\",\"id\":1}",
                "line 1: a write has no key `id`",
            ),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert_eq!(parse(b"\xef\xbb\xbf\n \r\n"), Ok(Vec::new()));
    }
}
