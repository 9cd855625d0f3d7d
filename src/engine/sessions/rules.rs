//! What sessions begin with, and why one cannot be had.

use std::fmt;
use std::time::Duration;

use super::super::Seed;
use crate::clock::Mode;

/// Bytes of a session's name.
const LONGEST_NAME: usize = 64;

/// What all sessions of a server begin with.
#[derive(Debug, Clone)]
pub struct SessionRules {
    /// Where chance comes from.
    pub seed: Seed,
    /// How time passes.
    pub mode: Mode,
    /// The time of day at which every session begins, in milliseconds since 1970; `None`: what the
    /// scenario says, else the real one.
    pub now: Option<u64>,
    /// How many named sessions there may be.
    pub most: usize,
    /// A named session without an open connection may be forgotten so long after its last request
    /// (real time).
    pub idle: Duration,
}

impl SessionRules {
    /// The usual bounds.
    pub fn new(seed: Seed) -> SessionRules {
        SessionRules {
            seed,
            mode: Mode::REAL,
            now: None,
            most: 1000,
            idle: Duration::from_secs(600),
        }
    }
}

/// Why a session cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSession {
    /// The name is no name.
    BadName(String),
    /// There are as many as there may be, and all are in use.
    TooMany(usize),
}

impl NoSession {
    /// The status of the answer that says so.
    pub fn status(&self) -> u16 {
        match self {
            NoSession::BadName(_) => 400,
            NoSession::TooMany(_) => 503,
        }
    }
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSession::BadName(name) => write!(
                f,
                "`{name}` is no session's name: use 1 to {LONGEST_NAME} letters, digits, `-`, `_` and `.`"
            ),
            NoSession::TooMany(most) => write!(
                f,
                "there are {most} sessions, all of them in use: delete some (DELETE /__mock/sessions/NAME), or raise --max-sessions"
            ),
        }
    }
}

/// Whether a text can name a session.
pub(super) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
