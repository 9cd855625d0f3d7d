//! What a run is to do, valid by construction where types can say it. Raw command-line
//! arguments are in `args`; nothing is opened here.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::blocks::{Marks, find_marks};
use super::error::LoadError;

/// Everything about one run.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// The stream to open.
    pub url: Target,
    /// How many streams.
    pub streams: usize,
    /// What to do once they are open.
    pub work: Work,
    /// The server's process, to measure its processor time and memory.
    pub server_pid: Option<u32>,
    /// How many connections may be in the making at once.
    pub connect_concurrency: usize,
    /// HTTP/2: by prior knowledge over http, by ALPN over https. Publishing stays HTTP/1.1.
    pub http2: bool,
    /// Streams that share an HTTP/2 connection.
    pub streams_per_connection: usize,
    /// The PEM file of a CA to trust.
    pub ca: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
    /// Headers to add to every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The longest wait for a stream's head, for a publish answer, and for deliveries to go on.
    pub timeout: Duration,
    /// The longest time to publish and to wait for deliveries, however well they go on.
    pub limit: Duration,
    /// Allow a target that is not this machine.
    pub allow_remote: bool,
}

impl LoadSettings {
    /// Settings to open 100 streams of `url` and do `work`; every field can be changed.
    pub fn new(url: Target, work: Work) -> Self {
        Self {
            url,
            streams: 100,
            work,
            server_pid: None,
            connect_concurrency: 64,
            http2: false,
            streams_per_connection: 100,
            ca: None,
            insecure: false,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            limit: Duration::from_secs(600),
            allow_remote: false,
        }
    }

    /// How many connections the streams need.
    pub fn connections(&self) -> usize {
        match self.http2 {
            true => self.streams.div_ceil(self.streams_per_connection.max(1)),
            false => self.streams,
        }
    }
}

/// What happens once the streams are open.
#[derive(Debug, Clone)]
pub enum Work {
    /// Publish messages and wait for them on every stream.
    Publish(Publish),
    /// Only listen.
    Listen(Listen),
}

/// Messages to publish.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Where each message is posted.
    pub url: Target,
    /// What is posted.
    pub body: Template,
    /// Messages per second on a fixed schedule; `None`: each as soon as the last was answered.
    pub rate: Option<f64>,
    /// How many messages.
    pub messages: u64,
    /// Messages ahead of the measured ones. They also show that every stream is subscribed;
    /// with 0, a server that sends its head before it subscribes may seem to lose messages.
    pub warm_up: u64,
}

/// How long to listen: until the time is over, every stream has its events, or all have ended.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The longest time to listen.
    pub time: Duration,
    /// How many events each stream is to receive; fewer count as lost.
    pub events: Option<u64>,
}

/// An `http://` or `https://` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// Host and port as they stand in the `Host` header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads an absolute URL; the port is the scheme's if none is given.
    pub fn parse(url: &str) -> Result<Self, LoadError> {
        let wrong = |why: &str| LoadError::Url {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("name and password belong in a header"));
        }
        let host = authority.host();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.to_string(),
            path: path.to_owned(),
        })
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

/// The body of a message: text in which `{n}` stands for its number and `{t}` for the time of
/// sending (Unix time in nanoseconds).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self(r#"{"n":{n},"t":{t}}"#.to_owned())
    }
}

impl Template {
    /// A template whose messages can be followed: with `"n":{n}` and `"t":{t}` in it.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let template = Self(text.to_owned());
        let mut marks = Marks::default();
        find_marks(template.render(1, 2).as_bytes(), &mut marks);
        match (marks.number, marks.sent) {
            (Some(1), Some(2)) => Ok(template),
            _ => Err(LoadError::Setting {
                name: "--body",
                why: format!(r#"`{text}` must hold "n":{{n}} and "t":{{t}}"#),
            }),
        }
    }

    /// The body of message `number`, sent at `sent_ns`.
    pub fn render(&self, number: u64, sent_ns: u64) -> String {
        self.0
            .replace("{n}", &number.to_string())
            .replace("{t}", &sent_ns.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (url, tls, host, port, authority, path) in [
            (
                "http://127.0.0.1:4043/sse?a=b",
                false,
                "127.0.0.1",
                4043,
                "127.0.0.1:4043",
                "/sse?a=b",
            ),
            ("https://localhost", true, "localhost", 443, "localhost", "/"),
            ("http://[::1]:80/x", false, "::1", 80, "[::1]:80", "/x"),
        ] {
            let target = Target::parse(url).unwrap();
            let got = (
                target.tls,
                &*target.host,
                target.port,
                &*target.authority,
                &*target.path,
            );
            assert_eq!(got, (tls, host, port, authority, path));
        }
        for bad in [
            "ftp://x/",
            "/sse",
            "localhost:4043",
            "",
            "http://a:b@c/",
            "http://",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn templates() {
        assert_eq!(Template::default().render(3, 4), r#"{"n":3,"t":4}"#);
        assert!(Template::parse(r#"{"pad":"xx", "t": {t}, "n": {n}}"#).is_ok());
        for bad in ["hello", r#"{"n":{n}}"#, r#"{"n":{t},"t":{n}}"#] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
