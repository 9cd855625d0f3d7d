//! What a request gets: a head, and bytes or a stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Performance;
use super::connections::Registered;
use super::witness::Witnessed;
use crate::scenario::model::{CorsPolicy, End, Gap};
use crate::wire::Framing;

/// The media type of problem documents (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem document: what every error is answered with.
pub fn problem_body(status: u16, detail: &str) -> String {
    let code = http::StatusCode::from_u16(status).ok();
    let title = code.and_then(|code| code.canonical_reason()).unwrap_or("Error");
    serde_json::json!({ "type": "about:blank", "title": title, "status": status, "detail": detail })
        .to_string()
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The reason phrase of the status line, instead of the usual one. HTTP/2 has none.
    pub reason: Option<Bytes>,
    /// The whole head byte for byte, with its closing blank line if there is to be one; nothing else
    /// of the head is sent then. HTTP/2 cannot carry it: there `status` and `headers` stand.
    pub raw: Option<Bytes>,
    /// The header fields, in order. HTTP/1.x sends the names as they are written here, repetitions
    /// included, and the server's own fields behind them. `transfer-encoding` is left out: framing
    /// is said by [`Reply::framing`].
    pub headers: Vec<(String, Bytes)>,
    /// Names that are to be missing, whatever would be added later.
    pub without: Vec<String>,
}

impl Head {
    /// A head with a content type.
    pub fn new(status: u16, content_type: Option<&str>) -> Head {
        let mut head = Head {
            status,
            reason: None,
            raw: None,
            headers: Vec::new(),
            without: Vec::new(),
        };
        if let Some(kind) = content_type {
            head.push("content-type", kind);
        }
        head
    }

    /// Adds a field.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers
            .push((name.to_owned(), Bytes::copy_from_slice(value.as_ref())));
    }

    /// Says what is done about an id to resume behind that is no longer known.
    pub fn push_gap(&mut self, gap: Option<Gap>) {
        match gap {
            Some(Gap::Replay) => self.push("x-mock-gap", "replay"),
            Some(Gap::Live | Gap::Error) => self.push("x-mock-gap", "live"),
            None => {}
        }
    }

    /// Removes all fields of a name, in any case.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Adds a field unless the scenario has said it, be it only to leave it out.
    pub fn push_unless_said(&mut self, name: &str, value: impl AsRef<[u8]>) {
        if !self.decides(name) {
            self.push(name, value);
        }
    }

    /// Whether the scenario wants a field to be missing, in any case.
    pub fn lacks(&self, name: &str) -> bool {
        self.without.iter().any(|n| n.eq_ignore_ascii_case(name))
    }

    /// Whether the scenario has said a field, be it only to leave it out: nobody else adds it.
    pub fn decides(&self, name: &str) -> bool {
        self.get(name).is_some() || self.lacks(name)
    }

    /// The first value of a field, in any case.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }
}

/// The body of an answer.
pub enum ReplyBody {
    /// These bytes.
    Full(Bytes),
    /// A stream to be played.
    Stream(Box<Performance>),
    /// No answer, not even a head. HTTP/1.x: `Close` closes the connection, `Cut` too, over TLS
    /// without close_notify; `Reset` sends RST; `Stall` and `Hold` keep it open and silent until the
    /// client leaves. HTTP/2: `Close` and `Cut` reset the stream (RST_STREAM with CANCEL, or the code
    /// of the cut), `Reset` the connection; `Goaway` sends GOAWAY first.
    Nothing(End),
}

/// A whole answer.
pub struct Reply {
    /// The head.
    pub head: Head,
    /// How long to wait, on the session's clock, before the head is sent.
    pub after: Duration,
    /// The body.
    pub body: ReplyBody,
    /// How the end of the body is told over HTTP/1.1. `None`: a full body is sized and a stream is
    /// chunked, unless the head announces a `content-length`; behind a raw head the body is bare
    /// and ends with the connection.
    pub framing: Option<Framing>,
    /// The length in bytes that a sized body announces where the head says no `content-length`,
    /// whatever is really written: it may be a lie. A full body announces its own without it; a
    /// stream that has one is sized unless `framing` says otherwise, and one without ends with the
    /// connection where it should be sized. HTTP/2 has no use for it.
    pub content_length: Option<u64>,
    /// Whether close_notify (RFC 8446 §6.1) comes before the end of an encrypted connection. Without
    /// it the connection is not used for another answer.
    pub close_notify: bool,
    /// The place among the open streams of an answer that is kept open without a byte.
    pub held: Option<Registered>,
    /// The cross-origin rules that hold for it.
    pub cors: Option<Arc<CorsPolicy>>,
    /// For an OPTIONS request that no endpoint answers itself: the methods of the path.
    pub allow: Option<Vec<String>>,
    /// Where it is told what becomes of it; `None`: nobody wants to know.
    pub witnessed: Option<Witnessed>,
}

impl Reply {
    /// An answer at once, framed as usual, without cross-origin rules.
    pub fn new(head: Head, body: ReplyBody) -> Reply {
        Reply {
            head,
            after: Duration::ZERO,
            body,
            framing: None,
            content_length: None,
            close_notify: true,
            held: None,
            cors: None,
            allow: None,
            witnessed: None,
        }
    }

    /// An error answer as a problem document (RFC 9457).
    pub fn problem(status: u16, detail: &str) -> Reply {
        let head = Head::new(status, Some(PROBLEM_JSON));
        Reply::new(head, ReplyBody::Full(problem_body(status, detail).into()))
    }

    /// With cross-origin rules.
    pub fn with_cors(mut self, cors: Option<Arc<CorsPolicy>>) -> Reply {
        self.cors = cors;
        self
    }
}
