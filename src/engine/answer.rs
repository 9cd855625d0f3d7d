//! Request → reply: matching, the effects of an endpoint, its answer.

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Value as Json;

use super::{Engine, Head, Performance, Reply, ReplyBody};
use crate::expr::{BadParams, Moment, RenderError, RequestScope};
use crate::matching::{self, Captures, Match, Miss};
use crate::plan::random::{Draw, DrawKey, Purpose};
use crate::plan::{Plan, pace, render_event, to_bytes};
use crate::request::Request;
use crate::scenario::model::{Body, Endpoint, Header, Methods, Publish, Script};
use crate::scenario::{Scenario, status_code};
use crate::topic::PublishError;

/// Every request of a session counts as one client's unless the scenario tells them apart.
const ONE_CLIENT: &str = "";

/// Why a request gets an error instead of its endpoint's answer.
enum Refusal {
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

/// One request on its way through its endpoint.
struct Visit<'e> {
    engine: &'e Engine,
    scenario: Arc<Scenario>,
    request: Arc<Request>,
    scope: RequestScope,
    timing: Draw,
    moment: Moment,
}

impl Engine {
    /// Answers a request. Effects (publishing) have happened when it returns.
    pub fn answer(&self, request: Request) -> Reply {
        let scenario = self.catalog.current();
        let request = Arc::new(request);
        let mut bad = None;
        let found = self.find(&scenario, &request, &request.method, &mut bad);
        match found {
            Ok(Match::Found(endpoint, captures)) => {
                // `ANY` does not name HEAD: it means there what it means everywhere.
                let head_only = request.method == "HEAD" && endpoint.methods == Methods::Any;
                self.visit(&scenario, &request, endpoint, captures, head_only)
            }
            Ok(Match::Missed(Miss::Method(_))) if request.method == "HEAD" => self.head(&scenario, &request),
            Ok(Match::Missed(Miss::Method(_))) if request.method == "OPTIONS" => {
                options(&scenario, &request).with_cors(self.cors_of(&scenario, &request))
            }
            Ok(Match::Missed(_)) if is_preflight(&request) => {
                options(&scenario, &request).with_cors(self.cors_of(&scenario, &request))
            }
            Ok(Match::Missed(miss)) => match bad {
                Some(bad) => refuse(&Refusal::Params(bad)),
                None => missed(&request, miss),
            }
            .with_cors(self.cors_of(&scenario, &request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(&scenario, &request)),
        }
    }

    /// GET's head without its effects.
    fn head(&self, scenario: &Arc<Scenario>, request: &Arc<Request>) -> Reply {
        let mut bad = None;
        match self.find(scenario, request, "GET", &mut bad) {
            Ok(Match::Found(endpoint, captures)) => self.visit(scenario, request, endpoint, captures, true),
            Ok(Match::Missed(miss)) => missed(request, miss).with_cors(self.cors_of(scenario, request)),
            Err(error) => refuse(&Refusal::Render(error)).with_cors(self.cors_of(scenario, request)),
        }
    }

    /// The rules of the first endpoint on the path, whatever its method: what a preflight asks for.
    pub fn cors_of(
        &self,
        scenario: &Scenario,
        request: &Request,
    ) -> Option<Arc<crate::scenario::model::CorsPolicy>> {
        let on_path = |e: &&Endpoint| {
            let one = Scenario::path_matches(e, &request.path);
            one && request
                .header("access-control-request-method")
                .is_none_or(|m| takes(e, m))
        };
        match scenario.endpoints.iter().find(on_path) {
            Some(endpoint) => endpoint.cors.clone(),
            None => scenario.cors.clone(),
        }
    }

    fn find<'s>(
        &self,
        scenario: &'s Scenario,
        request: &Arc<Request>,
        method: &str,
        bad: &mut Option<BadParams>,
    ) -> Result<Match<'s>, RenderError> {
        matching::find(scenario, method, request, |endpoint, captures| {
            let attempt = self.session.attempt(&endpoint.key, ONE_CLIENT);
            let scope = self.scope(scenario, request, endpoint, captures.clone(), attempt);
            let Some(when) = &endpoint.when else {
                return Ok(true);
            };
            let holds = scenario.expressions.holds(when, &scope, self.moment());
            if let Some(broken) = scope.bad_params() {
                bad.get_or_insert(broken);
            }
            holds
        })
    }

    fn scope(
        &self,
        scenario: &Scenario,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: Captures,
        attempt: u64,
    ) -> RequestScope {
        let draw = Draw::new(self.seed(scenario), &draw_key(endpoint, attempt), Purpose::Data);
        let topics = self.session.topics.clone();
        RequestScope::new(
            request.clone(),
            scenario.vars.clone(),
            attempt,
            captures,
            draw,
            topics,
        )
    }

    fn moment(&self) -> Moment {
        Moment {
            seq: 0,
            elapsed_ms: 0,
            now_ms: self.session.clock.wall_ms(),
        }
    }

    fn visit(
        &self,
        scenario: &Arc<Scenario>,
        request: &Arc<Request>,
        endpoint: &Endpoint,
        captures: Captures,
        head_only: bool,
    ) -> Reply {
        let attempt = match head_only {
            true => self.session.attempt(&endpoint.key, ONE_CLIENT),
            false => self.session.take_attempt(&endpoint.key, ONE_CLIENT),
        };
        let mut visit = Visit {
            engine: self,
            scenario: scenario.clone(),
            request: request.clone(),
            scope: self.scope(scenario, request, endpoint, captures, attempt),
            timing: Draw::new(self.seed(scenario), &draw_key(endpoint, attempt), Purpose::Timing),
            moment: self.moment(),
        };
        let reply = visit.run(endpoint, head_only);
        let reply = match (reply, visit.scope.bad_params()) {
            // What an expression could not read explains more than what it then lacked.
            (Err(_) | Ok(_), Some(bad)) => refuse(&Refusal::Params(bad)),
            (Ok(reply), None) => reply,
            (Err(refusal), None) => refuse(&refusal),
        };
        reply.with_cors(endpoint.cors.clone())
    }
}

