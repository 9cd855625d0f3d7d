//! What a client would receive, at once: the same engine on a clock that is moved by hand.
//!
//! What belongs here: one request, its stream on that clock, and the ways to look at it. Each way is a
//! [`Viewer`]: [`raw`] bytes, a [`timeline`] to read, a [`json`] document, an [`svg`] picture. No flags,
//! no files.

mod audience;
mod events;
pub mod json;
pub mod raw;
mod run;
mod show;
pub mod svg;
pub mod timeline;

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::Seed;
pub use crate::engine::memory::Written;
use crate::request::Request;
pub use events::{Dispatched, Reader};
pub use run::play;

/// What is played.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where chance comes from.
    pub seed: Seed,
    /// The request.
    pub request: Request,
    /// Which request of its client it is, from 1: those before are made and left at once.
    pub attempt: u64,
    /// How much of the script's time to play, from the head on.
    pub time: Duration,
    /// After how many events to stop, as a client dispatches them (HTML standard, 9.2.6).
    pub events: Option<u64>,
}

/// How it begins.
#[derive(Debug)]
pub struct Opening {
    /// When the head is sent, since the request.
    pub at: Duration,
    /// The request.
    pub request: Request,
    /// Which request of its client it is.
    pub attempt: u64,
    /// The seed in force.
    pub seed: u64,
    /// The head, unless there is no answer at all.
    pub head: Option<Answered>,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The fields as the scenario makes them, cross-origin ones included; without what says where the
    /// body ends, the date, and `connection`.
    pub headers: Vec<(String, Bytes)>,
    /// All of it, as it goes out over HTTP/1.1.
    pub bytes: Vec<u8>,
}

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When, since the request.
    pub at: Duration,
    /// In a word.
    pub how: How,
    /// Why, or what else there is to say; may be empty.
    pub detail: String,
    /// Events that the client has dispatched; `None`: nobody knows, the body is compressed.
    pub events: Option<u64>,
    /// Bytes of the body.
    pub bytes: u64,
    /// Writes of the body.
    pub writes: u64,
}

/// What became of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A clean end.
    Close,
    /// An end without the terminating chunk; over HTTP/2 RST_STREAM.
    Cut,
    /// RST of the connection.
    Reset,
    /// GOAWAY, then a clean end; over HTTP/1.1 a clean end and that of the connection.
    Goaway,
    /// Open and silent for ever.
    Stall,
    /// Open for ever, with heartbeats.
    Hold,
    /// Still open when the time was up.
    Open,
    /// Left: as many events as wanted have come, or nobody takes more.
    Left,
}

impl How {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            How::Close => "close",
            How::Cut => "cut",
            How::Reset => "reset",
            How::Goaway => "goaway",
            How::Stall => "stall",
            How::Hold => "hold",
            How::Open => "open",
            How::Left => "left",
        }
    }
}

/// Somebody who looks at what is played, as it comes.
pub trait Viewer {
    /// The head is due, or the end that comes instead.
    fn begin(&mut self, opening: &Opening) -> io::Result<()>;

    /// A write of the body, and the events that a client dispatches when it has read it. `Break`: no
    /// more is needed.
    fn write(&mut self, written: &Written, events: &[Dispatched]) -> io::Result<ControlFlow<()>>;

    /// It is over.
    fn end(&mut self, ending: &Ending) -> io::Result<()>;
}

/// What was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// The status code; `None` if there was no answer.
    pub status: Option<u16>,
    /// Why the script could not go on, if it could not.
    pub failed: Option<String>,
    /// How it ended.
    pub ending: Ending,
}
