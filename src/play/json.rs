//! One JSON document, written as it comes: a line for each write.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{Dispatched, Ending, Opening, Viewer, Written};

/// Writes the document.
#[derive(Debug)]
pub struct JsonView<W> {
    out: W,
    first: bool,
}

impl<W: Write> JsonView<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> JsonView<W> {
        JsonView { out, first: true }
    }
}

impl<W: Write> Viewer for JsonView<W> {
    fn begin(&mut self, opening: &Opening) -> io::Result<()> {
        let request = &opening.request;
        let mut asked = json!({
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": fields(&request.headers),
            "attempt": opening.attempt,
            "seed": opening.seed,
        });
        if !request.body.is_empty() {
            content(&mut asked, &request.body);
        }
        let head = opening.head.as_ref();
        let status = json!(head.map(|head| head.status));
        let headers = head.map_or(json!([]), |head| fields(&head.headers));
        write!(
            self.out,
            "{{\n  \"request\": {asked},\n  \"status\": {status},\n  \"headers\": {headers},\n  \
             \"head_at_ms\": {},\n  \"writes\": [",
            json!(head.map(|_| milliseconds(opening.at)))
        )
    }

    fn write(&mut self, written: &Written, events: &[Dispatched]) -> io::Result<ControlFlow<()>> {
        let mut shown = json!({
            "at_ms": milliseconds(written.at),
            "step": written.source.name(),
            "bytes": written.bytes.len(),
        });
        if let Some(whole) = written.announced {
            shown["announced"] = whole.into();
        }
        content(&mut shown, &written.bytes);
        shown["events"] = events.iter().map(event).collect();
        let comma = if std::mem::take(&mut self.first) { "" } else { "," };
        write!(self.out, "{comma}\n    {shown}")?;
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        let end = json!({
            "at_ms": milliseconds(ending.at),
            "how": ending.how.name(),
            "detail": ending.detail,
        });
        let line = if self.first { "" } else { "\n  " };
        writeln!(self.out, "{line}],\n  \"end\": {end}\n}}")?;
        self.out.flush()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Fields as pairs: a name may come several times.
fn fields(headers: &[(String, Bytes)]) -> Json {
    let pair = |(name, value): &(String, Bytes)| json!([name, String::from_utf8_lossy(value)]);
    headers.iter().map(pair).collect()
}

/// Bytes as text if they are, else in Base64.
fn content(into: &mut Json, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => into["text"] = text.into(),
        Err(_) => into["base64"] = BASE64.encode(bytes).into(),
    }
}

fn event(event: &Dispatched) -> Json {
    let mut shown = json!({ "event": event.event, "data": event.data, "id": event.id });
    if event.shortened {
        shown["shortened"] = true.into();
    }
    shown
}
