//! A recorded answer as a scenario.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Ending;
use super::head::{Framing, Seen};
use super::request::Asked;
use crate::name::printable;

/// A head that comes sooner is not waited for.
const AT_ONCE: Duration = Duration::from_millis(20);
/// What a stream of ours says in its head by itself.
const BROUGHT: &[&str] = &["content-type", "cache-control", "x-accel-buffering"];

/// What is to be written down.
pub struct Answer<'a> {
    pub asked: &'a Asked,
    pub seen: &'a Seen,
    /// How long the head took.
    pub waited: Duration,
    /// The recording's name; `None`: there were no writes.
    pub file: Option<&'a str>,
    /// How it ended, and how long after the last write; `None`: it is under way.
    pub ending: Option<(Ending, Duration)>,
}

/// A text as it may stand in a comment: on its line, and without what YAML does not take (YAML 1.2.2, §5.1).
fn commented(text: &str) -> String {
    let taken = |c: char| match c {
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => c.escape_default().to_string(),
        c => c.to_string(),
    };
    printable(text).chars().map(taken).collect()
}

/// The scenario, as YAML.
pub fn yaml(answer: &Answer) -> String {
    let (asked, seen) = (answer.asked, answer.seen);
    let mut out = format!(
        "# Recorded by mock-sse {}: {}\n",
        env!("CARGO_PKG_VERSION"),
        commented(&asked.told())
    );
    if !seen.hidden.is_empty() {
        let _ = writeln!(
            out,
            "# Left out, as they may be secrets: {}.",
            seen.hidden.join(", ")
        );
    }
    out += "endpoints:\n";
    let _ = writeln!(out, "  - path: {}", plain(&asked.path));
    if let Some(query) = asked.query() {
        let _ = writeln!(
            out,
            "    # Asked for with ?{} then; any query gets this answer now.",
            commented(&query)
        );
    }
    if asked.method != "GET" {
        let _ = writeln!(out, "    method: {}", plain(asked.method.as_str()));
    }
    let _ = writeln!(out, "    status: {}", seen.status);
    if let Some(reason) = &seen.reason {
        let _ = writeln!(out, "    reason: {}", template(reason));
    }
    headers(&mut out, seen);
    if answer.waited >= AT_ONCE {
        let _ = writeln!(out, "    after: {}ms", answer.waited.as_millis());
    }
    if seen.framing != Framing::Empty {
        body(&mut out, answer);
    }
    out
}

fn headers(out: &mut String, seen: &Seen) {
    let brought = BROUGHT.iter().filter(|name| !seen.has(name));
    let missing: Vec<&&str> = brought.filter(|_| seen.framing != Framing::Empty).collect();
    if seen.headers.is_empty() && missing.is_empty() {
        return;
    }
    *out += "    headers:\n";
    for (name, values) in &seen.headers {
        let values: Vec<String> = values.iter().map(|value| template(value)).collect();
        let _ = match values.as_slice() {
            [one] => writeln!(out, "      {}: {one}", plain(name)),
            several => writeln!(out, "      {}: [{}]", plain(name), several.join(", ")),
        };
    }
    for name in missing {
        let _ = writeln!(out, "      {name}: ~");
    }
}

fn body(out: &mut String, answer: &Answer) {
    let close = answer.seen.framing == Framing::Close;
    match answer.ending {
        Some((Ending::Unannounced, _)) => *out += "    wire: { framing: close, close_notify: false }\n",
        _ if close => *out += "    wire: { framing: close }\n",
        _ => {}
    }
    *out += "    stream:\n";
    if let Some(file) = answer.file {
        let _ = writeln!(out, "      - replay: {{ file: {} }}", plain(file));
    }
    let (ending, after) = answer.ending.unwrap_or((Ending::Open, Duration::ZERO));
    let end = match ending {
        Ending::Close | Ending::Unannounced => "close",
        Ending::Cut => "cut",
        Ending::Reset => "reset",
        Ending::Open => {
            *out += "      # It was still open when the recording was stopped.\n      - end: hold\n";
            return;
        }
    };
    let _ = match after.as_millis() {
        0 => writeln!(out, "      - end: {end}"),
        ms => writeln!(out, "      - {{ after: {ms}ms, end: {end} }}"),
    };
}

