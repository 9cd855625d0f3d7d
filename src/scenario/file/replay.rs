//! Recordings that are played.

use crate::mapping;
use crate::scenario::decode::{At, DurationText};

mapping! {
    /// A recording, played write by write.
    ReplayStepFile is "a `replay` step" {
        /// The recording, or `{ file, speed }`.
        replay: ReplayFile,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// A recording and how it is played.
    ReplayRulesFile is "`replay`" {
        /// A file beside the scenario: one JSON value a line, `{ "at": ms, "text": … }` or `{ "at": ms, "base64": … }`. `mock-sse record` writes such files.
        file: At<String>,
        /// How many times as fast; 1 by default.
        speed: At<f64>,
    }
}

/// A recording's file, or how it is played.
#[derive(Debug, Clone)]
pub struct ReplayFile(pub At<ReplayRulesFile>);
