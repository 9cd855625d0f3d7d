//! What is remembered of a request as evidence.

use std::time::Duration;

use super::judge::Arrival;
use super::words::excerpt;
use crate::journal::By;

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
    pub ended: Option<(Duration, By)>,
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
