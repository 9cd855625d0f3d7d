//! A scenario that is valid by construction: what everything behind the loader works with.

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;

use super::pattern::Pattern;
use crate::expr::{Expr, Expressions, Text, Tree};

/// Reconnection times, delays and the like, drawn or rendered when they come due.
#[derive(Debug, Clone)]
pub enum Pace {
    /// Between two bounds, often the same.
    Range {
        /// The shortest.
        low: Duration,
        /// The longest.
        high: Duration,
    },
    /// A template that yields a duration.
    Template(Text),
}

impl Pace {
    /// No time at all.
    pub const ZERO: Pace = Pace::Range {
        low: Duration::ZERO,
        high: Duration::ZERO,
    };

    /// Always this long.
    pub fn fixed(duration: Duration) -> Pace {
        Pace::Range {
            low: duration,
            high: duration,
        }
    }
}

/// How a stream ends, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Cleanly: the terminating chunk, END_STREAM.
    Close,
    /// HTTP/1.1: FIN without the terminating chunk; HTTP/2: RST_STREAM with this code.
    Cut {
        /// HTTP/2 error code (RFC 9113, §7).
        code: u32,
    },
    /// TCP RST; over HTTP/2 it takes the whole connection with it.
    Reset,
    /// HTTP/2: GOAWAY, then a clean end of the stream; HTTP/1.1: a clean end and `connection: close`.
    Goaway,
    /// Open and silent for ever.
    Stall,
    /// Open, heartbeats go on.
    Hold,
}

/// Where an event's id comes from.
#[derive(Debug, Clone)]
pub enum Id {
    /// A random UUID from the stream's draws.
    Uuid,
    /// 1, 2, 3…: of the events in this stream, or of the topic's messages.
    Counter,
    /// Text.
    Text(Text),
}

/// What an event carries.
#[derive(Debug, Clone)]
pub enum Data {
    /// Text, each line a field of its own.
    Text(Text),
    /// Compact JSON.
    Json(Tree),
}

/// An event before it is rendered.
#[derive(Debug, Clone, Default)]
pub struct EventTemplate {
    /// Comment lines.
    pub comment: Option<Text>,
    /// Type.
    pub event: Option<Text>,
    /// Data.
    pub data: Option<Data>,
    /// Id.
    pub id: Option<Id>,
    /// Reconnection time.
    pub retry: Option<Pace>,
}

/// How a step is repeated.
#[derive(Debug, Clone)]
pub struct Repetition {
    /// The schedule's interval, first after one; `None`: at once.
    pub every: Option<Pace>,
    /// How often; `None`: for ever.
    pub times: Option<u64>,
}

/// One step of a stream, and how long after the previous step's due time it is due.
#[derive(Debug, Clone)]
pub struct Step {
    /// The delay.
    pub after: Pace,
    /// What happens.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends an event.
    Send(Box<EventTemplate>),
    /// Nothing: the delay is all.
    Wait,
    /// Repeats steps.
    Repeat {
        /// When and how often.
        repetition: Repetition,
        /// What.
        steps: Arc<[Step]>,
    },
    /// Relays a topic.
    Follow(Follow),
    /// Ends the stream.
    End(End),
}

/// Relaying a topic.
#[derive(Debug, Clone)]
pub struct Follow {
    /// The topic's name.
    pub topic: Text,
    /// Where to begin.
    pub from: From,
    /// How many messages, then the next step.
    pub limit: Option<u64>,
}

/// Where to begin in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With what is published from now on.
    Live,
    /// With the whole history.
    Earliest,
    /// Behind the request's `Last-Event-ID`; live if there is none.
    LastEventId,
}

/// A message to publish before the answer.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The topic's name.
    pub topic: Text,
    /// The message; without data the request's parameters are relayed.
    pub event: EventTemplate,
}

/// A header: rendered values, or its removal.
#[derive(Debug, Clone)]
pub struct Header {
    /// As written; compared without case.
    pub name: String,
    /// The values; none removes the header.
    pub values: Vec<Text>,
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
    /// An event stream.
    Stream(Script),
}

/// The script of a stream.
#[derive(Debug, Clone)]
pub struct Script {
    /// The steps.
    pub steps: Arc<[Step]>,
    /// A comment after this much silence.
    pub heartbeat: Option<Duration>,
}

/// What a request gets.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: Text,
    /// Headers over the usual ones.
    pub headers: Vec<Header>,
    /// The delay before the head.
    pub after: Pace,
    /// The body.
    pub body: Body,
}

/// Which methods an endpoint takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All.
    Any,
    /// These.
    Only(Vec<String>),
}

impl Methods {
    /// Whether a method is taken.
    pub fn take(&self, method: &str) -> bool {
        match self {
            Methods::Any => true,
            Methods::Only(list) => list.iter().any(|m| m == method),
        }
    }

    /// As shown to people: `GET`, `GET, POST`, `ANY`.
    pub fn describe(&self) -> String {
        match self {
            Methods::Any => "ANY".into(),
            Methods::Only(list) => list.join(", "),
        }
    }
}

/// An endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Method, path and place among equals (`GET /sse#0`): what seeds and attempts are keyed by.
    pub key: String,
    /// The path.
    pub path: Pattern,
    /// The methods.
    pub methods: Methods,
    /// A condition.
    pub when: Option<Expr>,
    /// `let` names, in order.
    pub lets: Vec<(String, Tree)>,
    /// What is published.
    pub publish: Vec<Publish>,
    /// The answer.
    pub answer: Answer,
    /// Cross-origin rules; `None`: no CORS headers.
    pub cors: Option<Arc<CorsPolicy>>,
}

/// One allowed origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginRule {
    /// Every origin.
    Any,
    /// One or, with `*`, a part of it: scheme, host and port, compared without case.
    Pattern {
        /// What stands before the wildcard.
        prefix: String,
        /// What stands behind it; `None` without a wildcard.
        suffix: Option<String>,
    },
}

/// Cross-origin rules (Fetch standard, §3.3).
#[derive(Debug, Clone, Default)]
pub struct CorsPolicy {
    /// Who may read.
    pub origins: Vec<OriginRule>,
    /// Whether with credentials.
    pub credentials: bool,
    /// Headers exposed to scripts.
    pub expose: Vec<String>,
    /// How long a preflight may be remembered.
    pub max_age: Duration,
}

/// A declared topic, or a pattern of topics.
#[derive(Debug)]
pub struct TopicSpec {
    /// Which names it stands for.
    pub name: Pattern,
    /// Messages kept for resumption.
    pub history: usize,
}

/// A whole scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its seed, if it sets one.
    pub seed: Option<u64>,
    /// Its constants.
    pub vars: Value,
    /// Its topics.
    pub topics: Vec<TopicSpec>,
    /// Its endpoints, in matching order.
    pub endpoints: Vec<Endpoint>,
    /// Cross-origin rules for answers that no endpoint gives.
    pub cors: Option<Arc<CorsPolicy>>,
    /// Its compiled templates.
    pub expressions: Expressions,
}

impl Scenario {
    /// The declaration of a topic.
    pub fn topic(&self, name: &str) -> Option<&TopicSpec> {
        self.topics.iter().find(|t| t.name.matches(name).is_some())
    }
}
