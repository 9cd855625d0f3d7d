//! What the player is told to do next.

use std::time::Duration;

use crate::scenario::model::{End, From};
use crate::wire::Frame;

/// One instruction of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cue {
    /// Nothing until this time since the stream began; then ask again.
    Wait(Duration),
    /// One write.
    Send(Frame),
    /// Relay a topic.
    Follow(Following),
    /// The end.
    End(End),
    /// The script cannot go on, and why.
    Fail(String),
}

/// A topic to relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// The topic's name.
    pub topic: String,
    /// Where to begin.
    pub from: From,
    /// How many messages; `None`: all.
    pub limit: Option<u64>,
}
