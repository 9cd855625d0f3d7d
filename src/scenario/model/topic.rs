//! Topics: what is kept of them, and what becomes of clients that cannot keep up or come back late.

use std::time::Duration;

use super::Steps;
use crate::scenario::pattern::Pattern;

/// What is kept of a topic's messages; all bounds hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// At most this many messages.
    pub count: usize,
    /// At most this old.
    pub age: Option<Duration>,
    /// At most this many bytes, as they stand on the wire.
    pub bytes: Option<u64>,
}

impl History {
    /// What the histories of all topics of a session hold together at most, in bytes on the wire.
    pub const MOST_BYTES: u64 = 256 << 20;
}

/// What a client gets that resumes behind an id the history no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gap {
    /// The whole history.
    #[default]
    Replay,
    /// What is published from now on.
    Live,
    /// 410 Gone; in mid-stream the stream is cut.
    Error,
}

/// What becomes of a client that is further behind than the queue is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Slow {
    /// It takes up from the history; if that is too short, its stream is cut.
    #[default]
    Disconnect,
    /// The oldest messages it has not got are dropped.
    DropOldest,
}

/// How a topic treats its messages and its followers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicRules {
    /// What is kept.
    pub history: History,
    /// For clients that resume too late.
    pub gap: Gap,
    /// For clients that are too slow.
    pub slow: Slow,
    /// How many messages a client may be behind; `None`: 1,024.
    pub queue: Option<usize>,
}

/// A declared topic, or a pattern of topics.
#[derive(Debug)]
pub struct TopicSpec {
    /// Which names it stands for.
    pub name: Pattern,
    /// How it treats messages and followers.
    pub rules: TopicRules,
    /// What is published from the first follower on.
    pub feed: Option<Steps>,
}

/// Topics that are meant: one by its name, or all that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The topic of this name.
    Name(String),
    /// All topics whose names fit, those to come included.
    Pattern(Pattern),
}
