//! What is asked, as it goes out and as it may be told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method};

use super::RecordError;
use super::secrets::{HIDDEN, in_query, is_secret, without_secrets};
use crate::client::{Target, http1};
use crate::scenario::pattern::Pattern;
use crate::text;

/// Headers whose values are told: they hold nothing that is anybody's own.
const HARMLESS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "last-event-id",
];

/// A request to make.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where.
    pub(super) target: Target,
    /// How.
    pub(super) method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Vec<u8>>,
    /// The path, as a scenario has it.
    pub(super) path: String,
    /// What must not be told: as it stands in the request.
    pub(super) secrets: Vec<Vec<u8>>,
}

impl Asked {
    /// A request of this URL, whose user and password become an `authorization` (RFC 7617).
    ///
    /// # Errors
    /// The URL is none, or its path is one that no scenario can have.
    pub fn new(
        url: &str,
        method: Method,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        body: Option<Vec<u8>>,
    ) -> Result<Asked, RecordError> {
        let (url, user) = split_user(url);
        let target = Target::parse(&url)?;
        let mut secrets: Vec<Vec<u8>> = in_query(&target.path)
            .map(|value| value.as_bytes().to_vec())
            .collect();
        if let Some(user) = user.filter(|_| !headers.iter().any(|(name, _)| name == "authorization")) {
            headers.push((HeaderName::from_static("authorization"), basic(&user)?));
        }
        secrets.extend(of_headers(&headers));
        // Short ones stand everywhere by chance.
        secrets.retain(|secret| secret.len() >= 4);
        let path = served_path(&target.path)?;
        Ok(Asked {
            target,
            method,
            headers,
            body,
            path,
            secrets,
        })
    }

    /// The whole request (RFC 9112).
    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = self.body.as_ref().map(|body| body.len().to_string());
        let mut own = vec![("accept", "text/event-stream")];
        if let Some(length) = &length {
            own.push(("content-type", "application/x-www-form-urlencoded"));
            own.push(("content-length", length));
        }
        let mut bytes = http1::request(self.method.as_str(), &self.target, &own, &self.headers);
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// The command that makes this request, without secrets.
    pub(super) fn told(&self) -> String {
        let mut told = format!("mock-sse record '{}'", without_secrets(&self.target.url()));
        let usual = if self.body.is_some() { "POST" } else { "GET" };
        if self.method != usual {
            told += &format!(" -X {}", self.method);
        }
        for (name, value) in &self.headers {
            let value = match value.to_str() {
                Ok(value) if HARMLESS.contains(&name.as_str()) => value,
                _ => HIDDEN,
            };
            told += &format!(" -H '{name}: {value}'");
        }
        if self.body.is_some() {
            told += &format!(" -d {HIDDEN}");
        }
        told
    }

    /// The query, without secrets.
    pub(super) fn query(&self) -> Option<String> {
        let path = without_secrets(&self.target.path);
        path.split_once('?').map(|(_, query)| query.to_owned())
    }
}

/// The URL without user and password, and these.
fn split_user(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((user, host)) => (
            format!("{scheme}://{host}{}", &rest[end..]),
            Some(user.to_owned()),
        ),
        None => (url.to_owned(), None),
    }
}

fn basic(user: &str) -> Result<HeaderValue, RecordError> {
    let user = text::percent_decode(user, false)
        .ok_or_else(|| RecordError::Usage("the user in the address has a broken percent-escape".into()))?;
    let user = text::to_bytes(&user).into_owned();
    let with_colon = if user.contains(&b':') {
        user
    } else {
        [user, b":".to_vec()].concat()
    };
    let value = format!("Basic {}", STANDARD.encode(with_colon));
    HeaderValue::from_str(&value).map_err(|error| RecordError::Usage(error.to_string()))
}

/// The secrets of headers: each value, and what follows its first word (`Bearer …`). In cookies each one's
/// value.
fn of_headers(headers: &[(HeaderName, HeaderValue)]) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| is_secret(name.as_str())) {
        let value = value.as_bytes();
        secrets.push(value.to_vec());
        let words = value.split(|byte| matches!(byte, b' ' | b';'));
        secrets.extend(words.skip(1).map(<[u8]>::to_vec));
        if name == "cookie" {
            let pairs = value.split(|byte| *byte == b';');
            let values = pairs.filter_map(|pair| Some(pair[memchr::memchr(b'=', pair)? + 1..].to_vec()));
            secrets.extend(values);
        }
    }
    secrets
}

/// The path of an endpoint that takes this one.
fn served_path(path: &str) -> Result<String, RecordError> {
    let path = path.split('?').next().unwrap_or(path);
    let own = path == "/__mock" || path.starts_with("/__mock/") || path.starts_with("/~");
    if own {
        let why = format!(
            "the path {path} cannot be replayed: those that begin with /__mock/ or /~ belong to mock-sse"
        );
        return Err(RecordError::Usage(why));
    }
    // Braces would capture.
    let path = path.replace('{', "%7B").replace('}', "%7D");
    match Pattern::parse_path(&path) {
        Ok(_) => Ok(path),
        Err(why) => Err(RecordError::Usage(format!(
            "the path {path} cannot be replayed: {why}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &str, headers: &[(&'static str, &str)], body: Option<&[u8]>) -> Asked {
        let header =
            |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let headers = headers.iter().map(header).collect();
        let method = if body.is_some() { Method::POST } else { Method::GET };
        Asked::new(url, method, headers, body.map(<[u8]>::to_vec)).unwrap()
    }

    #[test]
    fn a_request_goes_out_whole_and_is_told_without_its_secrets() {
        let headers = [
            ("authorization", "Bearer very-secret"),
            ("x-own", "mine"),
            ("accept", "*/*"),
        ];
        let asked = asked("http://h:1/a?token=t-secret&x=1", &headers, Some(b"{}"));
        assert_eq!(
            String::from_utf8(asked.bytes()).unwrap(),
            "POST /a?token=t-secret&x=1 HTTP/1.1\r\nhost: h:1\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: 2\r\nauthorization: Bearer very-secret\r\nx-own: mine\r\naccept: */*\r\n\r\n{}"
        );
        assert_eq!(
            asked.told(),
            "mock-sse record 'http://h:1/a?token=…&x=1' -H 'authorization: …' -H 'x-own: …' -H 'accept: */*' -d …"
        );
        assert_eq!(asked.query().as_deref(), Some("token=…&x=1"));
        let secrets: Vec<&str> = asked.secrets.iter().map(|s| str::from_utf8(s).unwrap()).collect();
        assert_eq!(secrets, ["t-secret", "Bearer very-secret", "very-secret"]);
    }

    #[test]
    fn user_and_password_become_an_authorization() {
        let asked = asked("http://me:p%40ss@h/a", &[], None);
        let text = String::from_utf8(asked.bytes()).unwrap();
        assert!(text.contains("\r\nhost: h\r\n"), "{text}");
        assert!(text.contains(&format!(
            "\r\nauthorization: Basic {}\r\n",
            STANDARD.encode("me:p@ss")
        )));
        assert_eq!(asked.told(), "mock-sse record 'http://h/a' -H 'authorization: …'");
    }

    #[test]
    fn some_paths_cannot_be_replayed() {
        assert_eq!(asked("http://h/a{b}c", &[], None).path, "/a%7Bb%7Dc");
        for path in ["/__mock/health", "/~x", "/%zz"] {
            let error = Asked::new(&format!("http://h{path}"), Method::GET, Vec::new(), None).unwrap_err();
            assert!(matches!(error, RecordError::Usage(_)), "{path}: {error}");
        }
    }
}