impl Scenario {
    fn path_matches(endpoint: &Endpoint, path: &str) -> bool {
        let decode = |segment| crate::text::percent_decode(segment, false);
        let segments: Option<Vec<String>> = path.split('/').map(decode).collect();
        segments.is_some_and(|segments| endpoint.path.matches_segments(&segments).is_some())
    }
}

fn takes(endpoint: &Endpoint, method: &[u8]) -> bool {
    std::str::from_utf8(method).is_ok_and(|method| endpoint.methods.take(method))
}

fn draw_key(endpoint: &Endpoint, attempt: u64) -> DrawKey {
    DrawKey {
        endpoint: endpoint.key.clone(),
        client: ONE_CLIENT.into(),
        attempt,
    }
}

impl Visit<'_> {
    fn run(&mut self, endpoint: &Endpoint, head_only: bool) -> Result<Reply, Refusal> {
        for (name, tree) in &endpoint.lets {
            let value = self.scenario.expressions.tree(tree, &self.scope, self.moment)?;
            self.scope.bind(name, Value::from(Serde(value)));
        }
        let mut reached = None;
        if !head_only {
            for publish in &endpoint.publish {
                *reached.get_or_insert(0) += self.publish(publish)?;
            }
        }
        let answer = &endpoint.answer;
        let status = self.text(&answer.status)?;
        let status = status_code(&status).map_err(RenderError)?;
        let after = pace(
            &answer.after,
            &mut self.timing,
            &self.scenario.expressions,
            &self.scope,
            self.moment,
        )?;
        let (mut head, mut body) = self.body(status, &answer.body, after, head_only)?;
        if let Some(reached) = reached {
            head.push("x-mock-reached", reached.to_string());
        }
        if let ReplyBody::Stream(performance) = &body
            && performance.has_gap()
        {
            head.push("x-mock-gap", "replay");
        }
        for header in &answer.headers {
            self.header(&mut head, header)?;
        }
        if head_only {
            body = ReplyBody::Full(bytes::Bytes::new());
        }
        Ok(Reply {
            head,
            after,
            body,
            cors: None,
            allow: None,
        })
    }

    fn text(&self, text: &crate::expr::Text) -> Result<String, RenderError> {
        self.scenario.expressions.text(text, &self.scope, self.moment)
    }

    fn header(&self, head: &mut Head, header: &Header) -> Result<(), RenderError> {
        head.remove(&header.name);
        let before = head.headers.len();
        for value in &header.values {
            let Some(value) = self
                .scenario
                .expressions
                .optional(value, &self.scope, self.moment)?
            else {
                continue;
            };
            let value = to_bytes(&value);
            if value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                let why = format!(
                    "the value of the header `{}` holds a line end or NUL",
                    header.name
                );
                return Err(RenderError(why));
            }
            head.headers.push((header.name.clone(), value));
        }
        if head.headers.len() == before {
            head.without.push(header.name.clone());
        }
        Ok(())
    }

    fn body(
        &mut self,
        status: u16,
        body: &Body,
        after: Duration,
        head_only: bool,
    ) -> Result<(Head, ReplyBody), Refusal> {
        Ok(match body {
            Body::Empty => (Head::new(status, None), ReplyBody::Full(bytes::Bytes::new())),
            Body::Text(text) => {
                let body = to_bytes(&self.text(text)?);
                (
                    Head::new(status, Some("text/plain; charset=utf-8")),
                    ReplyBody::Full(body),
                )
            }
            Body::Json(tree) => {
                let json = self.scenario.expressions.tree(tree, &self.scope, self.moment)?;
                (
                    Head::new(status, Some("application/json")),
                    ReplyBody::Full(to_bytes(&json.to_string())),
                )
            }
            Body::Stream(script) => {
                let mut head = Head::new(status, Some("text/event-stream"));
                head.push("cache-control", "no-store");
                head.push("x-accel-buffering", "no");
                if head_only {
                    return Ok((head, ReplyBody::Full(bytes::Bytes::new())));
                }
                (
                    head,
                    ReplyBody::Stream(Box::new(self.performance(script, after)?)),
                )
            }
        })
    }

    fn performance(&self, script: &Script, after: Duration) -> Result<Performance, RenderError> {
        let engine = self.engine;
        let clock = &engine.session.clock;
        let began = clock.now() + after;
        let began_ms = self.moment.now_ms + after.as_millis() as u64;
        let last = self.scope.last_event_id();
        let mut performance = Performance {
            plan: Plan::new(
                self.scenario.clone(),
                script,
                self.scope.clone(),
                self.timing.clone(),
                began_ms,
            ),
            worker: clock.worker(),
            topics: engine.session.topics.clone(),
            live: engine.connections.register(self.request.peer),
            heartbeat: script.heartbeat,
            farewell: engine.farewell.clone(),
            last_event_id: (!last.is_empty()).then(|| to_bytes(last).to_vec()),
            began,
            wrote: began,
            following: None,
        };
        performance.prepare().map_err(RenderError)?;
        Ok(performance)
    }

    fn publish(&mut self, publish: &Publish) -> Result<usize, Refusal> {
        let name = self.text(&publish.topic)?;
        let history = match self.scenario.topic(&name) {
            Some(topic) => topic.history,
            None => return Err(Refusal::UnknownTopic(name)),
        };
        let relayed = match publish.event.data {
            None => Some(self.scope.params().map_err(Refusal::Params)?),
            Some(_) => None,
        };
        self.engine.session.topics.publish(&name, history, |number| {
            let mut event = render_event(
                &publish.event,
                &self.scenario.expressions,
                &self.scope,
                self.moment,
                number,
            )?;
            if let Some(params) = relayed {
                event.data = Some(to_bytes(&Json::Object(params).to_string()));
            }
            Ok(event)
        })
    }
}

