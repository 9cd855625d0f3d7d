//! What came, and how it ended.

use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Failure, Time, in_time};
use crate::engine::Engine;
use crate::journal::{self, Entry, Mask, Query};
use crate::scenario::duration;

/// Which entries are wanted, how they are shown, and how many are waited for.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this endpoint: its key (`GET /sse`), with or without its number, its path or its name.
    pub endpoint: Option<String>,
    /// Only those of this client.
    pub client: Option<String>,
    /// Only those with a higher number.
    pub after: Option<u64>,
    /// Only those that are open, or only those that have ended.
    pub open: Option<bool>,
    /// So many at most, the oldest.
    pub limit: Option<usize>,
    /// What is hidden.
    pub mask: Option<Hidden>,
    /// Until there are at least so many.
    pub count: Option<usize>,
    /// How long (in real time) that may take; without it, it must be so at once.
    pub wait: Option<Time>,
}

/// How an entry is shown.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct How {
    /// What is hidden.
    pub mask: Option<Hidden>,
}

/// What is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Hidden {
    /// Passwords, tokens, cookies and the like become `***`.
    Secrets,
}

/// Entries of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entries {
    /// How many are shown.
    pub count: usize,
    /// How many of the session were forgotten, as the journal is bounded.
    pub dropped: u64,
    /// The oldest first.
    pub entries: Vec<Shown>,
}

/// An entry of the journal; [`Entry::json`] tells the shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Shown(pub Json);

#[cfg(test)]
impl JsonSchema for Shown {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Entry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A request. Times are milliseconds, those called at_ms on the session's clock; what is not known is left out.",
            "type": "object",
            "required": ["number", "at_ms", "time", "method", "target", "version", "tls", "peer", "headers"],
            "additionalProperties": false,
            "properties": {
                "number": { "type": "integer", "minimum": 1 },
                "at_ms": { "type": "number" },
                "time": { "type": "string", "description": "RFC 3339, in UTC" },
                "method": { "type": "string" },
                "target": { "type": "string" },
                "version": { "enum": ["HTTP/1.0", "HTTP/1.1", "HTTP/2"] },
                "tls": { "type": "boolean" },
                "peer": { "type": "string" },
                "headers": {
                    "type": "object",
                    "additionalProperties": {
                        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
                    },
                },
                "body": {
                    "type": "object",
                    "required": ["bytes"],
                    "additionalProperties": false,
                    "properties": {
                        "bytes": { "type": "integer" },
                        "text": { "type": "string" },
                        "base64": { "type": "string" },
                        "truncated": { "const": true },
                        "masked": { "const": true },
                    },
                },
                "endpoint": { "type": "string", "description": "the key of the endpoint that answers" },
                "name": { "type": "string", "description": "its name" },
                "client": { "type": "string" },
                "attempt": { "type": "integer", "minimum": 1 },
                "gap_ms": { "type": "number", "description": "since the end of the client's connection before" },
                "answered": {
                    "type": "object",
                    "required": ["at_ms", "status", "stream"],
                    "additionalProperties": false,
                    "properties": {
                        "at_ms": { "type": "number" },
                        "status": { "type": ["integer", "null"], "description": "null: no answer at all" },
                        "stream": { "type": "boolean" },
                    },
                },
                "sent": {
                    "type": "object",
                    "required": ["events", "comments", "bytes"],
                    "additionalProperties": false,
                    "properties": {
                        "events": { "type": "integer" },
                        "comments": { "type": "integer" },
                        "bytes": { "type": "integer" },
                        "last_event_id": { "type": "string" },
                        "retry_ms": { "type": "integer" },
                    },
                },
                "ended": {
                    "type": "object",
                    "required": ["at_ms", "how", "by"],
                    "additionalProperties": false,
                    "properties": {
                        "at_ms": { "type": "number" },
                        "how": { "enum": ["close", "cut", "reset", "goaway", "stall", "hold", "left"] },
                        "by": { "enum": ["script", "fault", "client", "order", "shutdown", "answer", "failure"] },
                        "why": { "type": "string" },
                    },
                },
            },
        })
    }
}

/// Entries that were forgotten on command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Forgotten {
    /// How many.
    pub cleared: usize,
}

/// The entries that are there, or will be within the time that is given for it.
///
/// # Errors
///
/// There are not as many as were waited for.
pub async fn list(engine: &Engine, wish: &Wanted) -> Result<Entries, Failure> {
    let entries = found(engine, wish).await?;
    let mask = mask(wish.mask);
    let entries: Vec<_> = entries.iter().map(|entry| Shown(entry.json(mask))).collect();
    Ok(Entries {
        count: entries.len(),
        dropped: engine.witness.journal.dropped(),
        entries,
    })
}

/// The same, a line of JSON for each.
///
/// # Errors
///
/// There are not as many as were waited for.
pub async fn lines(engine: &Engine, wish: &Wanted) -> Result<String, Failure> {
    let entries = found(engine, wish).await?;
    Ok(journal::ndjson(&entries, mask(wish.mask)))
}

/// The entry with a number.
///
/// # Errors
///
/// There is none, or it was forgotten.
pub fn one(engine: &Engine, number: u64, how: &How) -> Result<Shown, Failure> {
    let entry = engine.witness.journal.entry(number);
    let missing = || {
        Failure::Missing(format!(
            "the journal has no entry {number}: see GET /__mock/journal"
        ))
    };
    Ok(Shown(entry.ok_or_else(missing)?.json(mask(how.mask))))
}

/// Forgets all entries; numbers go on, and what is expected is judged by what came before, too.
pub fn clear(engine: &Engine) -> Forgotten {
    let journal = &engine.witness.journal;
    let cleared = journal.entries(&Query::default()).len();
    journal.clear();
    Forgotten { cleared }
}

async fn found(engine: &Engine, wish: &Wanted) -> Result<Vec<Arc<Entry>>, Failure> {
    let patience = wish.wait.map_or(Duration::ZERO, |time| time.0);
    let query = Query {
        after: wish.after,
        endpoint: wish.endpoint.as_deref(),
        client: wish.client.as_deref(),
        limit: None,
        open: wish.open,
    };
    let journal = &engine.witness.journal;
    let mut changes = journal.watch();
    let wanted = wish.count.unwrap_or(0);
    let mut entries = journal.entries(&query);
    let enough = async {
        while entries.len() < wanted && changes.changed().await.is_ok() {
            entries = journal.entries(&query);
        }
    };
    in_time(patience, enough).await;
    if entries.len() < wanted {
        let (count, after) = (entries.len(), duration::format(patience));
        let requests = if count == 1 { "request" } else { "requests" };
        return Err(Failure::TooLate(format!(
            "the journal has {count} such {requests} after {after}, not at least {wanted}"
        )));
    }
    entries.truncate(wish.limit.unwrap_or(usize::MAX));
    Ok(entries)
}

fn mask(hidden: Option<Hidden>) -> Mask {
    match hidden {
        Some(Hidden::Secrets) => Mask::Secrets,
        None => Mask::Nothing,
    }
}
