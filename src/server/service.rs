//! One request: from hyper to the poem endpoint and back, or out of hyper as a live stream.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::{Request as HyperRequest, body::Incoming, service::Service};
use poem::{
    Addr, Body, Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};

use super::{
    Refused, Shared,
    exact::Exact,
    head::{Circumstances, compose, date},
    http2::{self, BoxError, Payload},
    io_kind::Io,
    problem::problem,
    redirect::redirect,
    stalled::Patience,
    stream::StreamSpec,
    takeover::{Slot, Taken},
};

/// Whom a connection is with.
pub(crate) struct Peer {
    local: SocketAddr,
    remote: SocketAddr,
    tls: bool,
    /// Over the limit of connections: every request is told so.
    refused: bool,
}

impl Peer {
    /// Somebody on this machine, without a socket.
    pub(crate) fn in_memory() -> Peer {
        Peer {
            local: ([127, 0, 0, 1], 80).into(),
            remote: ([127, 0, 0, 1], 40_000).into(),
            tls: false,
            refused: false,
        }
    }

    /// `None` when the socket is no longer connected.
    pub(crate) fn of(io: &Io, refused: bool) -> Option<Peer> {
        let (local, remote) = (io.tcp().local_addr().ok()?, io.tcp().peer_addr().ok()?);
        Some(Peer {
            local,
            remote,
            tls: io.is_tls(),
            refused,
        })
    }
}

/// What hyper calls on an HTTP/1.1 connection.
pub(crate) struct Http1Service {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) slot: Arc<Slot>,
}

/// What hyper calls on an HTTP/2 connection.
pub(crate) struct Http2Service {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) slot: Arc<Slot>,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<hyper::Response<Payload>, E>> + Send>>;

impl Service<HyperRequest<Incoming>> for Http1Service {
    type Response = hyper::Response<Payload>;
    type Error = Infallible;
    type Future = Answer<Infallible>;

    fn call(&self, request: HyperRequest<Incoming>) -> Self::Future {
        let (shared, peer, slot) = (self.shared.clone(), self.peer.clone(), self.slot.clone());
        Box::pin(async move {
            let asked = Asked::of(&request);
            let body_read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
            let mut response = answer(&shared, &peer, request, Some(&body_read)).await;
            let circumstances = Circumstances {
                version: asked.version,
                head_only: asked.head,
                keeps_alive: asked.keeps_alive
                    && !peer.refused
                    && shared.keeps_connections()
                    && body_read.load(Ordering::Acquire),
                tls: peer.tls,
            };
            if let Some(taken) = asked.taken(&mut response, circumstances) {
                slot.take_over(taken);
                return std::future::pending().await;
            }
            // Nobody reads the rest of the body: there can be no next request behind it.
            if asked.version == Version::HTTP_11 && !body_read.load(Ordering::Acquire) {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(Payload::from_poem(response))
        })
    }
}

impl Service<HyperRequest<Incoming>> for Http2Service {
    type Response = hyper::Response<Payload>;
    type Error = BoxError;
    type Future = Answer<BoxError>;

    fn call(&self, request: HyperRequest<Incoming>) -> Self::Future {
        let (shared, peer, slot) = (self.shared.clone(), self.peer.clone(), self.slot.clone());
        slot.called();
        // Boxed once more: a client may ask a hundred times in one segment, and hyper calls for all of
        // them before the first is answered. Only those that are being answered need the memory for it.
        Box::pin(async move { Box::pin(over_http2(shared, peer, slot, request)).await })
    }
}

async fn over_http2(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    slot: Arc<Slot>,
    mut request: HyperRequest<Incoming>,
) -> Result<hyper::Response<Payload>, BoxError> {
    name_host(&mut request);
    let asked = Asked::of(&request);
    let mut response = answer(&shared, &peer, request, None).await;
    let exact = response.extensions_mut().remove::<Exact>();
    let spec = response.extensions_mut().remove::<StreamSpec>();
    if let Some(exact) = &exact {
        if peer.tls && !exact.close_notify {
            slot.end_unannounced();
        }
        if let (None, Some(spec)) = (&exact.head, &spec) {
            return Err(http2::unanswered(spec, slot).await);
        }
    }
    if let Some(spec) = spec {
        strip_body(&mut response);
        if asked.allows_body(response.status()) {
            response.headers_mut().remove(header::TRANSFER_ENCODING);
            let (parts, _) = Payload::from_poem(response).into_parts();
            let patience = Patience::new(shared.config.write_timeout);
            let body = http2::start(&spec, slot, patience);
            return Ok(hyper::Response::from_parts(parts, body));
        }
    }
    Ok(match exact {
        Some(exact) if exact.lacks("content-length") => Payload::unannounced(response),
        _ => Payload::from_poem(response),
    })
}

/// What is needed of a request once the endpoint has swallowed it.
struct Asked {
    version: Version,
    head: bool,
    keeps_alive: bool,
}

impl Asked {
    fn of(request: &HyperRequest<Incoming>) -> Asked {
        let version = request.version();
        let closes = has_token(request.headers(), "close");
        Asked {
            version,
            head: request.method() == Method::HEAD,
            keeps_alive: version == Version::HTTP_11 && !closes,
        }
    }