/// OPTIONS without an endpoint of its own. A preflight is answered for any path, so that a page
/// gets to see the 404 behind it.
fn options(scenario: &Scenario, request: &Request) -> Reply {
    let mut methods = matching::methods(scenario, request);
    methods.push("OPTIONS".into());
    let mut head = Head::new(204, None);
    head.push("allow", methods.join(", "));
    let body = ReplyBody::Full(bytes::Bytes::new());
    Reply {
        head,
        after: Duration::ZERO,
        body,
        cors: None,
        allow: Some(methods),
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method == "OPTIONS"
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}

fn missed(request: &Request, miss: Miss) -> Reply {
    let Request { method, path, .. } = request;
    match miss {
        Miss::BadPath => {
            let detail = format!("the path `{path}` has a broken percent-escape; write % as %25");
            Reply::problem(400, "Bad Request", &detail)
        }
        Miss::Method(allowed) => {
            let allowed = allowed.join(", ");
            let detail = format!("`{path}` does not take {method}; it takes {allowed}");
            let mut reply = Reply::problem(405, "Method Not Allowed", &detail);
            reply.head.push("allow", allowed);
            reply
        }
        Miss::Condition(endpoint) => {
            let detail = format!(
                "`{endpoint}` comes nearest, but its condition `when` does not hold for this request"
            );
            Reply::problem(404, "Not Found", &detail)
        }
        Miss::Path(nearest) => {
            let hint = nearest.map_or_else(
                || "; `mock-sse` lists the endpoints when it starts".to_owned(),
                |endpoint| format!("; the nearest is `{endpoint}`, whose path differs"),
            );
            Reply::problem(
                404,
                "Not Found",
                &format!("no endpoint has the path `{path}`{hint}"),
            )
        }
    }
}

fn refuse(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Params(BadParams::Malformed(why)) => Reply::problem(400, "Bad Request", why),
        Refusal::Params(BadParams::Unsupported(why)) => Reply::problem(415, "Unsupported Media Type", why),
        Refusal::Render(error) => Reply::problem(500, "Internal Server Error", &error.0),
        Refusal::UnknownTopic(name) => {
            let detail = format!("there is no topic `{name}`: declare it under `topics`");
            Reply::problem(500, "Internal Server Error", &detail)
        }
        Refusal::Publish(error) => Reply::problem(503, "Service Unavailable", &error.to_string()),
    }
}
