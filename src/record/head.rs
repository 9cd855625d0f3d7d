//! What an answer's head says, as far as it is replayed.

use super::RecordError;
use super::request::Asked;
use super::secrets::{is_secret, without_secrets};
use crate::client::body::Body;
use crate::client::head::{Head, Lines};

/// Fields of the connection, and those that a server makes itself.
const OWN: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// In chunks.
    Chunked,
    /// By a length.
    Sized,
    /// By the end of the connection.
    Close,
    /// There is no body.
    Empty,
}

/// The head of an answer, to be replayed.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    /// The reason phrase, if it is not the usual one.
    pub reason: Option<Vec<u8>>,
    /// Names in their spelling with all their values, in order.
    pub headers: Vec<(String, Vec<Vec<u8>>)>,
    pub framing: Framing,
    /// As it came; empty without one.
    pub content_type: String,
    /// The coding of the body, if it has one.
    pub coding: Option<String>,
    /// Names of fields that were left out as secrets, or changed.
    pub hidden: Vec<String>,
    /// Names of fields that no scenario can send.
    pub impossible: Vec<String>,
}

impl Seen {
    /// Understands a head. Secrets are left out unless they are wanted.
    pub fn new(head: &Head, lines: Lines, asked: &Asked, with_secrets: bool) -> Result<Seen, RecordError> {
        let status = head.status;
        crate::scenario::status_code(&status.to_string()).map_err(|_| {
            RecordError::NoAnswer(format!("an answer with status {status} cannot be replayed"))
        })?;
        let mut seen = Seen {
            status,
            reason: reason(status, &lines.reason),
            headers: Vec::new(),
            framing: match head.body {
                _ if asked.method == "HEAD" => Framing::Empty,
                Body::Sized(0) => Framing::Empty,
                Body::Sized(_) => Framing::Sized,
                Body::Chunked(_) => Framing::Chunked,
                Body::UntilClose => Framing::Close,
            },
            content_type: head.content_type.clone(),
            coding: None,
            hidden: Vec::new(),
            impossible: Vec::new(),
        };
        let hops = hops(&lines);
        let secrets = if with_secrets {
            None
        } else {
            Some(&asked.secrets[..])
        };
        for (name, value) in lines.fields {
            if !hops.contains(&name.to_ascii_lowercase()) {
                seen.field(name, value, secrets);
            }
        }
        Ok(seen)
    }

    /// Whether the body is an event stream.
    pub fn is_stream(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/event-stream")
    }

    /// Whether a header was there, in any case.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    fn field(&mut self, name: String, value: Vec<u8>, secrets: Option<&[Vec<u8>]>) {
        let lower = name.to_ascii_lowercase();
        let length = lower == "content-length";
        if OWN.contains(&lower.as_str()) && !(length && self.framing == Framing::Sized) {
            return;
        }
        if lower == "content-encoding" && !value.eq_ignore_ascii_case(b"identity") {
            self.coding = Some(String::from_utf8_lossy(&value).into_owned());
        }
        if http::HeaderName::from_bytes(name.as_bytes()).is_err()
            || http::HeaderValue::from_bytes(&value).is_err()
        {
            return self.impossible.push(name.escape_debug().to_string());
        }
        let told = match secrets {
            Some(secrets) => told(&lower, &value, secrets),
            None => Some(value.clone()),
        };
        if told.as_ref() != Some(&value) && !self.hidden.contains(&lower) {
            self.hidden.push(lower);
        }
        let Some(value) = told else { return };
        match self
            .headers
            .iter_mut()
            .find(|(own, _)| own.eq_ignore_ascii_case(&name))
        {
            Some((_, values)) => values.push(value),
            None => self.headers.push((name, vec![value])),
        }
    }
}

/// What may be told of a field's value; `None`: nothing.
fn told(name: &str, value: &[u8], secrets: &[Vec<u8>]) -> Option<Vec<u8>> {
    if is_secret(name) {
        return None;
    }
    let told = match (name, std::str::from_utf8(value)) {
        ("location" | "content-location", Ok(address)) => without_secrets(address).into_bytes(),
        _ => value.to_vec(),
    };
    // Some servers say again what they were told.
    let echoed = |secret: &Vec<u8>| memchr::memmem::find(&told, secret).is_some();
    (!secrets.iter().any(echoed)).then_some(told)
}

/// The fields that `connection` names: they are its own.
fn hops(lines: &Lines) -> Vec<String> {
    let connection = lines
        .fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let values = connection.map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase());
    values
        .flat_map(|value| {
            value
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn reason(status: u16, reason: &[u8]) -> Option<Vec<u8>> {
    let code = http::StatusCode::from_u16(status).ok();
    let usual = code.and_then(|code| code.canonical_reason()).unwrap_or_default();
    let sendable = !reason.is_empty() && http::HeaderValue::from_bytes(reason).is_ok();
    (sendable && reason != usual.as_bytes()).then(|| reason.to_vec())
}
