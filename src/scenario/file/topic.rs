//! Topics as they are written.

use super::StepFile;
use crate::mapping;
use crate::scenario::decode::{At, DurationText, Scalar};

mapping! {
    /// A topic.
    TopicFile is "a topic" {
        /// How many messages are kept for clients that resume, 0 by default; or bounds by count, age and bytes.
        history: HistoryFile,
        /// What a client gets whose last event id is no longer in the history: `replay` (all of it, the default), `live`, or `error` (410 Gone).
        gap: At<String>,
        /// What becomes of a client that is further behind than `queue`: `disconnect` (the default, unless the history reaches back far enough), or `drop_oldest`.
        slow: At<String>,
        /// How many messages a client may be behind; 1024 by default.
        queue: At<u64>,
        /// Steps that run once, from the first follower on; what they send is published, so that all get the same at the same time.
        feed: Vec<StepFile>,
    }
}

mapping! {
    /// Bounds of a history; all of them hold together.
    HistoryRulesFile is "`history`" {
        /// At most this many messages; 1000 if only other bounds are given.
        count: At<u64>,
        /// At most this old.
        age: DurationText,
        /// At most this many bytes: `64KiB`.
        bytes: Scalar,
    }
}

/// A number of messages, or bounds.
#[derive(Debug, Clone)]
pub enum HistoryFile {
    /// So many messages.
    Count(At<u64>),
    /// Bounds.
    Rules(At<HistoryRulesFile>),
}
