//! What the client under test should do.

use std::time::Duration;

use serde_json::Value as Json;

use super::Methods;
use crate::expr::Expr;
use crate::scenario::pattern::Pattern;

/// One expectation.
#[derive(Debug)]
pub struct Expectation {
    /// What it is called in the verdict.
    pub name: Option<String>,
    /// The requests it is about.
    pub subject: Subject,
    /// Whether every client is held to it on its own.
    pub per_client: bool,
    /// Which of the requests the checks of single requests are for, from 1, ascending; empty: all.
    pub nth: Vec<u64>,
    /// How many come.
    pub count: Option<Count>,
    /// How many come within a time.
    pub rate: Option<Rate>,
    /// The time between a connection and the client's next request.
    pub gap: Option<GapRule>,
    /// The `Last-Event-ID`, in text form; empty: none.
    pub last_event_id: Option<String>,
    /// Headers in lower case with their values in text form; `None`: absent.
    pub headers: Vec<(String, Option<String>)>,
    /// The body.
    pub body: Option<ExpectedBody>,
    /// Whether a client brings the body of its first request each time.
    pub same_body: bool,
    /// What holds for the request.
    pub condition: Option<Expr>,
    /// The status after which the client stays away.
    pub nothing_after: Option<u16>,
    /// How long after a stream's last event the client leaves at the latest.
    pub hangs_up: Option<Duration>,
    /// How long after the session's first request it has happened at the latest.
    pub within: Option<Duration>,
    /// How long it must stay true before it counts.
    pub hold: Option<Duration>,
}

/// The requests that an expectation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Those that fit.
    Requests(Asked),
    /// Those that fit one of these, in this order.
    Order(Vec<Asked>),
}

/// Requests, by where they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Those that an endpoint answers.
    Endpoint {
        /// Its key.
        key: String,
        /// What it is called.
        name: String,
    },
    /// Those with a method and a path, answered or not.
    Path {
        /// The method.
        methods: Methods,
        /// The path.
        path: Pattern,
    },
}

/// How many requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// At least so many.
    pub min: u64,
    /// At most so many; `None`: any number.
    pub max: Option<u64>,
}

/// How many requests come within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At most so many, 1 to 1,000.
    pub at_most: u64,
    /// In any stretch of time of this length.
    pub per: Duration,
}

/// The time from the end of a client's connection to its next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GapRule {
    /// About so long.
    pub about: Option<About>,
    /// How far from `about` it may be.
    pub within: Duration,
    /// At least so long.
    pub at_least: Option<Duration>,
    /// At most so long.
    pub at_most: Option<Duration>,
    /// Whether each one is longer than the one before.
    pub growing: bool,
}

impl GapRule {
    /// Whether anything is said of a single gap, not only of how they grow.
    pub fn bounds_each(&self) -> bool {
        self.about.is_some() || self.at_least.is_some() || self.at_most.is_some()
    }
}

/// What a gap is about as long as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The reconnection time that the client was sent last.
    Retry,
    /// A fixed time.
    Time(Duration),
}

/// A body that is expected.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedBody {
    /// These bytes, in text form.
    Text(String),
    /// Something equal to this as JSON.
    Json(Json),
}

impl Expectation {
    /// The most requests that may come; `None`: any number.
    pub fn most(&self) -> Option<u64> {
        self.count.and_then(|count| count.max)
    }

    /// Whether the checks of single requests are for the nth one.
    pub fn is_about(&self, nth: u64) -> bool {
        self.nth.is_empty() || self.nth.binary_search(&nth).is_ok()
    }

    /// Whether something is checked of a request as it comes.
    pub fn looks_at_requests(&self) -> bool {
        self.last_event_id.is_some()
            || !self.headers.is_empty()
            || self.body.is_some()
            || self.condition.is_some()
    }
}
