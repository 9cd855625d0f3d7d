//! The paths that tell what clients have done, and whether that was right.

use std::sync::Arc;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
#[cfg(test)]
use serde_json::json;

use super::call::{Call, NoBody, NoQuery};
#[cfg(test)]
use super::openapi::Shapes;
use super::table::{Answered, Route, Said, route};
use super::text;
use crate::control::journal::{self, Entries, Forgotten, How, Shown, Wanted};
use crate::control::verify::{Judging, verdict};
use crate::expect::{State, Verdict, report};

impl Answered for Entries {}
impl Answered for Shown {}
impl Answered for Forgotten {}

/// The verdict, for its shape.
#[cfg(test)]
struct Judgement;

#[cfg(test)]
impl JsonSchema for Judgement {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Verdict".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text_or_null = || json!({ "type": ["string", "null"] });
        let number_or_null = || json!({ "type": ["number", "null"] });
        json_schema!({
            "description": "What became of the expectations. Times are milliseconds on the session's clock.",
            "type": "object",
            "required": ["verdict", "decided", "expectations"],
            "additionalProperties": false,
            "properties": {
                "verdict": { "enum": ["passed", "failed", "open"] },
                "decided": { "type": "boolean" },
                "expectations": { "type": "array", "items": {
                    "type": "object",
                    "required": ["number", "expectation", "state", "requests"],
                    "additionalProperties": false,
                    "properties": {
                        "number": { "type": "integer", "minimum": 1 },
                        "name": text_or_null(),
                        "expectation": { "type": "string", "description": "in a sentence" },
                        "state": { "enum": ["met", "failed", "open"] },
                        "expected": text_or_null(),
                        "came": text_or_null(),
                        "client": text_or_null(),
                        "requests": { "type": "array", "items": {
                            "type": "object",
                            "required": ["number", "at_ms", "method", "target"],
                            "additionalProperties": false,
                            "properties": {
                                "number": { "type": "integer", "description": "in the journal" },
                                "at_ms": { "type": "number" },
                                "method": { "type": "string" },
                                "target": { "type": "string" },
                                "client": text_or_null(),
                                "last_event_id": text_or_null(),
                                "status": { "type": ["integer", "null"] },
                                "ended_ms": number_or_null(),
                                "ended_by": text_or_null(),
                                "gap_ms": number_or_null(),
                            },
                        } },
                    },
                } },
            },
        })
    }
}

/// The journal and the verdict.
pub(super) fn proof() -> Vec<Route> {
    vec![
        route(
            "GET",
            "/__mock/journal",
            "Lists the requests that came; with `wait` it answers when there are as many as wanted.",
            async |call: Call, wish: Wanted, _: NoBody| journal::list(&call.engine, &wish).await,
        ),
        lines(),
        route(
            "GET",
            "/__mock/journal/{number}",
            "Shows a request.",
            async |call: Call, how: How, _: NoBody| journal::one(&call.engine, call.number()?, &how),
        ),
        route(
            "DELETE",
            "/__mock/journal",
            "Forgets the requests that came; what is expected is judged by them all the same.",
            async |call: Call, _: NoQuery, _: NoBody| Ok(journal::clear(&call.engine)),
        ),
        judged(
            "/__mock/verify",
            "Says whether the clients did what the scenario expects; with `wait` once that is decided.",
            "application/json",
            |_, verdict| format!("{}\n", report::json(verdict)),
        ),
        judged(
            "/__mock/verify.txt",
            "The same, to be read.",
            "text/plain; charset=utf-8",
            |_, verdict| report::text(verdict),
        ),
        judged(
            "/__mock/verify.xml",
            "The same as JUnit XML.",
            "application/xml",
            |call, verdict| report::junit(&[(&suite(call), verdict)]),
        ),
    ]
}

fn suite(call: &Call) -> String {
    let scenario = call.engine.catalog.current();
    scenario.name.clone().unwrap_or_else(|| "mock-sse".into())
}

/// The journal, a line for each request.
fn lines() -> Route {
    Route {
        method: "GET",
        path: "/__mock/journal.ndjson",
        about: "The same as lines of JSON, to be kept.",
        #[cfg(test)]
        shapes: Shapes::of::<Wanted, String>("application/x-ndjson"),
        run: Box::new(|call| {
            Box::pin(async move {
                let lines = journal::lines(&call.engine, &call.query::<Wanted>()?).await?;
                let reply = text(200, "application/x-ndjson", lines);
                Ok(Said::Reply(Box::new(reply)))
            })
        }),
    }
}

/// The verdict, written like this. What has not passed is told by the status, too, for `curl --fail`.
fn judged(
    path: &'static str,
    about: &'static str,
    media: &'static str,
    write: fn(&Call, &Verdict) -> String,
) -> Route {
    let write = Arc::new(write);
    Route {
        method: "GET",
        path,
        about,
        #[cfg(test)]
        shapes: match media {
            "application/json" => Shapes::of::<Judging, Judgement>(media),
            _ => Shapes::of::<Judging, String>(media),
        }
        .answers_also(409, "Not passed."),
        run: Box::new(move |call| {
            let write = write.clone();
            Box::pin(async move {
                let verdict = verdict(&call.engine, &call.query::<Judging>()?).await?;
                let status = if verdict.state() == State::Met { 200 } else { 409 };
                let reply = text(status, media, write(&call, &verdict));
                Ok(Said::Reply(Box::new(reply)))
            })
        }),
    }
}
