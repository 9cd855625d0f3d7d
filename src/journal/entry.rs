//! One request in the journal, and what became of it.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::request::Request;
use crate::request::packed::Packed;
use crate::scenario::model::{End, Named};
use crate::tick::Tick;
use crate::wire::sent::Tally;
use crate::wire::{Digest, Sent};

/// Bytes of a reason that are kept.
const LONGEST_REASON: usize = 1 << 10;

/// What an entry takes besides its texts, roughly: itself, and its places in the journal.
const BESIDES: usize = size_of::<Entry>() + size_of::<Came>() + 128;

/// A request. What is known when it comes stays as it is; the rest is asked for.
#[derive(Debug)]
#[repr(C)]
pub struct Entry {
    progress: Mutex<Progress>,
    /// From 1, in order of arrival.
    pub number: u64,
    /// What it takes, in bytes, about.
    pub(super) size: AtomicUsize,
    /// Looked at seldom: it lies apart.
    came: Box<Came>,
}

/// What came, and when.
#[derive(Debug)]
struct Came {
    at: Tick,
    wall_ms: u64,
    request: Packed,
    /// What answers it, and the gap to the client's connection before.
    matched: OnceLock<(Matched, Option<Tick>)>,
}

/// What answers a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The endpoint.
    pub endpoint: Arc<Named>,
    /// The client's key; empty if all are one.
    pub client: Box<str>,
    /// Which request of its client it is, from 1.
    pub attempt: u64,
}

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// When, on the session's clock.
    pub at: Duration,
    /// The status code; `None`: there is no answer at all.
    pub status: Option<u16>,
    /// Whether a stream follows.
    pub stream: bool,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In which way.
    pub how: How,
    /// Who ended it.
    pub by: By,
    /// What else there is to say, as why a script could not go on.
    pub why: Option<String>,
}

/// In which way a connection ended.
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
    /// The script fell silent for ever.
    Stall,
    /// The script had no more but heartbeats.
    Hold,
    /// The client left.
    Left,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The script came to its end.
    Script,
    /// A fault or a limit of the scenario.
    Fault,
    /// The client.
    Client,
    /// Somebody from outside: a command, or a step in another script.
    Order,
    /// The server stopped.
    Shutdown,
    /// It was a plain answer, and it is sent.
    Answer,
    /// The script could not go on, or the client was too slow for it.
    Failure,
}

/// What is told of it. What changes with every event stands together in front.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Progress {
    pub(super) tally: Tally,
    /// When the last event was written.
    last_event: Option<Tick>,
    pub(super) ended: Option<Box<(Duration, Ended)>>,
    answered: Option<Head>,
}

/// The head of an answer, in little memory.
#[derive(Debug, Clone, Copy)]
struct Head {
    at: Tick,
    /// 0: there is no answer at all.
    status: u16,
    stream: bool,
}

impl Entry {
    /// A request that has come; `most_body`: bytes of its body that are kept.
    pub(super) fn new(request: &Request, at: Duration, wall_ms: u64, most_body: usize) -> Entry {
        let packed = Packed::of(request, most_body);
        Entry {
            number: 0,
            size: AtomicUsize::new(BESIDES + packed.size()),
            came: Box::new(Came {
                at: at.into(),
                wall_ms,
                request: packed,
                matched: OnceLock::new(),
            }),
            progress: Mutex::default(),
        }
    }

    /// The request as it came; only the beginning of a long body is kept.
    pub fn request(&self) -> Request {
        self.came.request.unpack()
    }

    /// Its path and query, as sent.
    pub fn target(&self) -> String {
        self.request().target()
    }

    /// When it came, on the session's clock.
    pub fn at(&self) -> Duration {
        self.came.at.into()
    }

    /// When it came, in milliseconds since the Unix epoch.
    pub fn wall_ms(&self) -> u64 {
        self.came.wall_ms
    }

    /// How many bytes its body had.
    pub fn body_bytes(&self) -> usize {
        self.came.request.body_bytes()
    }

    /// What it has in common with one before takes no memory of its own.
    pub(super) fn share(&mut self, before: &Entry) {
        self.came.request.share(&before.came.request);
    }

    /// Bytes of a stream's body were written, in order, as they are before any content coding. What
    /// comes after the end does not count. Takes no lock but the entry's own.
    ///
    /// `event`: when, on the session's clock, if an event ends in them.
    pub fn wrote(&self, bytes: &[u8], event: Option<Duration>) {
        // Read here, not where the stream's own reading lies: of many streams that is seldom at hand.
        let whole = event.is_some() && !bytes.is_empty();
        let digest = if whole { Digest::of(bytes) } else { None };
        let mut progress = self.progress();
        progress.last_event = event.map(Tick::from).or(progress.last_event);
        if progress.ended.is_none() {
            progress.tally.feed_digested(bytes, digest.as_ref());
        }
    }

