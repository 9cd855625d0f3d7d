//! What a request gets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Assignments, End, EventTemplate, Pace, Publish, Raw, Split, Steps};
use crate::expr::{Expr, Text, Tree};
use crate::wire::{Coding, Framing, Style};

/// A header: rendered values, or its removal.
#[derive(Debug, Clone)]
pub struct Header {
    /// As written; compared without case.
    pub name: String,
    /// The values; none removes the header.
    pub values: Vec<Text>,
}

/// What happens before the answer, in this order.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// `let` names, in order.
    pub lets: Vec<(String, Tree)>,
    /// Changes of the session's state, each as a whole.
    pub sets: Vec<Assignments>,
    /// What is published.
    pub publish: Vec<Publish>,
}

/// One answer, or a choice of answers.
#[derive(Debug, Clone)]
pub enum Choice {
    /// This one.
    Answer(Arc<Answer>),
    /// By how often this client has been answered here; the last entry repeats.
    Attempts(Vec<Entry>),
    /// The first whose condition holds.
    Cases(Vec<Entry>),
}

/// One entry of a choice.
#[derive(Debug, Clone)]
pub struct Entry {
    /// A condition.
    pub when: Option<Expr>,
    /// What it gives.
    pub choice: Choice,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// Text.
    Text(Text),
    /// JSON.
    Json(Tree),
    /// A file, read when the scenario was loaded.
    File {
        /// Its bytes.
        bytes: Bytes,
        /// Its media type, by its name.
        media_type: String,
    },
    /// A folder's files, by the rest of the path.
    Files(Arc<Files>),
    /// An event stream.
    Stream(Arc<Script>),
    /// No answer at all, not even a head.
    Nothing(End),
}

/// A folder's files, read when the scenario was loaded.
#[derive(Debug, Default)]
pub struct Files {
    /// The captured name that holds the file's path.
    pub name: String,
    /// Bytes and media type by path, parts separated by `/`.
    pub files: BTreeMap<String, (Bytes, String)>,
}

/// Codings the endpoint may compress with, best first.
pub type Compression = Vec<Coding>;

/// The script of a stream.
#[derive(Debug, Clone)]
pub struct Script {
    /// The steps.
    pub steps: Steps,
    /// What is sent after silence.
    pub heartbeat: Option<Heartbeat>,
    /// How events become bytes and bytes become writes.
    pub wire: Wire,
    /// A slow or withholding network.
    pub throttle: Option<Throttle>,
    /// What may go wrong.
    pub faults: Vec<Fault>,
    /// Bounds of the stream.
    pub limits: Limits,
    /// Whether events up to the client's last event id are skipped.
    pub resume: bool,
    /// What is done whatever ended the stream.
    pub finally: Steps,
}

impl Script {
    /// Steps and nothing else.
    pub fn of(steps: Steps) -> Script {
        Script {
            steps,
            heartbeat: None,
            wire: Wire::default(),
            throttle: None,
            faults: Vec::new(),
            limits: Limits::default(),
            resume: false,
            finally: Steps::from([]),
        }
    }
}

/// What is sent after silence.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// After this much silence; more than none.
    pub every: Duration,
    /// What.
    pub event: EventTemplate,
}

/// How events become bytes and bytes become writes.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    /// Line ends, spaces, the order of fields.
    pub style: Style,
    /// Byte order marks at the beginning.
    pub boms: u8,
    /// How each event is cut into writes.
    pub split: Option<Arc<Split>>,
}

impl Wire {
    /// Whether relayed events are written as they are for everybody.
    pub fn passes_on(&self) -> bool {
        self.split.is_none() && self.style == Style::STANDARD
    }
}

/// A slow or withholding network.
#[derive(Debug, Clone)]
pub struct Throttle {
    /// Bytes a second.
    pub rate: Option<u64>,
    /// How much later everything arrives.
    pub delay: Option<Pace>,
    /// Bytes that are withheld until there are as many; the end of the stream lets them go.
    pub buffer: Option<usize>,
}

/// Something that may go wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// How likely, 0 to 1, drawn once a stream.
    pub probability: f64,
    /// After this many events.
    pub events: Option<Numbers>,
    /// After this many bytes of the body, in the middle of a write if need be.
    pub bytes: Option<Numbers>,
    /// After this much time.
    pub time: Option<Pace>,
    /// What happens.
    pub strike: Strike,
}

/// A number between two bounds, often the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The smallest.
    pub low: u64,
    /// The largest.
    pub high: u64,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub enum Strike {
    /// It ends the stream.
    End(End),
    /// It silences the stream for a while.
    Stall(Pace),
}

/// Bounds of an endpoint's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Streams open at once; one more is refused with 503.
    pub connections: Option<usize>,
    /// Events of a stream; then it ends cleanly.
    pub events: Option<u64>,
    /// Bytes of a stream's body; the event that would exceed them is not sent, the stream ends cleanly.
    pub bytes: Option<u64>,
    /// How long a stream may last; then it ends cleanly.
    pub time: Option<Duration>,
}

/// What a request gets.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What happens before.
    pub effects: Effects,
    /// The status code.
    pub status: Text,
    /// The reason phrase, over HTTP/1.
    pub reason: Option<Text>,
    /// Headers over the usual ones.
    pub headers: Vec<Header>,
    /// The whole head byte for byte, over HTTP/1.
    pub raw_head: Option<Raw>,
    /// The delay before the head.
    pub after: Pace,
    /// The body.
    pub body: Body,
    /// How the body's end is told, over HTTP/1.1; `None`: as fits.
    pub framing: Option<Framing>,
    /// Whether TLS ends with close_notify.
    pub close_notify: bool,
    /// What the body may be compressed with.
    pub compress: Compression,
}
