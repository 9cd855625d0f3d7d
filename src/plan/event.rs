//! Templates of events → events.

use std::time::Duration;

use bytes::Bytes;

use crate::event::Event;
use crate::expr::{Expressions, Moment, RenderError, RequestScope, Text};
use crate::random::Draw;
use crate::scenario::duration;
use crate::scenario::model::{Data, EventTemplate, Id, Pace};
use crate::text;

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
        Some(Data::Json(tree)) => Some(to_bytes(&expressions.tree(tree, scope, moment)?.to_string())),
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
    let range = duration::parse_range(&expressions.text(text, scope, moment)?).map_err(RenderError)?;
    Ok((range.low, range.high))
}

/// Rendered text as the bytes it stands for.
pub fn to_bytes(rendered: &str) -> Bytes {
    Bytes::copy_from_slice(&text::to_bytes(rendered))
}
