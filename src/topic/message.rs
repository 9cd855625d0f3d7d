//! What is published, and how one asks for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::memory::{LONGEST_NAME, MOST_TOPICS};
use crate::event::Event;
use crate::wire::{Digest, Frame};

/// A published message, encoded once for everybody.
#[derive(Debug)]
pub struct Message {
    /// The name of its topic.
    pub topic: Arc<str>,
    /// Its number in the topic, from 1.
    pub number: u64,
    /// Its place among all messages and signals of the session; it only ever grows.
    pub stamp: u64,
    /// When it was published, on the session's clock.
    pub at: Duration,
    /// The event.
    pub event: Event,
    /// The event on the wire.
    pub frame: Frame,
    /// What it is to whoever gets it.
    pub digest: Option<Digest>,
}

/// Messages that are dealt with at once; mostly it is one.
pub type Messages = SmallVec<[Arc<Message>; 2]>;

/// A topic as it is at the moment.
#[derive(Debug, Clone)]
pub struct TopicState {
    /// Its name.
    pub name: Arc<str>,
    /// How many follow it.
    pub followers: usize,
    /// How many messages there have been.
    pub count: u64,
    /// How many of them are kept.
    pub kept: usize,
    /// The last one.
    pub last: Option<Arc<Message>>,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// With the next message.
    Live,
    /// With the oldest in the history.
    Earliest,
    /// Strictly behind the message with this id; if it is no longer known, as the topics' `gap` says.
    After(&'a [u8]),
    /// Behind the message with this stamp.
    Behind(u64),
}

/// Why a topic cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishError {
    /// There are too many topics.
    TooMany,
    /// The topic's name is too long to be kept.
    LongName,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::TooMany => write!(f, "there are {MOST_TOPICS} topics already"),
            PublishError::LongName => {
                write!(
                    f,
                    "a topic's name is longer than {LONGEST_NAME} bytes; make it shorter"
                )
            }
        }
    }
}

/// The subscriber was so slow that messages are lost to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow {
    /// How many.
    pub missed: u64,
}
