//! What is expected of a single request, against what came.

use minijinja::Value;

use super::judge::Arrival;
use super::words::{self, quoted};
use crate::expr::{Expressions, Moment, RequestScope};
use crate::request::Request;
use crate::scenario::model::{Expectation, ExpectedBody};
use std::time::Duration;

/// A part of an expectation that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub expected: String,
    pub came: String,
}

impl Mismatch {
    /// A clause about single requests that request `number` does not meet.
    pub fn of(e: &Expectation, clause: &str, number: u64, came: &str) -> Mismatch {
        Mismatch {
            expected: format!("{} {clause}", words::one(e)),
            came: format!("#{number} {came}"),
        }
    }
}

/// All that can be seen of the request itself.
pub(super) fn fields(e: &Expectation, a: &Arrival) -> Option<Mismatch> {
    let mismatch = |clause: String, came: String| Some(Mismatch::of(e, &clause, a.number, &came));
    if let Some(expected) = &e.last_event_id {
        let came = a.request.header_text("last-event-id").unwrap_or_default();
        if came != *expected {
            return mismatch(words::last_event_id(expected), past(&words::last_event_id(&came)));
        }
    }
    for (name, expected) in &e.headers {
        let came = a.request.header_text(name);
        if came != *expected {
            let said = past(&words::header(name, came.as_deref()));
            return mismatch(words::header(name, expected.as_deref()), said);
        }
    }
    let body = e.body.as_ref().filter(|body| !fits(body, a.request));
    body.and_then(|body| {
        let came = ExpectedBody::Text(crate::text::from_bytes(&a.request.body));
        mismatch(words::body(body), past(&words::body(&came)))
    })
}

fn fits(body: &ExpectedBody, request: &Request) -> bool {
    match body {
        ExpectedBody::Text(text) => crate::text::to_bytes(text)[..] == request.body[..],
        ExpectedBody::Json(json) => {
            serde_json::from_slice::<serde_json::Value>(&request.body).is_ok_and(|came| came == *json)
        }
    }
}

/// A clause as something that happened.
fn past(clause: &str) -> String {
    match clause.split_once(' ') {
        Some(("comes", rest)) => format!("came {rest}"),
        Some(("has", rest)) => format!("had {rest}"),
        _ => clause.to_owned(),
    }
}

/// A request whose `where` is to be asked.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub number: u64,
    pub nth: u64,
    pub scope: RequestScope,
    pub moment: Moment,
}

impl Asking {
    /// Asks the `where`, which may look at the gap.
    pub fn condition(&self, e: &Expectation, gap: Option<Duration>, all: &Expressions) -> Option<Mismatch> {
        let condition = e.condition.as_ref()?;
        let scope = self.scope.copy();
        scope.bind(
            "gap",
            gap.map_or(Value::from(()), |gap| Value::from(gap.as_millis() as u64)),
        );
        scope.bind("nth", Value::from(self.nth));
        let came = match all.holds(condition, &scope, self.moment) {
            Ok(true) => return None,
            Ok(false) => "did not".to_owned(),
            Err(error) => format!("could not be asked: {}", quoted(&error.0)),
        };
        let clause = words::condition(condition.source());
        Some(Mismatch::of(e, &clause, self.number, &came))
    }
}

/// Whether a `where` has to wait until the gap is known.
pub(super) fn looks_at_gap(e: &Expectation) -> bool {
    e.condition
        .as_ref()
        .is_some_and(|condition| condition.source().contains("gap"))
}
