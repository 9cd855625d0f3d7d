//! One event by itself, as settings hold it.

use super::values;
use crate::event::Event;
use crate::scenario::decode::Scalar;
use crate::scenario::duration;
use crate::scenario::file::EventFile;

/// An event without templates or a schedule, as bytes.
pub(in crate::scenario) fn fixed_event(file: &EventFile) -> Result<Event, String> {
    let scheduled = file.after.is_some() || file.every.is_some() || file.times.is_some();
    if scheduled || file.r#while.is_some() || file.split.is_some() {
        return Err(
            "this event is sent once: it has no `after`, `every`, `times`, `while` or `split`".into(),
        );
    }
    let text = |scalar: &Option<Scalar>| scalar.as_ref().and_then(|s| s.text.clone()).map(Into::into);
    let written = file
        .data
        .as_ref()
        .filter(|data| !(data.0.is_null() && matches!(data.0.scalar(), Some("~" | ""))));
    let data = written.map(|data| match data.0.scalar() {
        Some(text) => text.to_owned(),
        None => values::constant(&data.0).to_string(),
    });
    let retry = match file.retry.as_ref().and_then(|d| d.0.text.as_deref()) {
        Some(text) => Some(duration::parse(text)?.as_millis() as u64),
        None => None,
    };
    Ok(Event {
        comment: text(&file.comment),
        event: text(&file.event),
        data: data.map(Into::into),
        id: text(&file.id),
        retry,
    })
}
