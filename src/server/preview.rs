//! The head of an answer as bytes, for those who look at it without a connection.

use super::exact::Exact;
use super::head::{Circumstances, compose};
use super::respond::{has_body, length};
use crate::engine::Head;
use crate::request::Request;
use crate::wire::Framing;

/// How the body of an answer is told.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The length of a body that is known; `None`: it is a stream.
    pub whole: Option<usize>,
    /// As in a reply.
    pub framing: Option<Framing>,
    /// As in a reply.
    pub content_length: Option<u64>,
}

/// Whether the answer to a request has a body (RFC 9110 §6.4.1; a 205 says that its own is empty).
pub fn is_bodied(request: &Request, head: &Head) -> bool {
    has_body(request, head)
}

/// The head that a client gets over HTTP/1.1 in cleartext, on a connection that both sides would keep
/// (RFC 9112 §2.1). The `date` is now.
pub fn head_bytes(request: &Request, head: &Head, bounds: Bounds) -> Vec<u8> {
    let body = if head.status == 205 { Some(0) } else { bounds.whole };
    let content_length = match body {
        Some(body) => length(request, head, body, bounds.content_length),
        None => bounds.content_length,
    };
    let exact = Exact {
        head: Some(head.clone()),
        framing: bounds.framing,
        content_length,
        close_notify: true,
    };
    let circumstances = Circumstances {
        version: http::Version::HTTP_11,
        head_only: request.method == "HEAD",
        keeps_alive: true,
        tls: false,
    };
    compose(&exact, circumstances).0
}
