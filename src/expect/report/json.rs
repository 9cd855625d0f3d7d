//! The verdict as JSON.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::expect::{Judged, Line, State, Verdict};

/// The verdict as JSON: `verdict` (`passed`, `failed`, `open`), `decided`, and `expectations`. Times are
/// whole milliseconds of the session's clock.
pub fn json(verdict: &Verdict) -> Json {
    let expectations: Vec<Json> = verdict.expectations.iter().map(judged).collect();
    json!({
        "verdict": verdict.word(),
        "decided": verdict.decided(),
        "expectations": expectations,
    })
}

fn judged(judged: &Judged) -> Json {
    let state = match judged.state {
        State::Met => "met",
        State::Failed => "failed",
        State::Open => "open",
    };
    let requests: Vec<Json> = judged.lines.iter().map(line).collect();
    json!({
        "number": judged.number,
        "name": judged.name,
        "expectation": judged.sentence,
        "state": state,
        "expected": judged.expected,
        "came": judged.came,
        "client": judged.client,
        "requests": requests,
    })
}

fn line(line: &Line) -> Json {
    json!({
        "number": line.number,
        "at_ms": millis(line.at),
        "method": line.method,
        "target": line.target,
        "client": line.client,
        "last_event_id": line.last_event_id,
        "status": line.status,
        "ended_ms": line.ended.map(|(at, _)| millis(at)),
        "ended_by": line.ended.map(|(_, by)| by.name()),
        "gap_ms": line.gap.map(millis),
    })
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}
