//! Answers that no endpoint gives: why not, as a problem document.

use super::{Head, Reply, ReplyBody};
use crate::expr::{BadParams, RenderError};
use crate::matching::{self, Miss};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::topic::PublishError;

/// Why a request gets an error instead of its endpoint's answer.
pub(super) enum Refusal {
    Params(BadParams),
    Render(RenderError),
    UnknownTopic(String),
    Publish(PublishError),
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Refusal {
        Refusal::Render(error)
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Refusal {
        Refusal::Publish(error)
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
                "`{endpoint}` comes nearest, but its condition `when` does not hold for this request"
            );
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

pub(super) fn refuse(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Params(BadParams::Malformed(why)) => Reply::problem(400, why),
        Refusal::Params(BadParams::Unsupported(why)) => Reply::problem(415, why),
        Refusal::Render(error) => Reply::problem(500, &error.0),
        Refusal::UnknownTopic(name) => {
            let detail = format!("there is no topic `{name}`: declare it under `topics`");
            Reply::problem(500, &detail)
        }
        Refusal::Publish(error) => Reply::problem(503, &error.to_string()),
    }
}
