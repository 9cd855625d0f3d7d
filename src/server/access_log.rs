//! One line a request: what was asked, what was answered, and how it ended.

use std::sync::Arc;

use crate::clock::uptime;
use crate::engine::sessions::Sessions;
use crate::engine::witness::Witnessed;
use crate::engine::{Head, Outcome};
use crate::name::printable;
use crate::request::{Request, Version};
use crate::tick::Tick;

/// A request on its way into the log.
pub(super) struct AccessLog {
    /// Not written yet.
    line: Option<(Line, Box<Asked>)>,
    sessions: Arc<Sessions>,
    /// No answer is wanted.
    unanswered: bool,
    /// Where the same is told to the session.
    witnessed: Option<Witnessed>,
}

struct Line {
    /// Since the process began.
    began: Tick,
    status: u16,
}

/// What was asked, by whom.
struct Asked {
    method: String,
    target: String,
    protocol: &'static str,
    peer: std::net::SocketAddr,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let prefix = match request.session.as_str() {
            "" => String::new(),
            name => format!("/~{name}"),
        };
        let target = match &request.query {
            Some(query) => format!("{prefix}{}?{query}", request.path),
            None => format!("{prefix}{}", request.path),
        };
        Asked {
            method: request.method.clone(),
            target: shorten(target),
            protocol: protocol(request),
            peer: request.peer,
        }
    }
}

impl AccessLog {
    pub(super) fn begin(request: &Request, began: Tick, sessions: &Arc<Sessions>) -> AccessLog {
        let line = Line { began, status: 0 };
        AccessLog {
            line: Some((line, Box::new(Asked::of(request)))),
            sessions: sessions.clone(),
            unanswered: false,
            witnessed: None,
        }
    }

    /// Tells the same to the session; the first one counts.
    pub(super) fn witnessed(&mut self, witnessed: Option<Witnessed>) {
        self.witnessed = self.witnessed.take().or(witnessed);
    }

    /// An answer with a body of so many bytes.
    pub(super) fn answered(mut self, head: &Head, bytes: u64) {
        let line = self.line.take();
        if let Some(witnessed) = self.witnessed.take() {
            witnessed.answered(head, false);
        }
        if let Some((mut line, asked)) = line {
            line.status = head.status;
            line.write(&asked, None, bytes, "answered");
        }
    }

    /// What the status will be once the answer is due.
    pub(super) fn decided(&mut self, status: u16) {
        if let Some((line, _)) = &mut self.line {
            line.status = status;
        }
    }

    /// There will be no answer; its line is written when this is dropped.
    pub(super) fn unanswered(&mut self) {
        self.unanswered = true;
        self.decided(0);
        if let Some(witnessed) = &self.witnessed {
            witnessed.unanswered();
        }
    }

    /// What was kept open without an answer, or ended without one, is over.
    pub(super) fn silent_end(mut self, outcome: &Outcome) {
        if let Some(witnessed) = self.witnessed.take() {
            witnessed.finished(outcome);
        }
    }

    /// A stream begins.
    pub(super) fn opened(mut self, head: &Head) -> StreamLog {
        let witnessed = self.witnessed.take();
        if let Some(witnessed) = &witnessed {
            witnessed.answered(head, true);
        }
        let (mut line, asked) = self.line.take().expect("nothing has been written yet");
        line.status = head.status;
        let (method, target, protocol) = (&asked.method, &asked.target, asked.protocol);
        tracing::debug!("{method} {target} {} {protocol}: stream opened", line.status);
        StreamLog {
            line,
            asked: witnessed.is_none().then_some(asked),
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let line = self.line.take();
        let closing = self.sessions.closing();
        if let Some(witnessed) = self.witnessed.take() {
            witnessed.finished(&abandoned(closing));
        }
        if let Some((line, asked)) = line {
            let ended = if self.unanswered {
                "no answer"
            } else {
                left(closing)
            };
            line.write(&asked, None, 0, ended);
        }
    }
}

/// How it ends when nobody serves it any more.
fn abandoned(closing: bool) -> Outcome {
    if closing { Outcome::Shutdown } else { Outcome::Left }
}

/// The same in words. A client that reads nothing hears of no shutdown until the drain is over.
fn left(closing: bool) -> &'static str {
    if closing {
        "cut by the shutdown"
    } else {
        "client left"
    }
}

/// A stream on its way into the log.
pub(super) struct StreamLog {
    line: Line,
    /// `None`: the session knows it, and is asked in the end: there may be very many of them.
    asked: Option<Box<Asked>>,
}

impl StreamLog {
    /// A stream has ended.
    pub(super) fn ended(self, witnessed: Option<Witnessed>, outcome: &Outcome, events: u64, bytes: u64) {
        // Reasons may quote a request.
        let ended = shorten(outcome.describe());
        let asked = self.write(witnessed, outcome, events, bytes, &ended);
        if let (Outcome::Failed(_), Some(asked)) = (outcome, asked) {
            tracing::warn!("{} {}: {ended}", asked.method, asked.target);
        }
    }

    /// A stream was dropped without an ending.
    pub(super) fn abandoned(self, witnessed: Option<Witnessed>, closing: bool, events: u64, bytes: u64) {
        self.write(witnessed, &abandoned(closing), events, bytes, left(closing));
    }

    fn write(
        self,
        witnessed: Option<Witnessed>,
        outcome: &Outcome,
        events: u64,
        bytes: u64,
        ended: &str,
    ) -> Option<Box<Asked>> {
        let asked = self.asked.or_else(|| {
            let request = witnessed.as_ref()?.request();
            Some(Box::new(Asked::of(&request)))
        });
        if let Some(witnessed) = witnessed {
            witnessed.finished(outcome);
        }
        if let Some(asked) = &asked {
            self.line.write(asked, Some(events), bytes, ended);
        }
        asked
    }
}

impl Line {
    fn write(&self, asked: &Asked, events: Option<u64>, bytes: u64, ended: &str) {
        let Line { began, status } = self;
        let Asked {
            method,
            target,
            protocol,
            peer,
        } = asked;
        let took = uptime().time().saturating_sub(began.time());
        let seconds = took.as_secs_f64();
        let shown = match status {
            0 => "-".to_owned(),
            status => status.to_string(),
        };
        let count = events.map_or(String::new(), |n| {
            format!("{n} event{}, ", if n == 1 { "" } else { "s" })
        });
        tracing::info!(
            target: "mock_sse::request",
            method, target, status, protocol, %peer,
            duration_ms = (seconds * 1e3) as u64, events, bytes, ended,
            "{method} {target} {shown} {protocol} {} {count}{bytes} bytes, {ended}", human(seconds),
        );
    }
}

fn human(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.1}ms", seconds * 1e3)
    } else {
        format!("{seconds:.1}s")
    }
}

fn protocol(request: &Request) -> &'static str {
    match (request.version, request.tls) {
        (Version::Http10, false) => "HTTP/1.0",
        (Version::Http10, true) => "HTTP/1.0+TLS",
        (Version::Http11, false) => "HTTP/1.1",
        (Version::Http11, true) => "HTTP/1.1+TLS",
        (Version::Http2, false) => "HTTP/2",
        (Version::Http2, true) => "HTTP/2+TLS",
    }
}

/// Targets come from clients: bounded, and only ever printable characters.
fn shorten(target: String) -> String {
    const MOST: usize = 200;
    match target.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", printable(&target[..end])),
        None => printable(&target).into_owned(),
    }
}