    /// The same for events of which it is known what they are.
    pub fn wrote_digested<'p>(
        &self,
        pieces: impl Iterator<Item = (&'p [u8], Option<&'p Digest>)>,
        now: Duration,
    ) {
        let mut progress = self.progress();
        progress.last_event = Some(now.into());
        if progress.ended.is_none() {
            pieces.for_each(|(bytes, digest)| progress.tally.feed_digested(bytes, digest));
        }
    }

    /// What happens to it. Nothing else is locked by whoever holds this.
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What answers it; `None`: nothing, or not yet known.
    pub fn matched(&self) -> Option<Matched> {
        self.known_match().cloned()
    }

    pub(super) fn known_match(&self) -> Option<&Matched> {
        self.came.matched.get().map(|(matched, _)| matched)
    }

    /// What answers it becomes known; the first time counts: whether it was this one.
    pub(super) fn is_matched(&self, by: Matched, gap: Option<Duration>) -> bool {
        self.came.matched.set((by, gap.map(Tick::from))).is_ok()
    }

    /// The time from the end of the same client's connection before, at the same endpoint, to this
    /// arrival; `None` if none had ended.
    pub fn gap(&self) -> Option<Duration> {
        self.came.matched.get()?.1.map(Tick::time)
    }

    /// How it was answered, once it is.
    pub fn answered(&self) -> Option<Answered> {
        self.progress().answered()
    }

    /// What its stream has sent until now; all 0 without a stream.
    pub fn sent(&self) -> Sent {
        self.progress().tally.sent()
    }

    /// When the last event of its stream was written, on the session's clock.
    pub fn last_event(&self) -> Option<Duration> {
        self.progress().last_event.map(Tick::time)
    }

    /// When and how it ended; `None` while it is open.
    pub fn ended(&self) -> Option<(Duration, Ended)> {
        self.progress().ended.as_deref().cloned()
    }

    /// Whether it has not ended yet.
    pub fn is_open(&self) -> bool {
        self.progress().ended.is_none()
    }
}

impl Progress {
    pub(super) fn answered(&self) -> Option<Answered> {
        let Head { at, status, stream } = self.answered?;
        Some(Answered {
            at: at.into(),
            status: (status > 0).then_some(status),
            stream,
        })
    }

    pub(super) fn answer(&mut self, head: Answered) {
        self.answered = Some(Head {
            at: head.at.into(),
            status: head.status.unwrap_or(0),
            stream: head.stream,
        });
    }
}

impl Ended {
    /// Without more to say.
    pub fn new(how: How, by: By) -> Ended {
        Ended { how, by, why: None }
    }

    /// With a reason, of which 1 KiB is kept.
    pub fn because(how: How, by: By, why: &str) -> Ended {
        let end = (0..=why.len().min(LONGEST_REASON))
            .rev()
            .find(|&at| why.is_char_boundary(at));
        let why = Some(why[..end.unwrap_or(0)].to_owned());
        Ended { how, by, why }
    }
}

impl How {
    /// In a word: `close`, `cut`, `reset`, `goaway`, `stall`, `hold`, `left`.
    pub fn name(self) -> &'static str {
        match self {
            How::Close => "close",
            How::Cut => "cut",
            How::Reset => "reset",
            How::Goaway => "goaway",
            How::Stall => "stall",
            How::Hold => "hold",
            How::Left => "left",
        }
    }
}

impl From<End> for How {
    fn from(end: End) -> How {
        match end {
            End::Close => How::Close,
            End::Cut { .. } => How::Cut,
            End::Reset => How::Reset,
            End::Goaway => How::Goaway,
            End::Stall => How::Stall,
            End::Hold => How::Hold,
        }
    }
}

impl By {
    /// In a word: `script`, `fault`, `client`, `order`, `shutdown`, `answer`, `failure`.
    pub fn name(self) -> &'static str {
        match self {
            By::Script => "script",
            By::Fault => "fault",
            By::Client => "client",
            By::Order => "order",
            By::Shutdown => "shutdown",
            By::Answer => "answer",
            By::Failure => "failure",
        }
    }

    /// As the end of "the stream …".
    pub fn describe(self) -> &'static str {
        match self {
            By::Answer => "answered",
            By::Client => "left by the client",
            By::Script => "ended by the script",
            By::Fault => "ended by a fault or a limit",
            By::Order => "ended on order",
            By::Shutdown => "ended by the server's shutdown",
            By::Failure => "cut, as the script failed",
        }
    }
}
