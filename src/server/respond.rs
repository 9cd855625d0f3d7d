//! From the engine's reply to poem's response: through hyper where hyper says it as the scenario
//! does, else as a stream that we write ourselves.

use bytes::Bytes;
use poem::http::StatusCode;
use poem::http::header::CONTENT_LENGTH;
use poem::{Body, Response};

use super::access_log::AccessLog;
use super::admin;
use super::exact::{CONNECTION_SPECIFIC, Exact};
use super::head::field;
use super::stream::{ServerSink, StreamEnd, StreamSpec};
use crate::engine::connections::{Order, Registered};
use crate::engine::sink::Sink;
use crate::engine::{Head, Outcome, Performance};
use crate::news::Listener;
use crate::request::{Request, Version};
use crate::wire::Framing;

/// What the reply says about the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) framing: Option<Framing>,
    pub(super) content_length: Option<u64>,
    pub(super) close_notify: bool,
}

impl Wire {
    fn exact(self, head: Head, content_length: Option<u64>) -> Exact {
        Exact {
            head: Some(head),
            framing: self.framing,
            content_length,
            close_notify: self.close_notify,
        }
    }
}

/// Whether the answer to a request has a body.
pub(super) fn has_body(request: &Request, head: &Head) -> bool {
    request.method != "HEAD" && !matches!(head.status, 204 | 205 | 304)
}

/// An answer with a body of these bytes.
pub(super) fn full(request: &Request, head: Head, body: Bytes, wire: Wire) -> Response {
    // RFC 9110 §15.3.6: a 205 says that its body is empty.
    let body = if head.status == 205 { Bytes::new() } else { body };
    let bodiless = !has_body(request, &head);
    let length = length(request, &head, body.len(), wire.content_length);
    let status = status(&head);
    let exact = wire.exact(head, length);
    if request.version == Version::Http2 {
        // hyper would send the body all the same.
        let body = if bodiless { Bytes::new() } else { body };
        let mut response = plain(status, &exact, body);
        if request.method == "HEAD" {
            announce(&exact, &mut response);
        }
        if exact.is_needed() {
            response.extensions_mut().insert(exact);
        }
        return response;
    }
    if exact.is_needed() || wire.content_length.is_some() {
        return dictated(status, exact, StreamSpec::once(body));
    }
    plain(status, &exact, body)
}

/// The length of a body that is announced; `said`: by the reply.
pub(super) fn length(request: &Request, head: &Head, body: usize, said: Option<u64>) -> Option<u64> {
    // GET's answer may well have a body: that of HEAD says nothing about it.
    let known = has_body(request, head) || body > 0 || head.status == 205;
    said.or(known.then_some(body as u64))
}

/// Tells the length of the body that GET would get.
fn announce(exact: &Exact, response: &mut Response) {
    let possible = !matches!(response.status().as_u16(), 204 | 304) && !exact.lacks("content-length");
    if let Some(length) = exact.content_length.filter(|_| possible) {
        let field = response.headers_mut().entry(CONTENT_LENGTH);
        field.or_insert(length.into());
    }
}

/// An answer whose body is played.
pub(super) fn stream(
    request: &Request,
    head: Head,
    performance: Performance,
    wire: Wire,
    log: AccessLog,
) -> Response {
    let log = log.opened(&head);
    let spec = StreamSpec::played(performance, log);
    streamed(request, head, spec, wire)
}

/// An answer that tells a session's news; no script's, and on nobody's clock.
pub(super) fn news(request: &Request, listener: Listener, log: AccessLog) -> Response {
    let mut head = Head::new(200, Some("text/event-stream"));
    head.push("cache-control", "no-store");
    let wire = Wire {
        framing: None,
        content_length: None,
        close_notify: true,
    };
    if !has_body(request, &head) {
        log.answered(&head, 0);
        return full(request, head, Bytes::new(), wire);
    }
    streamed(request, head, admin::news::stream(listener, log), wire)
}

fn streamed(request: &Request, head: Head, spec: StreamSpec, wire: Wire) -> Response {
    let status = status(&head);
    let exact = wire.exact(head, wire.content_length);
    if request.version != Version::Http2 {
        return dictated(status, exact, spec);
    }
    let mut response = plain(status, &exact, Bytes::new());
    if exact.is_needed() {
        response.extensions_mut().insert(exact);
    }
    response.extensions_mut().insert(spec);
    response
}

/// No answer: only this end of the connection, or of the HTTP/2 stream.
///
/// `live`: who may end it if it does not end by itself.
pub(super) fn nothing(
    outcome: Outcome,
    wire: Wire,
    live: Option<Registered>,
    mut log: AccessLog,
) -> Response {
    log.unanswered();
    let spec = StreamSpec::new(async move |mut sink: ServerSink| {
        let outcome = match &live {
            Some(live) => silence(&mut sink, live).await,
            None => outcome,
        };
        log.silent_end(&outcome);
        drop(live);
        (sink, outcome.end().map_or(StreamEnd::Gone, StreamEnd::Ended))
    });
    let exact = Exact {
        close_notify: wire.close_notify,
        ..Exact::nothing()
    };
    dictated(StatusCode::OK, exact, spec)
}

/// Until the client leaves, or somebody ends it.
async fn silence(sink: &mut ServerSink, live: &Registered) -> Outcome {
    live.falls_silent();
    tokio::select! {
        biased;
        order = live.ordered() => match order {
            Order::End(end) => Outcome::Ordered(end),
            Order::Shutdown => Outcome::Shutdown,
        },
        () = sink.gone() => Outcome::Left,
    }
}

/// An answer that we write: the response itself only carries it there.
fn dictated(status: StatusCode, exact: Exact, spec: StreamSpec) -> Response {
    let mut response = Response::builder().status(status).finish();
    response.extensions_mut().insert(exact);
    response.extensions_mut().insert(spec);
    response
}

/// An answer as hyper writes it.
fn plain(status: StatusCode, exact: &Exact, body: Bytes) -> Response {
    let mut response = Response::builder().status(status).body(Body::from(body));
    for (name, value) in exact.head.iter().flat_map(|head| &head.headers) {
        // Over HTTP/1.1 these never come here.
        if CONNECTION_SPECIFIC
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
        {
            continue;
        }
        if let Some((name, value)) = field(name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn status(head: &Head) -> StatusCode {
    StatusCode::from_u16(head.status).expect("the engine answers with 200 to 599")
}
