//! An event as it is commanded.

use bytes::Bytes;
#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::Value as Json;

use super::{Failure, Time};
use crate::event::Event;
use crate::text;

/// An event; at least one of its fields is to be there.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventWish {
    /// Its type.
    pub event: Option<Word>,
    /// Its id. `counter`, where a message is published: its number in the topic.
    pub id: Option<Word>,
    /// Its data: a text as it is, anything else as JSON in one line.
    #[serde(default, deserialize_with = "there")]
    pub data: Option<Json>,
    /// The client's new reconnection time.
    pub retry: Option<Time>,
    /// A comment.
    pub comment: Option<Word>,
}

/// One event, or several in a list.
#[derive(Debug, Clone)]
pub struct EventWishes(pub Vec<EventWish>);

/// A text, or a number that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(pub String);

impl EventWish {
    /// An event with nothing but data.
    pub fn of_data(data: String) -> EventWish {
        EventWish {
            data: Some(Json::String(data)),
            ..EventWish::default()
        }
    }

    /// Whether the id is to be the message's number.
    pub(super) fn is_counted(&self) -> bool {
        self.id.as_ref().is_some_and(|id| id.0 == "counter")
    }

    /// The event itself.
    ///
    /// # Errors
    ///
    /// There is nothing in it, or a line end where there can be none.
    pub(super) fn event(self) -> Result<Event, Failure> {
        let event = Event {
            comment: self.comment.map(|word| bytes(&word.0)),
            event: one_line("event", self.event)?,
            data: self.data.map(|data| match data {
                Json::String(text) => bytes(&text),
                other => bytes(&other.to_string()),
            }),
            id: one_line("id", self.id)?,
            retry: self.retry.map(|time| time.0.as_millis() as u64),
        };
        match event == Event::default() {
            true => Err(Failure::Invalid(
                "an event needs at least one of: event, id, data, retry, comment".into(),
            )),
            false => Ok(event),
        }
    }
}

fn one_line(name: &str, word: Option<Word>) -> Result<Option<Bytes>, Failure> {
    match word {
        Some(word) if word.0.contains(['\r', '\n']) => {
            let why = format!("`{name}` holds a line end, which would end the field: take it out");
            Err(Failure::Invalid(why))
        }
        word => Ok(word.map(|word| bytes(&word.0))),
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(&text::to_bytes(text))
}

/// What is there counts, even `null`.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for EventWishes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventWishes, D::Error> {
        let items = match Json::deserialize(deserializer)? {
            Json::Array(items) => items,
            one => vec![one],
        };
        let all = items.into_iter().map(from_json).collect::<Result<_, _>>();
        all.map(EventWishes).map_err(D::Error::custom)
    }
}

fn from_json<T: DeserializeOwned>(json: Json) -> Result<T, serde_json::Error> {
    serde_json::from_value(json)
}

#[cfg(test)]
impl JsonSchema for EventWishes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EventWishes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<EventWish>();
        json_schema!({
            "description": "One event, or several in a list.",
            "anyOf": [one, { "type": "array", "items": one }],
        })
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) => Ok(Word(text)),
            Json::Number(number) => Ok(Word(number.to_string())),
            other => Err(D::Error::custom(format!("`{other}` is no text"))),
        }
    }
}

#[cfg(test)]
impl JsonSchema for Word {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}
