//! The poem endpoint: from poem's request to the engine's, from the engine's reply to poem's response.

use std::sync::Arc;
use std::time::Instant;

use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint, Request as PoemRequest, Response, Result};

use super::access_log::AccessLog;
use super::cors;
use super::problem::problem;
use super::stream::{StreamEnd, StreamSpec};
use crate::engine::{Engine, Head, Performance, Reply, ReplyBody};
use crate::request::{Request, Version};

/// Answers everything: the server's own paths, and the scenario's.
pub struct Routes {
    engine: Arc<Engine>,
    /// The largest request body in bytes.
    max_body: usize,
}

impl Routes {
    /// Routes to an engine.
    pub fn new(engine: Arc<Engine>, max_body: usize) -> Routes {
        Routes { engine, max_body }
    }

    async fn scenario(&self, request: Request, began: Instant) -> Response {
        let mut log = AccessLog::begin(&request, began, &self.engine.connections);
        let preflight = request.clone();
        let Reply {
            mut head,
            after,
            body,
            cors,
            allow,
        } = self.engine.answer(request);
        if let Some(policy) = &cors {
            cors::apply(policy, &preflight, allow.as_deref(), &mut head);
        }
        log.decided(head.status);
        if !after.is_zero() {
            let mut worker = self.engine.session.clock.worker();
            let due = worker.clock().now() + after;
            worker.sleep_until(due).await;
        }
        match body {
            ReplyBody::Full(bytes) => {
                log.answered(head.status, bytes.len() as u64);
                respond(&head, Body::from(bytes))
            }
            // No byte of it could be sent: it is not even begun.
            ReplyBody::Stream(_) if preflight.method == "HEAD" || matches!(head.status, 204 | 304) => {
                log.answered(head.status, 0);
                respond(&head, Body::empty())
            }
            ReplyBody::Stream(performance) => stream(&head, *performance, log),
        }
    }
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, mut request: PoemRequest) -> Result<Response> {
        let began = Instant::now();
        let path = request.uri().path();
        if path == "/__mock" || path.starts_with("/__mock/") {
            return Ok(own(&request));
        }
        if path.starts_with("/~") {
            let detail =
                "paths that begin with /~NAME/ are reserved for sessions, which this version does not serve";
            return Ok(problem(StatusCode::NOT_FOUND, detail));
        }
        let body = request.take_body();
        let mut plain = plain(&request);
        let body = match body.into_bytes_limit(self.max_body).await {
            Ok(body) => body,
            Err(error) => return Ok(self.bad_body(&plain, &error, began)),
        };
        plain.body = body;
        Ok(self.scenario(plain, began).await)
    }
}

impl Routes {
    /// A body too large, or one that broke off: the answer carries the CORS headers all the same.
    fn bad_body(&self, request: &Request, error: &poem::error::ReadBodyError, began: Instant) -> Response {
        let (status, detail) = match error {
            poem::error::ReadBodyError::PayloadTooLarge => {
                let detail = format!("the body is larger than {} bytes (see --max-body)", self.max_body);
                (StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            other => (
                StatusCode::BAD_REQUEST,
                format!("the body could not be read: {other}"),
            ),
        };
        let mut response = problem(status, &detail);
        let scenario = self.engine.catalog.current();
        if let Some(policy) = self.engine.cors_of(&scenario, request) {
            let mut head = Head::new(status.as_u16(), None);
            cors::apply(&policy, request, None, &mut head);
            add_headers(&mut response, &head);
        }
        AccessLog::begin(request, began, &self.engine.connections).answered(status.as_u16(), 0);
        response
    }
}

/// The server's own paths.
fn own(request: &PoemRequest) -> Response {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/__mock/health") => {
            let body =
                serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }).to_string();
            Response::builder()
                .content_type("application/json")
                .body(body + "\n")
        }
        (_, "/__mock/health") => {
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "`/__mock/health` takes GET");
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        (_, path) => {
            let detail = format!("`{path}` is no path of the server's own; there is /__mock/health");
            problem(StatusCode::NOT_FOUND, &detail)
        }
    }
}

/// The request without its framework. What is kept is copied: a slice of hyper's buffer would pin
/// all of it for as long as the stream lives.
fn plain(request: &PoemRequest) -> Request {
    let uri = request.uri();
    let headers = request.headers().iter();
    let mut headers: Vec<(String, bytes::Bytes)> = headers
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                bytes::Bytes::copy_from_slice(value.as_bytes()),
            )
        })
        .collect();
    // HTTP/2 has the authority in the target instead of a Host field (RFC 9113 §8.3.1).
    if let Some(authority) = uri.authority()
        && !headers.iter().any(|(name, _)| name == "host")
    {
        headers.insert(0, ("host".into(), authority.as_str().to_owned().into()));
    }
    Request {
        method: request.method().as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        headers,
        body: bytes::Bytes::new(),
        version: match request.version() {
            poem::http::Version::HTTP_2 => Version::Http2,
            poem::http::Version::HTTP_10 => Version::Http10,
            _ => Version::Http11,
        },
        tls: request.scheme() == &poem::http::uri::Scheme::HTTPS,
        peer: request
            .remote_addr()
            .as_socket_addr()
            .copied()
            .unwrap_or_else(|| ([0, 0, 0, 0], 0).into()),
    }
}

fn respond(head: &Head, body: Body) -> Response {
    let mut response = Response::builder().status(status(head)).body(body);
    add_headers(&mut response, head);
    response
}

fn status(head: &Head) -> StatusCode {
    StatusCode::from_u16(head.status).expect("the engine answers with 200 to 599")
}

fn add_headers(response: &mut Response, head: &Head) {
    for (name, value) in &head.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            response.headers_mut().append(name, value);
        } else {
            tracing::warn!("the header `{name}` cannot be sent: its value holds control characters");
        }
    }
}

fn stream(head: &Head, performance: Performance, mut log: AccessLog) -> Response {
    let mut response = respond(head, Body::empty());
    log.opened(head.status, performance.live().shared());
    response
        .extensions_mut()
        .insert(StreamSpec::new(move |sink| async move {
            let (sink, outcome, events, bytes) = performance.play(sink).await;
            log.ended(&outcome, events, bytes);
            (sink, outcome.end().map_or(StreamEnd::Gone, StreamEnd::Ended))
        }));
    response
}
