//! Templates of events and messages → events and messages.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Value as Json;

use super::cue::{Publication, Setting};
use crate::event::Event;
use crate::expr::{BadParams, Expressions, Moment, RenderError, RequestScope, Text};
use crate::random::Draw;
use crate::scenario::duration;
use crate::scenario::model::{Data, EventTemplate, Id, Pace, Publish, Raw, RawPiece};
use crate::text;

/// The most bytes one write may have.
pub const MAX_WRITE: usize = 256 << 20;

/// Renders an event. `counter` is the number an `id: counter` takes.
pub fn render_event(
    template: &EventTemplate,
    expressions: &Expressions,
    scope: &RequestScope,
    moment: Moment,
    counter: u64,
) -> Result<Event, RenderError> {
    let field = |text: &Option<Text>| -> Result<Option<Bytes>, RenderError> {
        match text {
            Some(text) => Ok(expressions.optional(text, scope, moment)?.map(|t| to_bytes(&t))),
            None => Ok(None),
        }
    };
    let comment = field(&template.comment)?;
    let event = field(&template.event)?;
    let data = match &template.data {
        Some(Data::Text(text)) => Some(to_bytes(&expressions.text(text, scope, moment)?)),
        Some(Data::Json(tree)) => Some(json_bytes(&expressions.tree(tree, scope, moment)?)),
        None => None,
    };
    let id = match &template.id {
        Some(Id::Uuid) => Some(Bytes::from(scope.draws().uuid())),
        Some(Id::Counter) => Some(Bytes::from(counter.to_string())),
        Some(Id::Text(text)) => expressions.optional(text, scope, moment)?.map(|t| to_bytes(&t)),
        None => None,
    };
    let retry = match &template.retry {
        Some(Pace::Range { low, high }) => Some(draw(*low, *high, &mut scope.draws())),
        Some(Pace::Template(text)) => Some(written(text, expressions, scope, moment)?.0),
        None => None,
    };
    Ok(Event {
        comment,
        event,
        data,
        id,
        retry: retry.map(|d| d.as_millis() as u64),
    })
}

/// Why a message could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishFault {
    /// A template failed.
    Render(RenderError),
    /// The request's parameters, which were to be relayed, cannot be read.
    Params(BadParams),
}

impl From<RenderError> for PublishFault {
    fn from(error: RenderError) -> PublishFault {
        PublishFault::Render(error)
    }
}

impl fmt::Display for PublishFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishFault::Render(error) => error.fmt(f),
            PublishFault::Params(BadParams::Malformed(why) | BadParams::Unsupported(why)) => f.write_str(why),
        }
    }
}

/// Renders a message; without data of its own it carries the request's parameters.
pub fn render_publish(
    publish: &Publish,
    expressions: &Expressions,
    scope: &RequestScope,
    moment: Moment,
) -> Result<Publication, PublishFault> {
    let topic = expressions.text(&publish.topic, scope, moment)?;
    let relayed = match publish.event.data {
        None => Some(scope.params().map_err(PublishFault::Params)?),
        Some(_) => None,
    };
    let mut event = render_event(&publish.event, expressions, scope, moment, 0)?;
    if let Some(params) = relayed {
        event.data = Some(json_bytes(&Json::Object(params)));
    }
    let counted = matches!(publish.event.id, Some(Id::Counter));
    Ok(Publication {
        topic,
        event,
        counted,
    })
}

/// Renders a change of state; all values see the state before it.
pub fn render_setting(
    setting: &Setting,
    expressions: &Expressions,
) -> Result<Vec<(String, Option<Value>)>, RenderError> {
    let Setting {
        assignments,
        scope,
        moment,
    } = setting;
    let one = |(key, tree): &(Text, Option<crate::expr::Tree>)| {
        let key = expressions.text(key, scope, *moment)?;
        let value = match tree {
            Some(tree) => Some(Value::from(Serde(expressions.tree(tree, scope, *moment)?))),
            None => None,
        };
        Ok((key, value))
    };
    assignments.iter().map(one).collect()
}

/// Renders raw bytes.
pub fn render_raw(
    raw: &Raw,
    expressions: &Expressions,
    scope: &RequestScope,
    moment: Moment,
) -> Result<Vec<u8>, RenderError> {
    let mut bytes = Vec::new();
    for piece in raw.pieces.iter() {
        match piece {
            RawPiece::Text(text) => {
                bytes.extend_from_slice(&to_bytes(&expressions.text(text, scope, moment)?))
            }
            RawPiece::Bytes(fixed) => bytes.extend_from_slice(fixed),
            RawPiece::Fill { length, pattern } => fill(&mut bytes, *length, pattern),
        }
        if bytes.len() > MAX_WRITE {
            return Err(too_large());
        }
    }
    Ok(bytes)
}

/// Appends a pattern until it has so many bytes.
fn fill(bytes: &mut Vec<u8>, length: usize, pattern: &[u8]) {
    let begin = bytes.len();
    let end = begin + length;
    bytes.extend_from_slice(&pattern[..pattern.len().min(length)]);
    // Whole patterns are doubled, so that many bytes cost few copies.
    while bytes.len() < end && bytes.len() > begin {
        let more = (bytes.len() - begin).min(end - bytes.len());
        bytes.extend_from_within(begin..begin + more);
    }
}

/// What a script is told that neither sends nor waits.
pub(super) fn wild() -> RenderError {
    RenderError("the script runs in circles without sending or waiting".into())
}

pub(super) fn too_large() -> RenderError {
    RenderError(format!("one write is larger than {} MiB", MAX_WRITE >> 20))
}

/// How long a delay is this time.
pub fn pace(
    pace: &Pace,
    timing: &mut Draw,
    expressions: &Expressions,
    scope: &RequestScope,
    moment: Moment,
) -> Result<Duration, RenderError> {
    match pace {
        Pace::Range { low, high } => Ok(draw(*low, *high, timing)),
        Pace::Template(text) => {
            let (low, high) = written(text, expressions, scope, moment)?;
            Ok(draw(low, high, timing))
        }
    }
}

/// Nothing is drawn for a fixed duration, so that making one fixed shifts no others.
fn draw(low: Duration, high: Duration, from: &mut Draw) -> Duration {
    if low == high {
        low
    } else {
        from.duration(low, high)
    }
}

fn written(
    text: &Text,
    expressions: &Expressions,
    scope: &RequestScope,
    moment: Moment,
) -> Result<(Duration, Duration), RenderError> {
    let range = duration::parse_range(&expressions.text(text, scope, moment)?);
    let range = range.map_err(|why| text.located(why))?;
    Ok((range.low, range.high))
}

/// JSON as the bytes it stands for.
fn json_bytes(json: &Json) -> Bytes {
    // Its `Display` takes twice as long.
    to_bytes(&serde_json::to_string(json).unwrap_or_else(|_| json.to_string()))
}

/// Rendered text as the bytes it stands for.
pub fn to_bytes(rendered: &str) -> Bytes {
    Bytes::copy_from_slice(&text::to_bytes(rendered))
}
