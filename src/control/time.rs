//! Spans of time in requests and answers.

use std::time::Duration;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value as Json;

use crate::scenario::duration;

/// A span of time in a request: a text as in scenarios (`500ms`, `1m30s`), or a number of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = match Json::deserialize(deserializer)? {
            Json::String(text) => text,
            Json::Number(number) if number.as_f64().is_some_and(|n| n >= 0.0) => format!("{number}ms"),
            other => {
                let message = format!("`{other}` is no duration: write 500ms, 2s or 1m30s, or milliseconds");
                return Err(D::Error::custom(message));
            }
        };
        duration::parse(&text).map(Time).map_err(D::Error::custom)
    }
}

#[cfg(test)]
impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time: a text such as `500ms`, `2s`, `1m30s`, or a number of milliseconds.",
            "anyOf": [{ "type": "string" }, { "type": "number", "minimum": 0 }],
        })
    }
}

/// Milliseconds, to the microsecond.
pub fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
