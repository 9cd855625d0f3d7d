//! Entries as JSON.

use crate::request::Request;
use crate::wire::Sent;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};

use super::entry::Entry;
use super::mask::{Content, Mask, Secrets, Shown};

impl Entry {
    /// The entry as a JSON object, with its members in this order. What is not known, or not yet, is left
    /// out. Times are milliseconds, with three decimals at most; those called `at_ms` on the session's clock.
    ///
    /// | Member | |
    /// |---|---|
    /// | `number` | from 1, in order of arrival |
    /// | `at_ms` | when the request came |
    /// | `time` | the same by the wall clock, RFC 3339 in UTC |
    /// | `method`, `target` | as sent |
    /// | `version` | `HTTP/1.0`, `HTTP/1.1`, `HTTP/2` |
    /// | `tls` | whether the connection is encrypted |
    /// | `peer` | the client's address and port |
    /// | `headers` | name in lower case → value, or a list of values if it came several times. What is no UTF-8 is shown as U+FFFD |
    /// | `body` | `bytes`: how many it had; then `text`, or `base64` if it is no UTF-8; `truncated: true` if less is kept; `masked: true` if it is hidden whole. Left out if empty |
    /// | `endpoint`, `name` | the key and the name of the endpoint that answers it |
    /// | `client`, `attempt` | the client's key, and which request of that client it is, from 1 |
    /// | `gap_ms` | from the end of that client's connection before, at this endpoint, to this arrival |
    /// | `answered` | `at_ms`; `status`, `null` if there is no answer at all; `stream`: whether one follows |
    /// | `sent` | of a stream: `events` and `comments` counted, `bytes` of the body, `last_event_id`, `retry_ms` (the last sent) |
    /// | `ended` | `at_ms`; `how`: see [`How`](super::How); `by`: see [`By`](super::By); `why`: more words |
    ///
    /// With [`Mask::Secrets`] what is secret becomes `***`; [`mask`](super::mask) tells what that is. So does
    /// a `client` that was made of a secret, and `why` if there are secrets it may quote.
    pub fn json(&self, mask: Mask) -> Json {
        let mut secrets = match mask {
            Mask::Nothing => None,
            Mask::Secrets => Some(Secrets::default()),
        };
        let request = self.request();
        let target = match &mut secrets {
            Some(secrets) => secrets.target(&request.target()),
            None => request.target(),
        };
        let known = json!({
            "number": self.number,
            "at_ms": milliseconds(self.at()),
            "time": crate::scenario::time_of_day::format(self.wall_ms()),
            "method": request.method,
            "target": target,
            "version": request.version.as_str(),
            "tls": request.tls,
            "peer": request.peer.to_string(),
            "headers": headers(&request, &mut secrets),
        });
        let Json::Object(mut shown) = known else {
            unreachable!("an object was written above");
        };
        if let Some(body) = body(&request, self.body_bytes(), &mut secrets) {
            shown.insert("body".into(), body);
        }
        progress(&mut shown, self, secrets.as_ref());
        shown.into()
    }
}

fn headers(request: &Request, secrets: &mut Option<Secrets>) -> Json {
    let mut shown = Map::new();
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value);
        let value: Json = match secrets {
            Some(secrets) => secrets.header(name, value).into(),
            None => value.into(),
        };
        match shown.get_mut(name) {
            None => {
                shown.insert(name.clone(), value);
            }
            Some(Json::Array(values)) => values.push(value),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    shown.into()
}

/// What is kept of a body that had so many bytes.
fn body(request: &Request, bytes: usize, secrets: &mut Option<Secrets>) -> Option<Json> {
    let truncated = request.body.len() < bytes;
    if bytes == 0 {
        return None;
    }
    let mut shown = json!({ "bytes": bytes });
    match secrets
        .as_mut()
        .map(|secrets| secrets.body(content(request, truncated)))
    {
        Some(Shown::Nothing) => {
            shown["masked"] = true.into();
            return Some(shown);
        }
        Some(Shown::Text(text)) => shown["text"] = text.into(),
        Some(Shown::Same) | None => match text(content(request, truncated).bytes) {
            Some(text) => shown["text"] = text.into(),
            None => shown["base64"] = BASE64.encode(&request.body).into(),
        },
    }
    if truncated {
        shown["truncated"] = true.into();
    }
    Some(shown)
}

/// The body as far as it is kept; not half a character at its end if there was more.
fn content(request: &Request, truncated: bool) -> Content<'_> {
    let header = |name| request.headers.iter().find(|(n, _)| n == name);
    let media_type = header("content-type").and_then(|(_, value)| text(value));
    Content {
        media_type: media_type.unwrap_or_default(),
        encoded: header("content-encoding").is_some_and(|(_, value)| &value[..] != b"identity"),
        truncated,
        bytes: match std::str::from_utf8(&request.body) {
            Err(error) if truncated && error.error_len().is_none() => &request.body[..error.valid_up_to()],
            _ => &request.body,
        },
    }
}

/// What became of it.
fn progress(shown: &mut Map<String, Json>, entry: &Entry, secrets: Option<&Secrets>) {
    let progress = entry.progress();
    let mut add = |name: &str, value: Json| shown.insert(name.into(), value);
    if let Some(matched) = entry.known_match() {
        add("endpoint", matched.endpoint.shown_key().into());
        if let Some(name) = &matched.endpoint.name {
            add("name", name.as_str().into());
        }
        let client = &*matched.client;
        add("client", secrets.map_or(client, |s| s.derived(client)).into());
        add("attempt", matched.attempt.into());
    }
    if let Some(gap) = entry.gap() {
        add("gap_ms", milliseconds(gap).into());
    }
    if let Some(answered) = progress.answered() {
        let head = json!({
            "at_ms": milliseconds(answered.at), "status": answered.status, "stream": answered.stream,
        });
        add("answered", head);
        if answered.stream {
            add("sent", sent(progress.tally.sent()));
        }
    }
    if let Some((at, ended)) = progress.ended.as_deref() {
        let mut end = json!({
            "at_ms": milliseconds(*at), "how": ended.how.name(), "by": ended.by.name(),
        });
        if let Some(why) = &ended.why {
            end["why"] = secrets.map_or(why.as_str(), |s| s.quoting(why)).into();
        }
        add("ended", end);
    }
}

fn sent(sent: Sent) -> Json {
    let mut shown = json!({ "events": sent.events, "comments": sent.comments, "bytes": sent.bytes });
    if let Some(id) = sent.last_event_id {
        shown["last_event_id"] = id.into();
    }
    if let Some(retry) = sent.retry_ms {
        shown["retry_ms"] = retry.into();
    }
    shown
}

/// The entries as JSON, each on a line of its own; [`Entry::json`] tells the shape.
pub fn ndjson(entries: &[Arc<Entry>], mask: Mask) -> String {
    entries
        .iter()
        .map(|entry| format!("{}\n", entry.json(mask)))
        .collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
