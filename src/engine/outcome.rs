//! How a performance comes to its end.

use super::connections::Order;
use super::sink::Gone;
use crate::scenario::model::End;

/// How a performance came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The script ended like this.
    Ended(End),
    /// A fault or a limit ended it like this.
    Struck(End),
    /// Somebody ended it from outside like this.
    Ordered(End),
    /// The client left.
    Left,
    /// The server stopped.
    Shutdown,
    /// The script could not go on.
    Failed(String),
    /// The client was too slow for a topic and lost this many messages.
    TooSlow(u64),
}

/// Why a performance does not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotBegun {
    /// The script cannot go on.
    Failed(String),
    /// The client resumes behind an id that the topic's history no longer has.
    Gone,
    /// The server stops, or somebody ended it.
    Ordered(Order),
}

/// Whoever interrupts a performance.
pub(super) enum Stop {
    Gone,
    Order(Order),
    /// It comes to its end by itself.
    Over(Outcome),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}

impl Outcome {
    /// How the transport is to end the stream; `None` if the client has gone.
    pub fn end(&self) -> Option<End> {
        /// RFC 9113 §7: INTERNAL_ERROR.
        const INTERNAL_ERROR: u32 = 2;
        match self {
            Outcome::Ended(end) | Outcome::Struck(end) | Outcome::Ordered(end) => Some(*end),
            Outcome::Left => None,
            Outcome::Shutdown => Some(End::Close),
            Outcome::Failed(_) | Outcome::TooSlow(_) => Some(End::Cut { code: INTERNAL_ERROR }),
        }
    }

    /// In a word or two, for the log.
    pub fn describe(&self) -> String {
        match self {
            Outcome::Ended(_) => "script ended".into(),
            Outcome::Struck(_) => "fault or limit".into(),
            Outcome::Ordered(_) => "ended on order".into(),
            Outcome::Left => "client left".into(),
            Outcome::Shutdown => "shutdown".into(),
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::TooSlow(missed) => format!("cut: too slow, missed {missed} messages"),
        }
    }
}

/// The script cannot go on.
pub(super) fn failed(why: String) -> Stop {
    Stop::Over(Outcome::Failed(why))
}
