//! The poem endpoint: from poem's request to the engine's, from the engine's reply to poem's response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::error::ReadBodyError;
use poem::{Endpoint, Request as PoemRequest, Response, Result};

use super::Refused;
use super::access_log::AccessLog;
use super::cors;
use super::respond::{self, Wire};
use crate::engine::{Engine, Head, NotBegun, Reply, ReplyBody};
use crate::request::{Request, Version};
use crate::scenario::model::End;

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

    /// Reads a request to its end, and delivers what `answer` replies to it. Nobody is asked for the
    /// answer to a request that is refused, or whose body is too large or broken.
    pub async fn deliver(
        &self,
        mut request: PoemRequest,
        answer: impl FnOnce(&Request) -> Reply + Send,
    ) -> Response {
        let began = Instant::now();
        let body = request.take_body();
        let mut plain = plain(&request);
        let log = AccessLog::begin(&plain, began, &self.engine.connections);
        if let Some(refused) = request.extensions().get::<Refused>() {
            let cors = self.engine.cors_of(&self.engine.catalog.current(), &plain);
            let reply = Reply::problem(refused.status, &refused.detail).with_cors(cors);
            return self.send(&plain, reply, log).await;
        }
        let reply = match body.into_bytes_limit(self.max_body).await {
            Ok(body) => {
                plain.body = body;
                answer(&plain)
            }
            Err(error) => self.bad_body(&plain, &error),
        };
        self.send(&plain, reply, log).await
    }

    /// The answer of the scenario, or of the server's own paths.
    fn reply(&self, request: &Request) -> Reply {
        let path = request.path.as_str();
        if path == "/__mock" || path.starts_with("/__mock/") {
            return own(request).with_cors(self.engine.catalog.current().cors.clone());
        }
        if path.starts_with("/~") {
            let detail =
                "paths that begin with /~NAME/ are reserved for sessions, which this version does not serve";
            return Reply::problem(404, detail).with_cors(self.engine.catalog.current().cors.clone());
        }
        self.engine.answer(request.clone())
    }

    /// Sends a reply when it is due.
    async fn send(&self, request: &Request, reply: Reply, mut log: AccessLog) -> Response {
        let Reply {
            mut head,
            after,
            body,
            framing,
            content_length,
            close_notify,
            held,
            cors,
            allow,
        } = reply;
        let wire = Wire {
            framing,
            content_length,
            close_notify,
        };
        if let Some(policy) = &cors {
            cors::apply(policy, request, allow.as_deref(), &mut head);
        }
        log.decided(head.status);
        match body {
            ReplyBody::Full(bytes) => {
                self.wait(after).await;
                log.answered(head.status, bytes.len() as u64);
                respond::full(request, head, bytes, wire)
            }
            ReplyBody::Nothing(end) => {
                self.wait(after).await;
                let stays = matches!(end, End::Stall | End::Hold);
                let connections = &self.engine.connections;
                let live = stays.then(|| held.unwrap_or_else(|| connections.register(request.peer, "")));
                respond::nothing(end, wire, live, log)
            }
            // No byte of it could be sent: it is not even begun.
            ReplyBody::Stream(performance) if !respond::has_body(request, &head) => {
                drop(performance);
                self.wait(after).await;
                log.answered(head.status, 0);
                respond::full(request, head, bytes::Bytes::new(), wire)
            }
            ReplyBody::Stream(mut performance) => {
                let refused = match performance.begin().await.map_err(NotBegun::reply) {
                    Ok(()) => {
                        head.push_gap(performance.gap());
                        return respond::stream(request, head, *performance, wire, log);
                    }
                    Err(Ok(refused)) => refused,
                    Err(Err(end)) => {
                        drop(performance);
                        return respond::nothing(end, wire, None, log);
                    }
                };
                drop(performance);
                Box::pin(self.send(request, refused.with_cors(cors), log)).await
            }
        }
    }

    /// Waits on the session's clock.
    async fn wait(&self, after: Duration) {
        if !after.is_zero() {
            let mut worker = self.engine.session.clock.worker();
            let due = worker.clock().now() + after;
            worker.sleep_until(due).await;
        }
    }

    /// A body too large, or one that broke off: the answer carries the CORS headers all the same.
    fn bad_body(&self, request: &Request, error: &ReadBodyError) -> Reply {
        let scenario = self.engine.catalog.current();
        let reply = match error {
            ReadBodyError::PayloadTooLarge => {
                let detail = format!("the body is larger than {} bytes (see --max-body)", self.max_body);
                Reply::problem(413, &detail)
            }
            other => Reply::problem(400, &format!("the body could not be read: {other}")),
        };
        reply.with_cors(self.engine.cors_of(&scenario, request))
    }
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, request: PoemRequest) -> Result<Response> {
        Ok(self.deliver(request, |request| self.reply(request)).await)
    }
}

/// The server's own paths.
fn own(request: &Request) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/__mock/health") => {
            let body = serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
            let head = Head::new(200, Some("application/json"));
            let body = ReplyBody::Full(format!("{body}\n").into());
            Reply::new(head, body)
        }
        (_, "/__mock/health") => {
            let mut reply = Reply::problem(405, "`/__mock/health` takes GET");
            reply.head.push("allow", "GET, HEAD");
            reply
        }
        (_, path) => Reply::problem(
            404,
            &format!("`{path}` is no path of the server's own; there is /__mock/health"),
        ),
    }
}

/// The request without its framework. What is kept is copied: a slice of hyper's buffer would pin
/// all of it for as long as the stream lives.
fn plain(request: &PoemRequest) -> Request {
    let uri = request.uri();
    let headers = request.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                bytes::Bytes::copy_from_slice(value.as_bytes()),
            )
        })
        .collect();
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
