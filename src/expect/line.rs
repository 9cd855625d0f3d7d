//! What is remembered of a request as evidence.

use std::time::Duration;

use super::judge::Arrival;
use super::words::excerpt;

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The whole answer had been given; it was no stream.
    Answer,
    /// The client left.
    Client,
    /// The script came to its end.
    Script,
    /// A fault or a limit struck.
    Fault,
    /// Somebody ordered it.
    Order,
    /// The server stopped.
    Shutdown,
    /// The script could not go on.
    Failure,
}

impl EndedBy {
    /// In a word, for machines.
    pub fn word(self) -> &'static str {
        match self {
            EndedBy::Answer => "answer",
            EndedBy::Client => "client",
            EndedBy::Script => "script",
            EndedBy::Fault => "fault",
            EndedBy::Order => "order",
            EndedBy::Shutdown => "shutdown",
            EndedBy::Failure => "failure",
        }
    }

    /// As the end of "the stream …".
    pub fn describe(self) -> &'static str {
        match self {
            EndedBy::Answer => "answered",
            EndedBy::Client => "left by the client",
            EndedBy::Script => "ended by the script",
            EndedBy::Fault => "ended by a fault or a limit",
            EndedBy::Order => "ended on order",
            EndedBy::Shutdown => "ended by the server's shutdown",
            EndedBy::Failure => "cut, as the script failed",
        }
    }
}

/// A request, as it is shown beside a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the journal.
    pub number: u64,
    /// When it came, on the session's clock.
    pub at: Duration,
    /// Its method.
    pub method: String,
    /// Its path and query, shortened.
    pub target: String,
    /// What counts as its client.
    pub client: String,
    /// Its `Last-Event-ID`, shortened.
    pub last_event_id: Option<String>,
    /// The status it was answered with.
    pub status: Option<u16>,
    /// When and how its connection ended; `None`: it is open.
    pub ended: Option<(Duration, EndedBy)>,
    /// The time since the end of the client's connection before it.
    pub gap: Option<Duration>,
}

impl Line {
    pub(super) fn of(a: &Arrival) -> Line {
        let query = a.request.query.as_ref().map(|query| format!("?{query}"));
        let target = format!("{}{}", a.request.path, query.unwrap_or_default());
        Line {
            number: a.number,
            at: a.at,
            method: excerpt(&a.request.method, 20),
            target: excerpt(&target, 100),
            client: excerpt(a.client, 100),
            last_event_id: a.request.header_text("last-event-id").map(|id| excerpt(&id, 100)),
            status: None,
            ended: None,
            gap: None,
        }
    }
}
