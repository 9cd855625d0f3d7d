//! Expectations as they are written.

use crate::mapping;
use crate::scenario::decode::{Anything, At, DurationText, Entries, OneOrMany, Scalar};

mapping! {
    /// What the client should do: the server watches, and says at the end whether it did.
    ExpectFile is "an expectation" {
        /// What the expectation is called in the verdict.
        name: At<String>,
        /// The requests it is about: an endpoint's `name`, or `METHOD /path` as in `GET /chat/{room}` or `ANY /sse`, answered or not.
        request: At<String>,
        /// Instead of `request`: a list of requests that come in this order.
        order: At<Vec<At<String>>>,
        /// `client`: every client is held to it on its own, and there must be at least one.
        per: At<String>,
        /// Which of the requests the checks are for, from 1; all of them by default.
        nth: OneOrMany<At<u64>>,
        /// How many requests come: a number, or bounds.
        count: CountFile,
        /// How many may come within a time.
        rate: At<RateRulesFile>,
        /// How long after the end of its connection before the client comes back.
        gap: At<GapRulesFile>,
        /// The `Last-Event-ID` the client comes with; empty text: none.
        last_event_id: Scalar,
        /// Headers and their values; `~`: the header is absent.
        headers: Entries<Scalar>,
        /// The body: text, or a mapping or list that the body is equal to as JSON.
        body: Anything,
        /// `true`: each further request of a client brings the body of its first one again.
        same_body: At<bool>,
        /// An expression without braces that holds for the request; it may use `gap` and `nth` too.
        r#where: Scalar,
        /// Once such a request has been answered with this status, no other one comes from that client.
        nothing_after: At<u64>,
        /// The client leaves each stream by itself, at most this long after the stream's last event.
        hangs_up: DurationText,
        /// What is expected has happened this long after the session's first request.
        within: DurationText,
        /// How long it must stay true before it counts.
        r#for: DurationText,
    }
}

mapping! {
    /// Bounds of a number of requests.
    CountRulesFile is "`count`" {
        /// At least so many.
        min: At<u64>,
        /// At most so many.
        max: At<u64>,
    }
}

/// A number of requests, or its bounds.
#[derive(Debug, Clone)]
pub enum CountFile {
    /// Exactly so many.
    Exactly(At<u64>),
    /// Bounds.
    Rules(At<CountRulesFile>),
}

mapping! {
    /// How many requests may come within a time.
    RateRulesFile is "`rate`" {
        /// At most so many.
        at_most: At<u64>,
        /// In any stretch of time of this length.
        per: DurationText,
    }
}

mapping! {
    /// How long a client stays away between the end of a connection and its next request.
    GapRulesFile is "`gap`" {
        /// About so long: a duration, or `retry`, the reconnection time that the client was sent last.
        about: Scalar,
        /// How far from `about` it may be; 500ms by default.
        within: DurationText,
        /// At least so long.
        at_least: DurationText,
        /// At most so long.
        at_most: DurationText,
        /// `true`: each gap of a client is longer than the one before.
        growing: At<bool>,
    }
}
