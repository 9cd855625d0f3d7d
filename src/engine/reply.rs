//! What a request gets: a head, and bytes or a stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Performance;
use crate::scenario::model::CorsPolicy;

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
    /// The header fields, in order.
    pub headers: Vec<(String, Bytes)>,
    /// Names that are to be missing, whatever would be added later.
    pub without: Vec<String>,
}

impl Head {
    /// A head with a content type.
    pub fn new(status: u16, content_type: Option<&str>) -> Head {
        let mut head = Head {
            status,
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

    /// Removes all fields of a name, in any case.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Adds a field unless the scenario has said it, be it only to leave it out.
    pub fn push_unless_said(&mut self, name: &str, value: impl AsRef<[u8]>) {
        if self.get(name).is_none() && !self.without.iter().any(|n| n.eq_ignore_ascii_case(name)) {
            self.push(name, value);
        }
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
}

/// A whole answer.
pub struct Reply {
    /// The head.
    pub head: Head,
    /// How long to wait, on the session's clock, before the head is sent.
    pub after: Duration,
    /// The body.
    pub body: ReplyBody,
    /// The cross-origin rules that hold for it.
    pub cors: Option<Arc<CorsPolicy>>,
    /// For an OPTIONS request that no endpoint answers itself: the methods of the path.
    pub allow: Option<Vec<String>>,
}

impl Reply {
    /// An error answer as a problem document (RFC 9457).
    pub fn problem(status: u16, detail: &str) -> Reply {
        Reply {
            head: Head::new(status, Some(PROBLEM_JSON)),
            after: Duration::ZERO,
            body: ReplyBody::Full(problem_body(status, detail).into()),
            cors: None,
            allow: None,
        }
    }

    /// With cross-origin rules.
    pub fn with_cors(mut self, cors: Option<Arc<CorsPolicy>>) -> Reply {
        self.cors = cors;
        self
    }
}
