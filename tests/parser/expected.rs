//! What a client makes of events: by the standard, without the encoder.

use mock_sse::event::Event;

use super::parser::{Dispatched, Parser};

/// All that a client can tell of a stream: events, reconnection time, last event id, comments.
pub type Outcome = (Vec<Dispatched>, Option<String>, String, Vec<String>);

/// What a client can tell now.
pub fn outcome(parser: Parser) -> Outcome {
    (parser.events, parser.retry, parser.last_event_id, parser.comments)
}

/// Text as a client gets it: line ends are LF, what is no UTF-8 is replaced.
fn received(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// A value that stands in one line.
fn one_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(['\r', '\n'], " ")
}

/// The state of a client that has read these events from the beginning.
pub fn expected(events: &[Event]) -> Parser {
    let mut client = Parser::default();
    for event in events {
        if let Some(comment) = &event.comment {
            let lines = received(comment);
            client.comments.extend(lines.split('\n').map(str::to_owned));
        }
        if let Some(id) = event.id.as_deref().filter(|id| !id.contains(&0)) {
            client.last_event_id = one_line(id);
        }
        if let Some(retry) = event.retry {
            client.retry = Some(retry.to_string());
        }
        if let Some(data) = &event.data {
            let kind = event.event.as_deref().map(one_line).unwrap_or_default();
            client.events.push(Dispatched {
                kind: if kind.is_empty() { "message".into() } else { kind },
                data: received(data),
                id: client.last_event_id.clone(),
            });
        }
    }
    client
}
