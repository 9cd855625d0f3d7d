//! The poem endpoint: from poem's request to the engine's, from the engine's reply to poem's response.

use std::sync::Arc;
use std::time::Duration;

use poem::{Body, Endpoint, Request as PoemRequest, Response, Result};

use super::access_log::AccessLog;
use super::admin::news;
use super::admin::{self, Answer, Desk, Visitor};
use super::cors;
use super::intake::Intake;
use super::respond::{self, Wire};
use super::session::{self, Refusal};
use super::{Refused, ServerConfig};
use crate::clock::{Worker, uptime};
use crate::engine::sessions::Sessions;
use crate::engine::{Engine, NotBegun, Outcome, Reply, ReplyBody};
use crate::request::{Request, Version};
use crate::scenario::model::End;

/// Answers everything: the server's own paths, and the scenario's.
pub struct Routes {
    sessions: Arc<Sessions>,
    /// Where commands are taken, if they are.
    desk: Option<Desk>,
    intake: Intake,
}

impl Routes {
    /// Routes to the sessions of a server.
    pub fn new(sessions: Arc<Sessions>, max_body: usize) -> Routes {
        Routes {
            sessions,
            desk: None,
            intake: Intake::new(max_body, ServerConfig::default().body_timeout),
        }
    }

    /// With another time that a body may take.
    pub fn body_timeout(mut self, longest: Duration) -> Routes {
        self.intake.longest = longest;
        self
    }

    /// With the control API under `/__mock/`.
    pub fn commanded_at(self, desk: Desk) -> Routes {
        Routes {
            desk: Some(desk),
            ..self
        }
    }

    /// Reads a request to its end, and delivers what `answer` replies to it in its session. Nobody is
    /// asked for the answer to a request that is refused, whose session cannot be had, or whose body is
    /// too large or broken.
    pub async fn deliver(
        &self,
        mut request: PoemRequest,
        answer: impl FnOnce(&Engine, &Request) -> Reply + Send,
    ) -> Response {
        let began = uptime();
        let body = request.take_body();
        let mut plain = plain(&request);
        let named = named(&request, &mut plain);
        if named.is_ok() && admin::is_own(&plain.path) {
            let visitor = Visitor::of(&plain, request.uri().authority().map(|a| a.as_str()));
            // Boxed: every request would have room for it.
            return Box::pin(self.own(plain, body, visitor)).await;
        }
        let log = AccessLog::begin(&plain, began, &self.sessions);
        let read = match &named {
            Ok(()) => self.intake.read(body).await,
            Err(_) => Ok(bytes::Bytes::new()),
        };
        // Only now: a session that ends while the body is on its way is none to answer in.
        let entered = named.and_then(|()| self.enter(&plain));
        // Who is refused is told so by the rules of the session without a name.
        let engine = entered.as_ref().map_or_else(|_| self.sessions.main(), Arc::clone);
        let reply = match entered {
            Ok(_) => match read {
                Ok(body) => {
                    plain.body = unpinned(body);
                    engine.session.board.tell(|| news::arrived(&plain));
                    answer(&engine, &plain)
                }
                Err((status, detail)) => engine.refuse(plain.clone(), status, &detail),
            },
            // With CORS headers: a page is to see why. No session has heard of it.
            Err((status, detail)) => {
                let cors = engine.cors_of(&engine.catalog.current(), &plain);
                Reply::problem(status, &detail).with_cors(cors)
            }
        };
        let response = send(&engine, &plain, reply, log).await;
        engine.session.board.tell(|| news::answered(&plain, &response));
        response
    }

    /// The session that a request is meant for.
    fn enter(&self, request: &Request) -> Result<Arc<Engine>, Refusal> {
        self.sessions
            .enter(&request.session)
            .map_err(|no| (no.status(), no.to_string()))
    }

    /// Answers on the server's own paths: no attempt of anybody, and nothing the scenario hears of.
    async fn own(&self, mut request: Request, body: Body, visitor: Visitor) -> Response {
        let engine = self.sessions.main();
        let log = AccessLog::begin(&request, uptime(), &self.sessions);
        let cors = || engine.catalog.current().cors.clone();
        let answer = match self.intake.read(body).await {
            Ok(body) => {
                request.body = body;
                match (admin::health(&request), &self.desk) {
                    (Some(health), _) => Answer::Reply(Box::new(health.with_cors(cors()))),
                    (None, Some(desk)) => desk.answer(request.clone(), &visitor).await,
                    (None, None) => {
                        Answer::Reply(Box::new(Reply::problem(404, "there is only /__mock/health")))
                    }
                }
            }
            Err((status, detail)) => Answer::Reply(Box::new(Reply::problem(status, &detail))),
        };
        match answer {
            Answer::Reply(reply) => send(&engine, &request, *reply, log).await,
            Answer::News(listener) => respond::news(&request, listener, log),
        }
    }
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, request: PoemRequest) -> Result<Response> {
        let answer = |engine: &Engine, request: &Request| engine.answer(request.clone());
        Ok(self.deliver(request, answer).await)
    }
}

/// Finds out which session a request is meant for, unless the transport refuses it.
fn named(request: &PoemRequest, plain: &mut Request) -> Result<(), Refusal> {
    match request.extensions().get::<Refused>() {
        Some(refused) => Err((refused.status, refused.detail.clone())),
        None => session::take(plain),
    }
}

/// Sends a reply when it is due.
async fn send(engine: &Engine, request: &Request, reply: Reply, mut log: AccessLog) -> Response {
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
        witnessed,
    } = reply;
    log.witnessed(witnessed);
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
            // The clock waits until the answer is given.
            let _at_work = wait(engine, after).await;
            log.answered(&head, bytes.len() as u64);
            respond::full(request, head, bytes, wire)
        }
        ReplyBody::Nothing(end) => {
            let _at_work = wait(engine, after).await;
            let stays = matches!(end, End::Stall | End::Hold);
            let connections = &engine.connections;
            let live =
                stays.then(|| held.unwrap_or_else(|| connections.register(request.peer, "", &request.path)));
            respond::nothing(Outcome::Ended(end), wire, live, log)
        }
        // No byte of it could be sent: it is not even begun.
        ReplyBody::Stream(performance) if !respond::has_body(request, &head) => {
            drop(performance);
            let _at_work = wait(engine, after).await;
            log.answered(&head, 0);
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
                    return respond::nothing(Outcome::Ordered(end), wire, None, log);
                }
            };
            drop(performance);
            Box::pin(send(engine, request, refused.with_cors(cors), log)).await
        }
    }
}

/// Waits on the session's clock, for as long as there is the session; answers with whoever waited.
async fn wait(engine: &Engine, after: Duration) -> Option<Worker> {
    if after.is_zero() {
        return None;
    }
    let mut worker = engine.session.clock.worker();
    let due = worker.clock().now() + after;
    worker.wait(Some(due), engine.connections.ended()).await;
    Some(worker)
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
        session: String::new(),
    }
}

/// A body that keeps nothing else: a short one may be a slice of a large buffer.
fn unpinned(body: bytes::Bytes) -> bytes::Bytes {
    const LARGE: usize = 64 << 10;
    match body.len() < LARGE {
        true => bytes::Bytes::copy_from_slice(&body),
        false => body,
    }
}