    /// The answer, if it is for us to write.
    fn taken(&self, response: &mut Response, circumstances: Circumstances) -> Option<Taken> {
        let exact = response.extensions_mut().remove::<Exact>();
        let mut spec = response.extensions_mut().remove::<StreamSpec>()?;
        if !self.allows_body(response.status()) {
            match &exact {
                None => {
                    strip_body(response);
                    return None;
                }
                Some(exact) if exact.head.is_some() => spec = StreamSpec::once(Bytes::new()),
                Some(_) => {}
            }
        }
        let exact = exact.unwrap_or_else(|| Exact::of(response));
        let (head, shape) = compose(&exact, circumstances);
        Some(Taken { head, spec, shape })
    }

    fn allows_body(&self, status: StatusCode) -> bool {
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        !self.head && !bodiless.contains(&status) && !status.is_informational()
    }
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|t| t.trim().eq_ignore_ascii_case(token))
}

/// HTTP/2 names the host in `:authority`; endpoints look for it in `host`.
fn name_host(request: &mut HyperRequest<Incoming>) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    let authority = request
        .uri()
        .authority()
        .map(|a| HeaderValue::from_str(a.as_str()));
    if let Some(Ok(host)) = authority {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// The response, with its `date`. `body_read` is set once the request's body was read to its end.
async fn answer(
    shared: &Shared,
    peer: &Peer,
    request: HyperRequest<Incoming>,
    body_read: Option<&Arc<AtomicBool>>,
) -> Response {
    let refused = refusal(shared, peer, &request);
    let early = match &refused {
        Some(_) if shared.config.endpoint_refuses => None,
        Some(Refused { status, detail }) => Some(refuse(*status, detail)),
        None => redirected(shared, peer, &request),
    };
    let mut response = match early {
        Some(response) => {
            if request.version() == Version::HTTP_2 {
                Box::pin(discard(request.into_body())).await;
            }
            response
        }
        None => {
            let scheme = if peer.tls { Scheme::HTTPS } else { Scheme::HTTP };
            let local = LocalAddr(Addr::SocketAddr(peer.local));
            let remote = RemoteAddr(Addr::SocketAddr(peer.remote));
            let mut request: Request = (request, local, remote, scheme).into();
            if let Some(done) = body_read {
                let inner = request.take_body().into();
                request.set_body(Body::from(
                    WatchedBody {
                        inner,
                        done: done.clone(),
                    }
                    .boxed(),
                ));
            }
            if let Some(refused) = refused {
                request.extensions_mut().insert(refused);
            }
            shared.app.get_response(request).await
        }
    };
    let exact = response.extensions().get::<Exact>();
    if !exact.is_some_and(|exact| exact.lacks("date")) {
        response.headers_mut().entry(header::DATE).or_insert_with(|| {
            HeaderValue::from_str(&date()).unwrap_or_else(|_| HeaderValue::from_static(""))
        });
    }
    response
}

/// Reads a body that nobody wants, within bounds: over HTTP/2 dropping it resets the stream, and
/// some clients then take the answer for broken.
async fn discard(body: Incoming) {
    const MOST: usize = 64 * 1024;
    const LONGEST: Duration = Duration::from_secs(1);
    let read = Limited::new(body, MOST).collect();
    let _ = tokio::time::timeout(LONGEST, read).await;
}

/// Why a request is refused whatever it asks for.
fn refusal(shared: &Shared, peer: &Peer, request: &HyperRequest<Incoming>) -> Option<Refused> {
    if peer.refused {
        let max = shared.config.max_connections;
        let detail = format!("the limit of {max} connections is reached");
        return Some(Refused { status: 503, detail });
    }
    // hyper refuses a large HTTP/1.1 head itself; over HTTP/2 it would only refuse the stream.
    if request.version() == Version::HTTP_2 && head_bytes(request) > shared.config.max_header_bytes {
        let detail = "the request head is larger than this server takes".to_owned();
        return Some(Refused { status: 431, detail });
    }
    None
}

fn refuse(status: u16, detail: &str) -> Response {
    problem(
        StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        detail,
    )
}

/// The redirect to https, where one is wanted.
fn redirected(shared: &Shared, peer: &Peer, request: &HyperRequest<Incoming>) -> Option<Response> {
    if !shared.config.redirect_https || peer.tls || shared.tls.is_none() {
        return None;
    }
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let host = request.uri().authority().map(|a| a.as_str()).or(host);
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    redirect(request.method(), host, target, peer.local.port())
}

/// The size of a head as HTTP/2 counts it: each field and 32 bytes (RFC 9113 §6.5.2).
fn head_bytes(request: &HyperRequest<Incoming>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |t| t.as_str().len());
    let fields = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32);
    target + fields.sum::<usize>()
}

/// Leaves the head of a stream that has no body to send.
fn strip_body(response: &mut Response) {
    response.set_body(Body::empty());
}

type PoemBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// A request body that tells when it was read to its end: only then can the connection be kept.
struct WatchedBody {
    inner: PoemBody,
    done: Arc<AtomicBool>,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if frame.is_none() || this.inner.is_end_stream() {
            this.done.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
