//! A request as plain bytes, of nobody's framework: what matching, expressions and the journal see.

pub mod packed;

use std::net::SocketAddr;

use bytes::Bytes;

/// The protocol a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// The protocol's name as it stands in a request line (`HTTP/1.1`).
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2",
        }
    }
}

/// One HTTP request, its body read to the end (RFC 9110).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Upper-case method, as sent.
    pub method: String,
    /// The target's path, still percent-encoded, without the query.
    pub path: String,
    /// The target's query, still percent-encoded, without `?`; `None` without a `?`.
    pub query: Option<String>,
    /// Header fields in the order sent; names in lower case.
    pub headers: Vec<(String, Bytes)>,
    /// The whole body; empty if there was none.
    pub body: Bytes,
    /// The protocol.
    pub version: Version,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The client's address.
    pub peer: SocketAddr,
    /// The session that was named, in the path (which is without it here) or in a header; empty without.
    pub session: String,
}

impl Request {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// All values of a header joined with `, ` (RFC 9110 §5.3), as text; `name` in lower case.
    pub fn header_text(&self, name: &str) -> Option<String> {
        let values: Vec<String> = self
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| crate::text::from_bytes(v))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Path and query, as sent.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Scheme and authority the client asked for (`http://localhost:4043`), from `Host`, as text.
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = self.header("host").map(|h| crate::text::from_bytes(h));
        format!("{scheme}://{}", host.unwrap_or_else(|| "localhost".into()))
    }

    /// The origin, and the prefix of the session if one was named: what an absolute path is put behind.
    pub fn base(&self) -> String {
        match self.session.as_str() {
            "" => self.origin(),
            name => format!("{}/~{name}", self.origin()),
        }
    }
}

impl Request {
    /// A request with nothing but a method and a path, as `play` and the tests make them.
    pub fn example(method: &str, path: &str) -> Request {
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: None,
            headers: vec![("host".to_owned(), Bytes::from_static(b"localhost"))],
            body: Bytes::new(),
            version: Version::Http11,
            tls: false,
            peer: SocketAddr::from(([127, 0, 0, 1], 0)),
            session: String::new(),
        }
    }
}
