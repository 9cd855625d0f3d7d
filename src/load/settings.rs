//! What a run is to do, valid by construction where types can say it. Raw command-line
//! arguments are in `args`; nothing is opened here.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::blocks::{Marks, find_marks};
use super::error::LoadError;
use crate::client::Target;
use crate::client::connect::{Access, Trust};

/// Everything about one run.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// The stream to open.
    pub url: Target,
    /// How many streams.
    pub streams: usize,
    /// What to do once they are open.
    pub work: Work,
    /// The server's processes, to measure their processor time and memory.
    pub server_pids: Vec<u32>,
    /// Threads that read the streams.
    pub threads: usize,
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
    /// Show how far the run is, where standard error is a terminal.
    pub progress: bool,
}

impl LoadSettings {
    /// Settings to open 100 streams of `url` and do `work`; every field can be changed.
    pub fn new(url: Target, work: Work) -> Self {
        Self {
            url,
            streams: 100,
            work,
            server_pids: Vec::new(),
            threads: default_threads(),
            connect_concurrency: 64,
            http2: false,
            streams_per_connection: 100,
            ca: None,
            insecure: false,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            limit: Duration::from_secs(600),
            allow_remote: false,
            progress: false,
        }
    }

    /// How a target may be reached.
    pub(super) fn access(&self, target: &Target) -> Result<Access, LoadError> {
        let trust = match (&self.ca, self.insecure) {
            (_, true) => Trust::Anybody,
            (Some(path), false) => Trust::Ca(path.clone()),
            (None, false) if target.tls => return Err(LoadError::NoTrust),
            (None, false) => Trust::System,
        };
        Ok(Access {
            trust,
            loopback_only: !self.allow_remote,
        })
    }

    /// How many connections the streams need.
    pub fn connections(&self) -> usize {
        match self.http2 {
            true => self.streams.div_ceil(self.streams_per_connection.max(1)),
            false => self.streams,
        }
    }
}

/// Half of the processors, so that a server on this machine has the other half.
fn default_threads() -> usize {
    let all = std::thread::available_parallelism();
    all.map_or(1, |all| all.get().div_ceil(2))
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
    /// Where the messages go.
    pub way: Way,
    /// What is posted.
    pub body: Template,
    /// How many publish side by side, each on a connection of its own; each one waits for the answer
    /// to a message before it sends the next.
    pub publishers: usize,
    /// Messages per second on a fixed schedule; `None`: each as soon as the last was answered.
    pub rate: Option<f64>,
    /// How many messages.
    pub messages: u64,
    /// Messages ahead of the measured ones. They also show that every stream is subscribed;
    /// with 0, a server that sends its head before it subscribes may seem to lose messages.
    pub warm_up: u64,
}

/// How a message gets to the server.
#[derive(Debug, Clone)]
pub enum Way {
    /// It is posted to this address.
    Post(Target),
    /// A command of the shell is run; it finds the message in the variable `MOCK_SSE_MESSAGE` and in
    /// its standard input.
    Command(String),
}

/// How long to listen: until the time is over, every stream has its events, or all have ended.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The longest time to listen.
    pub time: Duration,
    /// How many events each stream is to receive; fewer count as lost.
    pub events: Option<u64>,
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
    fn templates() {
        assert_eq!(Template::default().render(3, 4), r#"{"n":3,"t":4}"#);
        assert!(Template::parse(r#"{"pad":"xx", "t": {t}, "n": {n}}"#).is_ok());
        for bad in ["hello", r#"{"n":{n}}"#, r#"{"n":{t},"t":{n}}"#] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
