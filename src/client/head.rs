//! Reads the head of an HTTP/1.1 answer. What belongs here: the status, and the few headers that
//! say how the body is framed and what it holds; no sockets.

use super::body::{Body, Chunks};

/// A head longer than this, in bytes, is refused.
pub const LONGEST_HEAD: usize = 64 * 1024;

/// What matters of an answer's head.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// The content type as sent; empty without one.
    pub content_type: String,
    pub body: Body,
    /// Whether the connection can carry another request after this answer.
    pub keep_alive: bool,
}

/// A head found at the beginning of some bytes, and how long it is.
pub type Found = Option<(Head, usize)>;

/// Parses the head at the beginning of `bytes`: `None` if its end has not come, an error text if
/// it is none. Interim answers (1xx) are skipped.
pub fn parse(bytes: &[u8]) -> Result<Found, String> {
    let mut skipped = 0;
    loop {
        let rest = &bytes[skipped..];
        let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") else {
            return match bytes.len() > LONGEST_HEAD {
                true => Err(format!("a head of more than {LONGEST_HEAD} bytes")),
                false => Ok(None),
            };
        };
        let head = parse_one(&rest[..end])?;
        skipped += end + 4;
        if !(100..200).contains(&head.status) {
            return Ok(Some((head, skipped)));
        }
    }
}

/// A head as it stands: nothing is understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The reason phrase; often empty.
    pub reason: Vec<u8>,
    /// Names in their spelling, and values without the space around them, in order.
    pub fields: Vec<(String, Vec<u8>)>,
}

/// The lines of a head that [`parse`] has found; of interim answers before it there are none.
pub fn lines(found: &[u8]) -> Lines {
    let found = found.strip_suffix(b"\r\n\r\n").unwrap_or(found);
    let begin = memchr::memmem::rfind(found, b"\r\n\r\n").map_or(0, |end| end + 4);
    let mut lines = found[begin..].split(|byte| *byte == b'\n');
    let status = lines.next().unwrap_or_default().trim_ascii_end();
    let reason = status.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default();
    let field = |line: &[u8]| {
        let colon = memchr::memchr(b':', line)?;
        let name = String::from_utf8_lossy(line[..colon].trim_ascii()).into_owned();
        Some((name, line[colon + 1..].trim_ascii().to_vec()))
    };
    Lines {
        reason: reason.to_vec(),
        fields: lines.filter_map(field).collect(),
    }
}

fn parse_one(bytes: &[u8]) -> Result<Head, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let (status, http_1_0) = status_line(lines.next().unwrap_or_default())?;
    let mut head = Head {
        status,
        content_type: String::new(),
        body: Body::UntilClose,
        keep_alive: !http_1_0,
    };
    let mut chunked = false;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-type" => head.content_type = value.to_owned(),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().ends_with("chunked"),
            "connection" if value.eq_ignore_ascii_case("close") => head.keep_alive = false,
            "content-length" => {
                let length = value.parse().map_err(|_| "an invalid content-length")?;
                head.body = Body::Sized(length);
            }
            _ => {}
        }
    }
    if matches!(status, 204 | 304) {
        head.body = Body::Sized(0);
    } else if chunked {
        head.body = Body::Chunked(Chunks::default());
    }
    head.keep_alive &= head.body != Body::UntilClose;
    Ok(head)
}

/// The status, and whether the answer is HTTP/1.0.
fn status_line(line: &str) -> Result<(u16, bool), String> {
    let wrong = || "the answer is no HTTP/1.1".to_owned();
    let rest = line.strip_prefix("HTTP/1.").ok_or_else(wrong)?;
    let mut words = rest.split(' ');
    let minor = words.next().unwrap_or_default();
    let status = words.next().unwrap_or_default();
    let status = status.parse().map_err(|_| wrong())?;
    Ok((status, minor == "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn framing() {
        let chunked =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nrest";
        let (parsed, length) = parse(chunked.as_bytes()).unwrap().unwrap();
        assert_eq!(&chunked[length..], "rest");
        assert_eq!(parsed.body, Body::Chunked(Chunks::default()));
        assert_eq!(parsed.content_type, "text/event-stream");
        assert!(parsed.keep_alive);

        let sized = head("HTTP/1.1 303 See Other\r\ncontent-length: 11\r\n\r\n");
        assert_eq!((sized.status, sized.body), (303, Body::Sized(11)));
        assert!(!head("HTTP/1.1 200 OK\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.1 200\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").keep_alive);
        assert!(head("HTTP/1.1 204 No Content\r\n\r\n").keep_alive);
    }

    #[test]
    fn interim_answers_are_skipped_and_unfinished_heads_waited_for() {
        let text = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(head(text).status, 200);
        for end in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn the_lines_of_the_last_head_stand_as_they_came() {
        let text = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 Fine Too\r\nX-A:  b: c \r\nx-\xff: \xfe\r\n\r\n";
        let lines = lines(text);
        assert_eq!(lines.reason, b"Fine Too");
        let expected = [("X-A", &b"b: c"[..]), ("x-\u{fffd}", b"\xfe")];
        assert_eq!(
            lines.fields,
            expected.map(|(name, value)| (name.to_owned(), value.to_vec()))
        );
    }

    #[test]
    fn no_head_at_all() {
        for bad in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx\r\n\r\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&vec![b'x'; LONGEST_HEAD + 1]).is_err());
    }
}
