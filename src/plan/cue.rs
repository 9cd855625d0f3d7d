//! What the player is told to do next.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::expr::{Moment, RequestScope};
use crate::scenario::model::{Assignments, Disconnect, End, From, Selector};
use crate::wire::Frame;

/// One list of steps of a stream under way: `parallel` makes several.
pub type BranchId = usize;

/// One instruction of a plan. Times count from the stream's beginning.
#[derive(Debug, Clone)]
pub enum Cue {
    /// Nothing until this time; then ask again. It may be now: after many steps that yield no cue.
    Wait(Duration),
    /// Nothing until a branch that waits is released.
    Idle,
    /// One write.
    Send(Write),
    /// Relay topics; the branch waits until it is released.
    Follow(BranchId, Following),
    /// Wait for what happens elsewhere; the branch waits until it is released.
    Await(BranchId, Awaiting),
    /// Publish, in this order.
    Publish(Vec<Publication>),
    /// Change the session's state.
    Set(Setting),
    /// Give a signal.
    Signal(String),
    /// End other streams.
    Disconnect(Arc<Disconnect>),
    /// Close the listener for so long; the stream goes on.
    Offline(Duration),
    /// No heartbeats until this time.
    Quiet(Duration),
    /// The end.
    End(End),
    /// The script cannot go on, and why.
    Fail(String),
}

/// One write, and how many events are complete with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The bytes.
    pub frame: Frame,
    /// Events that end in it.
    pub events: u64,
    /// What it comes from.
    pub source: Source,
}

/// What a write comes from. The bytes do not depend on it: it is for those who show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An event, with data or an id at least.
    Event,
    /// A step that says nothing but the reconnection time.
    Retry,
    /// A step that is a comment and nothing else.
    Comment,
    /// Bytes that the scenario dictates.
    Raw,
    /// A write of a recording.
    Replay,
    /// Several steps in one write.
    OneWrite,
    /// A message of a topic.
    Relayed,
    /// A heartbeat.
    Heartbeat,
    /// Byte order marks at the beginning.
    Bom,
    /// What was withheld until the clean end.
    Rest,
    /// The body of an answer that is no stream.
    Body,
}

impl Source {
    /// What an event counts as.
    pub fn of(event: &Event) -> Source {
        if event.data.is_some() || event.id.is_some() || event.event.is_some() {
            Source::Event
        } else if event.retry.is_some() {
            Source::Retry
        } else {
            Source::Comment
        }
    }

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Source::Event => "event",
            Source::Retry => "retry",
            Source::Comment => "comment",
            Source::Raw => "raw",
            Source::Replay => "replay",
            Source::OneWrite => "one_write",
            Source::Relayed => "relayed",
            Source::Heartbeat => "heartbeat",
            Source::Bom => "bom",
            Source::Rest => "rest",
            Source::Body => "body",
        }
    }
}

/// Topics to relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Which.
    pub topics: Vec<Selector>,
    /// Where to begin.
    pub from: From,
    /// How many messages; `None`: all.
    pub limit: Option<u64>,
    /// Until when; `None`: for ever.
    pub until: Option<Duration>,
}

/// Something to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// What.
    pub what: Wanted,
    /// Until when at most; `None`: for ever.
    pub until: Option<Duration>,
}

/// What is waited for, its names rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A signal.
    Signal(String),
    /// So many open streams of the endpoint.
    Clients(u64),
    /// A message of a topic.
    Publish(String),
}

/// A message, rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The topic's name.
    pub topic: String,
    /// The message.
    pub event: Event,
    /// Whether its id is to be its number in the topic.
    pub counted: bool,
}

/// A change of state. It is rendered when the state is locked, so that it is atomic.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Names and values.
    pub assignments: Assignments,
    /// What the values see.
    pub scope: RequestScope,
    /// When.
    pub moment: Moment,
}
