//! Answers that no endpoint gives: why not, as a problem document.

use super::connections::Order;
use super::effects::PublishFailure;
use super::{Head, NotBegun, Reply, ReplyBody};
use crate::expr::{BadParams, RenderError};
use crate::matching::{self, Miss};
use crate::name::printable;
use crate::plan::PublishFault;
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::End;
use crate::state::ApplyError;

/// Why a request gets an error instead of its endpoint's answer.
pub(super) enum Refusal {
    Params(BadParams),
    Render(RenderError),
    Publish(PublishFailure),
    /// The shared state does not take it.
    State(String),
    /// The endpoint has as many streams open as it may have.
    Full(usize),
    /// The folder has no such file.
    NoFile(String),
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Refusal {
        Refusal::Render(error)
    }
}

impl From<ApplyError<RenderError>> for Refusal {
    fn from(error: ApplyError<RenderError>) -> Refusal {
        match error {
            ApplyError::Change(error) => Refusal::Render(error),
            limit => Refusal::State(limit.to_string()),
        }
    }
}

impl From<PublishFailure> for Refusal {
    fn from(failure: PublishFailure) -> Refusal {
        Refusal::Publish(failure)
    }
}

impl From<PublishFault> for Refusal {
    fn from(fault: PublishFault) -> Refusal {
        match fault {
            PublishFault::Render(error) => Refusal::Render(error),
            PublishFault::Params(bad) => Refusal::Params(bad),
        }
    }
}

/// OPTIONS without an endpoint of its own. A preflight is answered for any path, so that a page
/// gets to see the 404 behind it.
pub(super) fn options(scenario: &Scenario, request: &Request) -> Reply {
    let mut methods = matching::methods(scenario, request);
    if !methods.iter().any(|m| m == "OPTIONS") {
        methods.push("OPTIONS".into());
    }
    let mut head = Head::new(204, None);
    head.push("allow", methods.join(", "));
    let body = ReplyBody::Full(bytes::Bytes::new());
    Reply {
        allow: Some(methods),
        ..Reply::new(head, body)
    }
}

/// OPTIONS for the server as a whole (RFC 9110 §9.3.7).
pub(super) fn is_of_the_server(request: &Request) -> bool {
    request.method == "OPTIONS" && request.path == "*"
}

impl NotBegun {
    /// What the client gets instead of the stream: an answer, or only the end of its connection.
    pub fn reply(self) -> Result<Reply, End> {
        match self {
            NotBegun::Failed(why) => Ok(failed(&why)),
            NotBegun::Gone => {
                let detail = "the history no longer holds the message with the id in Last-Event-ID";
                let mut reply = Reply::problem(410, detail);
                reply.head.push("x-mock-gap", "error");
                Ok(reply)
            }
            NotBegun::Ordered(Order::Shutdown) => Ok(Reply::problem(503, "the server is stopping")),
            NotBegun::Ordered(Order::End(end)) => Err(end),
        }
    }
}

pub(super) fn is_preflight(request: &Request) -> bool {
    request.method == "OPTIONS"
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}

pub(super) fn missed(request: &Request, miss: Miss) -> Reply {
    let Request { method, path, .. } = request;
    match miss {
        Miss::BadPath => {
            let detail = format!("the path `{path}` has a broken percent-escape; write % as %25");
            Reply::problem(400, &detail)
        }
        Miss::Method(allowed) => {
            let allowed = allowed.join(", ");
            let detail = format!("`{path}` does not take {method}; it takes {allowed}");
            let mut reply = Reply::problem(405, &detail);
            reply.head.push("allow", allowed);
            reply
        }
        Miss::Condition(endpoint) => {
            let detail = format!(
                "`{endpoint}` comes nearest, but its conditions (`when`) do not hold for this request"
            );
            Reply::problem(404, &detail)
        }
        Miss::Host(endpoint) => {
            let host = request.header_text("host").unwrap_or_default();
            let detail = format!("`{endpoint}` has the path `{path}`, but not for the host `{host}`");
            Reply::problem(404, &detail)
        }
        Miss::Path(nearest) => {
            let hint = nearest.map_or_else(
                || "; `mock-sse` lists the endpoints when it starts".to_owned(),
                |endpoint| format!("; the nearest is `{endpoint}`, whose path differs"),
            );
            Reply::problem(404, &format!("no endpoint has the path `{path}`{hint}"))
        }
    }
}

/// The scenario's own mistake: its author looks at the log, as many clients do not show the body.
fn failed(why: &str) -> Reply {
    tracing::warn!("an answer failed: {}", printable(why));
    Reply::problem(500, why)
}

pub(super) fn refuse(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Params(BadParams::Malformed(why)) => Reply::problem(400, why),
        Refusal::Params(BadParams::Unsupported(why)) => Reply::problem(415, why),
        Refusal::Render(error) => failed(&error.0),
        Refusal::Publish(failure @ PublishFailure::Unknown(_)) => failed(&failure.to_string()),
        Refusal::Publish(failure) => Reply::problem(503, &failure.to_string()),
        Refusal::State(why) => Reply::problem(507, why),
        Refusal::Full(most) => {
            let detail = format!("this endpoint has {most} streams open, which is its limit");
            let mut reply = Reply::problem(503, &detail);
            reply.head.push("retry-after", "1");
            reply
        }
        Refusal::NoFile(path) => Reply::problem(404, &format!("there is no file `{path}` in this folder")),
    }
}
