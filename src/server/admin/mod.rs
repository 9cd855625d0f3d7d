//! The control API under `/__mock/`: who may use it, what its paths do, and its description.
//!
//! - `access`: who may; pure
//! - `table`: what a path is made of; `paths`, `proof` and `about`: all of them; `call`: a request on its way to
//!   its command
//! - `openapi`: the description, made of the same table; `news`: what happens, as a stream
//!
//! What is commanded is none of this room's business: see [`crate::control`].

mod about;
pub mod access;
mod call;
pub(super) mod news;
mod openapi;
mod paths;
mod proof;
mod table;

use std::sync::Arc;

pub use access::{Admin, Token, Visitor};

use self::access::Denied;
use self::call::Call;
use self::table::{Route, Said};
use crate::control::{Control, Failure};
use crate::engine::{Engine, Head, PROBLEM_JSON, Reply, ReplyBody, problem_body};
use crate::request::Request;
use crate::spelling::suggest;

pub(super) use table::Said as Answer;

/// Open to everybody, pages of any origin included.
const HEALTH: &str = "/__mock/health";

/// Whether a path is the server's own.
pub(super) fn is_own(path: &str) -> bool {
    path == "/__mock" || path.starts_with("/__mock/")
}

/// Where commands are taken.
#[derive(Debug)]
pub struct Desk {
    control: Arc<Control>,
    admin: Admin,
    /// What the server was told to listen on.
    host: String,
}

impl Desk {
    /// For whoever `admin` lets in; `host` is what the server was told to listen on.
    pub fn new(control: Control, admin: Admin, host: &str) -> Desk {
        Desk {
            control: Arc::new(control),
            admin,
            host: host.to_owned(),
        }
    }

    /// Carries a command out. The session is entered only if the visitor may.
    pub(super) async fn answer(&self, request: Request, visitor: &Visitor) -> Answer {
        if !self.admin.enabled {
            let detail = format!(
                "`{}` is no path of this server, which was started with --no-admin; there is {HEALTH}",
                crate::name::short(&request.path)
            );
            return said(Reply::problem(404, &detail));
        }
        if let Err(denied) = self.admin.admit(visitor, &self.host) {
            return said(refused(&denied));
        }
        let answered = match self.enter(&request) {
            Ok(engine) => self.dispatch(engine, request).await,
            Err(failure) => Err(failure),
        };
        answered.unwrap_or_else(|failure| said(failed(&failure)))
    }

    fn enter(&self, request: &Request) -> Result<Arc<Engine>, Failure> {
        // Whoever makes or deletes a session is not in it: its time would have begun.
        let apart = request.path == "/__mock/sessions" || request.path.starts_with("/__mock/sessions/");
        let name = if apart { "" } else { &request.session };
        Ok(self.control.sessions.enter(name)?)
    }

    async fn dispatch(&self, engine: Arc<Engine>, request: Request) -> Result<Said, Failure> {
        let table = paths::table();
        let asked = if request.method == "HEAD" {
            "GET"
        } else {
            request.method.as_str()
        };
        let on_path: Vec<(&Route, Vec<String>)> = table
            .iter()
            .filter_map(|route| Some((route, route.captures(&request.path)?)))
            .collect();
        let Some(at) = on_path.iter().position(|(route, _)| route.method == asked) else {
            return Ok(said(missed(&request, &on_path)));
        };
        let (route, captures) = &on_path[at];
        let call = Call {
            control: self.control.clone(),
            engine,
            captures: captures.clone(),
            request,
        };
        (route.run)(call).await
    }
}

fn said(reply: Reply) -> Said {
    Said::Reply(Box::new(reply))
}

/// Whether the server is well: open to everybody.
pub(super) fn health(request: &Request) -> Option<Reply> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", HEALTH) => Some(json(200, &about::Health::WELL)),
        (_, HEALTH) => {
            let mut reply = Reply::problem(405, "`/__mock/health` takes GET");
            reply.head.push("allow", "GET, HEAD");
            Some(reply)
        }
        _ => None,
    }
}

fn json(status: u16, body: &impl serde::Serialize) -> Reply {
    let mut body = serde_json::to_string(body).expect("an answer is plain data");
    body.push('\n');
    text(status, "application/json", body)
}

fn text(status: u16, media: &str, body: String) -> Reply {
    let mut head = Head::new(status, Some(media));
    head.push("cache-control", "no-store");
    Reply::new(head, ReplyBody::Full(body.into()))
}

fn refused(denied: &Denied) -> Reply {
    let mut reply = Reply::problem(denied.status, &denied.detail);
    if denied.status == 401 {
        reply.head.push("www-authenticate", "Bearer realm=\"mock-sse\"");
    }
    reply
}

fn failed(failure: &Failure) -> Reply {
    let (status, detail) = (failure.status(), failure.detail());
    let Failure::Broken(findings) = failure else {
        return Reply::problem(status, &detail);
    };
    let body: serde_json::Value = serde_json::from_str(&problem_body(status, &detail)).expect("it is JSON");
    let mut body = body;
    body["diagnostics"] = serde_json::to_value(findings).expect("findings are plain data");
    let head = Head::new(status, Some(PROBLEM_JSON));
    Reply::new(head, ReplyBody::Full(body.to_string().into()))
}

/// No such path, or not by this method.
fn missed(request: &Request, on_path: &[(&Route, Vec<String>)]) -> Reply {
    let path = crate::name::short(&request.path);
    if on_path.is_empty() {
        let paths: Vec<&str> = paths::table().iter().map(|route| route.path).collect();
        let near = suggest(&request.path, &paths);
        return Reply::problem(404, &format!("`{path}` is no path of the server's own; {near}"));
    }
    let mut methods: Vec<&str> = on_path.iter().map(|(route, _)| route.method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let allow = methods.join(", ");
    let mut reply = Reply::problem(405, &format!("`{path}` takes {allow}"));
    reply.head.push("allow", allow);
    reply
}
