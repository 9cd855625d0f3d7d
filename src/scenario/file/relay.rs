//! Steps that meet other streams, as they are written.

use super::{PublishFile, StepFile};
use crate::mapping;
use crate::scenario::decode::{At, DurationText, OneOrMany, Scalar};

mapping! {
    /// Relays topics.
    FollowStepFile is "a `follow` step" {
        /// The topic, or topics and how.
        follow: FollowFile,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// Topics and how to follow them.
    FollowRulesFile is "`follow`" {
        /// The topic, a list of topics, or a pattern: `room/{room}`.
        topic: OneOrMany<Scalar>,
        /// Where to begin: `live`, `earliest`, or `last_event_id` (the default; live if there is none).
        from: At<String>,
        /// How many messages to relay before going on.
        limit: At<u64>,
        /// How long to relay before going on.
        r#for: DurationText,
    }
}

/// A topic's name, several, or names and how.
#[derive(Debug, Clone)]
pub struct FollowFile(pub At<FollowRulesFile>);

mapping! {
    /// Publishes messages.
    PublishStepFile is "a `publish` step" {
        /// A topic, a message, or a list of these; a name alone relays the request's query and body, merged.
        publish: OneOrMany<PublishFile>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Wakes the streams that wait for the signal.
    SignalFile is "a `signal` step" {
        /// The signal's name.
        signal: Scalar,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Waits for something that happens elsewhere.
    WaitForFile is "a `wait_for` step" {
        /// What is waited for, and how long.
        wait_for: At<WaitForRulesFile>,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// What is waited for: one of `signal`, `clients`, `publish`.
    WaitForRulesFile is "`wait_for`" {
        /// A signal given since this stream began, or since it last waited for it.
        signal: Scalar,
        /// So many streams of this endpoint open at once, this one included.
        clients: At<u64>,
        /// A message published to this topic since this stream began, or since it last waited for one.
        publish: Scalar,
        /// At most this long; for ever if absent.
        r#for: DurationText,
        /// Steps for when the time is up; then the stream goes on.
        r#else: Vec<StepFile>,
    }
}

mapping! {
    /// Ends other streams.
    DisconnectFile is "a `disconnect` step" {
        /// `all`, an endpoint's path, or which and how.
        disconnect: DisconnectTargetFile,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

mapping! {
    /// Which streams are ended, and how.
    DisconnectRulesFile is "`disconnect`" {
        /// The endpoint's path, with or without its method: `/sse`, `GET /sse`; all streams but this one if absent.
        endpoint: At<String>,
        /// How they end: `cut` (the default), `close`, `reset`, `goaway`.
        end: At<String>,
        /// HTTP/2 error code for `end: cut`.
        code: Scalar,
    }
}

/// `all`, an endpoint's path, or which and how.
#[derive(Debug, Clone)]
pub struct DisconnectTargetFile(pub At<DisconnectRulesFile>);

mapping! {
    /// Closes the listener for a while: connections are refused, open ones live on.
    OfflineFile is "an `offline` step" {
        /// How long.
        offline: DurationText,
        /// How long after the previous step was due.
        after: DurationText,
    }
}
