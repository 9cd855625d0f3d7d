//! Requests + expectations → the verdict. Pure: what happens is told to the [`Judge`] as it happens, with
//! times on the session's clock.
//!
//! `judge` hands what happens to each expectation's `watch`, which keeps `group`s of requests and `client`s;
//! `check` looks at single requests, `words` says what is expected, `line` is what is remembered of a request
//! as evidence, `verdict` is what comes out, and `report` makes text, JSON and JUnit XML of it.

mod check;
mod client;
mod group;
mod judge;
mod line;
pub mod report;
mod verdict;
mod watch;
mod words;

use serde_json::Value as Json;

pub use crate::journal::By;
use crate::scenario::Scenario;
pub use judge::{Answered, Arrival, Ended, Judge};
pub use line::Line;
pub use verdict::{Judged, State, Verdict};
pub use words::sentence;

/// What `explain` says of a scenario, with its expectations in words added.
pub fn explain(scenario: &Scenario, mut explained: Json) -> Json {
    if !scenario.expect.is_empty() {
        let sentences: Vec<String> = scenario.expect.iter().map(sentence).collect();
        explained["expect"] = sentences.into();
    }
    explained
}
