//! What a user writes: the keys of a scenario file, their order and their meaning.
//!
//! Permissive about values; `compile` decides. The doc comments are what editors show.

mod answer;
mod endpoint;
mod expect;
mod preset;
mod relay;
mod replay;
mod short;
mod step;
mod topic;

pub use answer::{
    AnswerFile, CompressFile, FaultAfterFile, FaultFile, HeaderFile, HeartbeatFile, HeartbeatRulesFile,
    LimitsFile, PublishFile, PublishRulesFile, SplitFile, ThrottleFile, WireFile,
};
pub use endpoint::{CorsFile, CorsRulesFile, EndpointFile, EntryFile};
pub use expect::{CountFile, CountRulesFile, ExpectFile, GapRulesFile, RateRulesFile};
pub use preset::*;
pub use relay::*;
pub use replay::{ReplayFile, ReplayRulesFile, ReplayStepFile};
pub use step::*;
pub use topic::{HistoryFile, HistoryRulesFile, TopicFile};

use super::decode::{Anything, At, DurationText, Entries, OneOrMany, Scalar};
use crate::mapping;

mapping! {
    /// A scenario: what a mock server does, endpoint by endpoint.
    ScenarioFile is "a scenario" {
        /// What the scenario is called in logs.
        name: At<String>,
        /// Other files of the same scenario, by their paths relative to this file; never outside its folder.
        include: OneOrMany<At<String>>,
        /// Where all chance comes from, 0 to 2⁶⁴ − 1: the same seed gives the same bytes. Without one a seed is drawn at start and logged.
        seed: At<u64>,
        /// The time of day (RFC 3339) at which every session begins: what `now` says then. Without it the real time.
        now: At<String>,
        /// Constants, seen in expressions as `vars.name`.
        vars: Entries<Anything>,
        /// Which web pages of other origins may read the answers.
        cors: CorsFile,
        /// What events get that have `data` but lack these fields.
        defaults: DefaultsFile,
        /// Topics that `publish` sends to and `follow` relays. A name may be a pattern: `room/{room}`.
        topics: Entries<TopicFile>,
        /// Named lists of steps, for `run`.
        scripts: Entries<Vec<StepFile>>,
        /// What is served. The first endpoint that matches a request answers it.
        endpoints: Vec<At<EndpointFile>>,
        /// What the client under test should do; the verdict says whether it did.
        expect: Vec<At<ExpectFile>>,
    }
}

mapping! {
    /// Fields for every event that has `data` and does not set them itself.
    DefaultsFile is "`defaults`" {
        /// The event's type.
        event: Scalar,
        /// The event's id: `uuid`, `counter`, or a template.
        id: Scalar,
        /// The client's reconnection time.
        retry: DurationText,
    }
}