/// Text that may hold templates, for what holds none.
fn template(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return plain(&format!("{{{{ '{}' | b64decode }}}}", STANDARD.encode(bytes)));
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out += before;
        if ["{{", "{%", "{#"].iter().any(|mark| from.starts_with(mark)) {
            // Letters that stand for themselves, from an expression.
            let _ = write!(out, "{{{{ '{}' }}}}", &from[..2]);
            rest = &from[2..];
        } else {
            out.push('{');
            rest = &from[1..];
        }
    }
    plain(&(out + rest))
}

/// Text as a YAML scalar, in quotes if it needs them.
fn plain(text: &str) -> String {
    let letter = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    if begins && text.chars().all(letter) && !words.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\U{:08X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Method;

    use super::*;
    use crate::client::head;
    use crate::scenario::diagnostic::{Source, render_all};

    fn written(head: &[u8], ending: Ending) -> String {
        let (url, method) = ("http://h/a/{b}?key=k-secret&c=d", Method::PATCH);
        let asked = Asked::new(url, method, Vec::new(), None).unwrap();
        let (parsed, length) = head::parse(head).unwrap().unwrap();
        let seen = Seen::new(&parsed, head::lines(&head[..length]), &asked, false).unwrap();
        yaml(&Answer {
            asked: &asked,
            seen: &seen,
            waited: Duration::from_millis(50),
            file: None,
            ending: Some((ending, Duration::from_micros(1500))),
        })
    }

    #[test]
    fn what_stands_in_a_comment_stays_there() {
        let written = commented("a\u{82}b\r\nc\u{feff}\u{ffff}ä");
        assert_eq!(written, r"a\u{82}b\r\nc\u{feff}\u{ffff}ä");
    }

    #[test]
    fn a_head_is_written_as_it_was() {
        let head = b"HTTP/1.1 200 Fine {{ x }}\r\nX-Odd: a {{b}} {%c%} {#d#} \"e\" \\ \r\nX-Bytes: \xfe\r\nx-two: 1\r\nX-Two: true\r\n\
            Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nDate: x\r\nSet-Cookie: c-secret\r\nX-Echo: is k-secret\r\n\
            Location: /x?token=t-secret&a=b\r\nTransfer-Encoding: chunked\r\n\r\n";
        let yaml = written(head, Ending::Cut);
        let expected = "# Recorded by mock-sse VERSION: mock-sse record 'http://h/a/{b}?key=…&c=d' -X PATCH
# Left out, as they may be secrets: set-cookie, x-echo, location.
endpoints:
  - path: \"/a/%7Bb%7D\"
    # Asked for with ?key=…&c=d then; any query gets this answer now.
    method: PATCH
    status: 200
    reason: \"Fine {{ '{{' }} x }}\"
    headers:
      X-Odd: \"a {{ '{{' }}b}} {{ '{%' }}c%} {{ '{#' }}d#} \\\"e\\\" \\\\\"
      X-Bytes: \"{{ '/g==' | b64decode }}\"
      x-two: [\"1\", \"true\"]
      Location: \"/x?token=…&a=b\"
      content-type: ~
      cache-control: ~
      x-accel-buffering: ~
    after: 50ms
    stream:
      - { after: 1ms, end: cut }
";
        assert_eq!(yaml, expected.replace("VERSION", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn what_is_written_can_be_read() {
        for head in [
            &b"HTTP/1.1 200 Fine {{ x }}\r\nX-Odd: a {{b}} {%c%} {#d#} \xfe\xc2\x80: ' # \r\ntransfer-encoding: chunked\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\ncontent-type: text/plain\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.0 200 OK\r\non: off\r\n\r\n",
        ] {
            for ending in [Ending::Close, Ending::Unannounced, Ending::Reset, Ending::Open] {
                let yaml = written(head, ending);
                let source = Arc::new(Source::new("test", yaml.clone()));
                match crate::scenario::compile(&[source]) {
                    Ok((_, warnings)) => assert!(warnings.is_empty(), "{yaml}{}", render_all(&warnings, false)),
                    Err(errors) => panic!("{yaml}{}", render_all(&errors, false)),
                }
            }
        }
    }
}
