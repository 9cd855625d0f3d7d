//! A client that records: makes one request of any server, and writes the answer down as a scenario
//! that replays it, write by write.
//!
//! What belongs here: everything of `mock-sse record` but flags and what is printed. What does not:
//! HTTP itself (`client`), and what a recording looks like (`scenario/recording`).
//!
//! # Layout
//! - `request`: what is asked; `secrets`: what of it nobody is to read
//! - `run`: the order of things; `tape`: bytes → writes, and where the last event ends
//! - `head` (what the answer says) and `scenario` (as YAML) → `files` (on the disk)

mod error;
mod files;
mod head;
mod request;
mod run;
mod scenario;
mod secrets;
mod tape;

use std::path::PathBuf;
use std::time::Duration;

pub use crate::client::connect::{Access, Trust};
pub use error::RecordError;
pub use request::Asked;
pub use run::record;

/// What is recorded, and for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The request.
    pub asked: Asked,
    /// How the server may be reached.
    pub access: Access,
    /// The longest wait for a connection, and for the head behind it.
    pub patience: Duration,
    /// The scenario to write: a `.yaml` file. The recording lies beside it.
    pub output: PathBuf,
    /// Whether files that are there are replaced.
    pub force: bool,
    /// Whether response headers with secrets are kept.
    pub with_secrets: bool,
    /// After how many events to stop, as a client dispatches them (HTML standard, 9.2.6).
    pub events: Option<u64>,
    /// After how much time to stop, since the head.
    pub time: Option<Duration>,
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events that a client has dispatched; `None`: the body is compressed, or no event stream.
    pub events: Option<u64>,
    /// Writes.
    pub writes: u64,
    /// Bytes of the body.
    pub bytes: u64,
    /// Since the head.
    pub elapsed: Duration,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// How far it came.
    pub progress: Progress,
    /// How the answer ended.
    pub ending: Ending,
    /// What else there is to say: what was left out, what is no event stream.
    pub notes: Vec<String>,
}

/// How a recorded answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Cleanly.
    Close,
    /// Cleanly, as far as a body without a length can tell, but TLS was not ended (RFC 8446 §6.1).
    Unannounced,
    /// Before its end.
    Cut,
    /// By TCP RST.
    Reset,
    /// It had not ended when the recording was stopped.
    Open,
}

/// What a recording of an answer with this head would be written as; for fuzzing. `None`: no scenario
/// can say it.
#[doc(hidden)]
pub fn written(url: &str, head: &[u8]) -> Option<String> {
    let asked = Asked::new(url, http::Method::GET, Vec::new(), None).ok()?;
    let (parsed, length) = crate::client::head::parse(head).ok()??;
    let lines = crate::client::head::lines(&head[..length]);
    let seen = head::Seen::new(&parsed, lines, &asked, false).ok()?;
    Some(scenario::yaml(&scenario::Answer {
        asked: &asked,
        seen: &seen,
        waited: Duration::ZERO,
        file: None,
        ending: Some((Ending::Close, Duration::ZERO)),
    }))
}
