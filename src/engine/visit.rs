//! One request at its endpoint: effects, the head, the body or the stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use minijinja::Value;
use minijinja::value::Serde;

use super::connections::Registered;
use super::outlet::Outlet;
use super::refusal::Refusal;
use super::stepping::Stepping;
use super::waits::Waits;
use super::{Engine, Head, Performance, Reply, ReplyBody};
use crate::clock::Worker;
use crate::expr::{Moment, RenderError, RequestScope, Text};
use crate::matching::Captures;
use crate::plan::{Chance, Plan, Setting, pace, render_publish, render_raw, to_bytes};
use crate::random::Draw;
use crate::request::Request;
use crate::scenario::model::{Answer, Body, Effects, End, Endpoint, Files, Header, Script};
use crate::scenario::{Scenario, status_code};
use crate::wire::{Coding, Compressor, Framing, negotiate};

/// One request on its way through its endpoint.
pub(super) struct Visit<'e> {
    pub(super) engine: &'e Engine,
    pub(super) scenario: Arc<Scenario>,
    pub(super) request: Arc<Request>,
    pub(super) endpoint: &'e Endpoint,
    pub(super) scope: RequestScope,
    pub(super) captures: Captures,
    pub(super) chance: Chance,
    pub(super) faults: Draw,
    pub(super) moment: Moment,
    /// HEAD: no effects, no body.
    pub(super) head_only: bool,
}

/// A stream among those that are open.
struct Place {
    /// Made before anybody can see the stream: whoever sees it and moves the time on waits for its beginning.
    worker: Worker,
    live: Registered,
    /// What happens behind this stamp, the stream's script can wait for.
    began: u64,
}

impl Visit<'_> {
    /// Effects first, then the answer.
    pub(super) fn run(&mut self, answer: &Answer) -> Result<Reply, Refusal> {
        let mut place = self.place(&answer.body)?;
        let reached = self.cause(&answer.effects)?;
        if let (Some(place), Some(_)) = (&mut place, reached) {
            // A script does not wait for what its own request has published.
            place.began = self.engine.session.board.stamp();
        }
        let status = status_code(&self.text(&answer.status)?).map_err(|why| answer.status.located(why))?;
        let after = pace(
            &answer.after,
            &mut self.chance.timing,
            &self.scenario.expressions,
            &self.scope,
            self.moment,
        )?;
        let mut head = self.head(status, answer)?;
        if let Some(reached) = reached {
            head.push("x-mock-reached", reached.to_string());
        }
        // Ours make way first: the scenario may name one of its own several times, in several cases.
        answer.headers.iter().for_each(|header| head.remove(&header.name));
        for header in &answer.headers {
            self.header(&mut head, header)?;
        }
        let coding = self.coding(answer, &mut head);
        let mut reply = Reply::new(head, ReplyBody::Full(Bytes::new()));
        reply.after = after;
        reply.framing = answer.framing;
        reply.close_notify = answer.close_notify;
        match (&answer.body, place) {
            // There is no head either, so HEAD gets nothing as well.
            (Body::Nothing(end), place) => {
                reply.body = ReplyBody::Nothing(*end);
                reply.held = place.map(|place| place.live);
            }
            _ if self.head_only => {}
            (Body::Stream(script), Some(place)) => {
                let mut performance = self.performance(script, after, place, coding)?;
                let announced = reply.head.get("content-length").is_some();
                performance.sized = announced || answer.framing == Some(Framing::Sized);
                if performance.sized && !announced {
                    reply.content_length = Some(performance.plan.measure().map_err(RenderError)?);
                }
                reply.body = ReplyBody::Stream(Box::new(performance));
            }
            (body, _) => {
                let bytes = self.bytes(body)?;
                if bytes.is_empty() && coding.is_some() {
                    reply.head.remove("content-encoding");
                }
                reply.body = ReplyBody::Full(compressed(bytes, coding));
            }
        }
        Ok(reply)
    }

    /// A stream's place among those that are open, if there is one left.
    fn place(&self, body: &Body) -> Result<Option<Place>, Refusal> {
        let most = match body {
            Body::Stream(script) if !self.head_only => script.limits.connections,
            Body::Nothing(End::Stall | End::Hold) => None,
            _ => return Ok(None),
        };
        let connections = &self.engine.connections;
        let (peer, path) = (self.request.peer, &self.request.path);
        let key = &self.endpoint.named.key;
        let worker = self.engine.session.clock.worker();
        let live = match most {
            None => connections.register(peer, key, path),
            Some(most) => connections
                .register_within(peer, key, path, most)
                .ok_or(Refusal::Full(most))?,
        };
        Ok(Some(Place {
            worker,
            began: live.stamp(),
            live,
        }))
    }

    /// `let`, then `set`, then `publish`: how many followers that reached, if it was done.
    fn cause(&mut self, effects: &Effects) -> Result<Option<usize>, Refusal> {
        for (name, tree) in &effects.lets {
            let value = self.scenario.expressions.tree(tree, &self.scope, self.moment)?;
            self.scope.bind(name, Value::from(Serde(value)));
        }
        if self.head_only {
            return Ok(None);
        }
        for assignments in &effects.sets {
            let setting = Setting {
                assignments: assignments.clone(),
                scope: self.scope.clone(),
                moment: self.moment,
            };
            self.engine.stage.set(&self.scenario, &setting)?;
        }
        let mut reached = None;
        for publish in &effects.publish {
            // Rendered before the topic is locked: the template may look at that very topic.
            let message = render_publish(publish, &self.scenario.expressions, &self.scope, self.moment)?;
            *reached.get_or_insert(0) += self.engine.stage.publish(&self.scenario, vec![message])?;
        }
        Ok(reached)
    }

    fn text(&self, text: &Text) -> Result<String, RenderError> {
        self.scenario.expressions.text(text, &self.scope, self.moment)
    }

    /// The head as the body needs it, before the scenario's own headers.
    fn head(&self, status: u16, answer: &Answer) -> Result<Head, Refusal> {
        let mut head = match &answer.body {
            Body::Empty | Body::Nothing(_) => Head::new(status, None),
            Body::Text(_) => Head::new(status, Some("text/plain; charset=utf-8")),
            Body::Json(_) => Head::new(status, Some("application/json")),
            Body::File { media_type, .. } => Head::new(status, Some(media_type)),
            Body::Files(files) => Head::new(status, Some(&self.file(files)?.1)),
            Body::Stream(_) => {
                let mut head = Head::new(status, Some("text/event-stream"));
                head.push("cache-control", "no-store");
                head.push("x-accel-buffering", "no");
                head
            }
        };
        if let Some(reason) = &answer.reason {
            let reason = to_bytes(&self.text(reason)?);
            no_controls(&reason, "the reason phrase")?;
            head.reason = Some(reason);
        }
        if let Some(raw) = &answer.raw_head {
            let bytes = render_raw(raw, &self.scenario.expressions, &self.scope, self.moment)?;
            head.raw = Some(bytes.into());
        }
        Ok(head)
    }

    fn header(&self, head: &mut Head, header: &Header) -> Result<(), RenderError> {
        let before = head.headers.len();
        for value in &header.values {
            let expressions = &self.scenario.expressions;
            let Some(value) = expressions.optional(value, &self.scope, self.moment)? else {
                continue;
            };
            let value = to_bytes(&value);
            no_controls(&value, &format!("the value of the header `{}`", header.name))?;
            head.headers.push((header.name.clone(), value));
        }
        if head.headers.len() == before && head.get(&header.name).is_none() {
            head.without.push(header.name.clone());
        }
        Ok(())
    }

    /// What the body is compressed with, said in the head.
    fn coding(&self, answer: &Answer, head: &mut Head) -> Option<Coding> {
        let never = match answer.body {
            Body::Empty | Body::Nothing(_) => true,
            // Its length is told before it is compressed.
            Body::Stream(_) => answer.framing == Some(Framing::Sized),
            _ => false,
        };
        if answer.compress.is_empty() || never || head.decides("content-encoding") {
            return None;
        }
        if !head.lacks("vary") {
            head.push("vary", "accept-encoding");
        }
        let accepted = self.request.header_text("accept-encoding")?;
        let coding = negotiate(&accepted, &answer.compress)?;
        head.push("content-encoding", coding.name());
        Some(coding)
    }

    fn bytes(&self, body: &Body) -> Result<Bytes, Refusal> {
        Ok(match body {
            Body::Text(text) => to_bytes(&self.text(text)?),
            Body::Json(tree) => {
                let json = self.scenario.expressions.tree(tree, &self.scope, self.moment)?;
                to_bytes(&json.to_string())
            }
            Body::File { bytes, .. } => bytes.clone(),
            Body::Files(files) => self.file(files)?.0.clone(),
            Body::Empty | Body::Nothing(_) | Body::Stream(_) => Bytes::new(),
        })
    }

    /// The file that the rest of the path names; a folder's is its index.html.
    fn file<'f>(&self, files: &'f Files) -> Result<&'f (Bytes, String), Refusal> {
        let captured = self.captures.iter().find(|(name, _)| *name == files.name);
        let path = captured.map_or("", |(_, path)| path.as_str());
        let index = match path.ends_with('/') || path.is_empty() {
            true => format!("{path}index.html"),
            false => path.to_owned(),
        };
        let found = files.files.get(&index);
        found.ok_or(Refusal::NoFile(index))
    }

    fn performance(
        &self,
        script: &Arc<Script>,
        after: Duration,
        place: Place,
        coding: Option<Coding>,
    ) -> Result<Performance, RenderError> {
        let engine = self.engine;
        let began = (engine.session.clock.now() + after).into();
        let began_ms = self.moment.now_ms + after.as_millis() as u64;
        let mut plan = Plan::new(
            self.scenario.clone(),
            script.clone(),
            self.scope.clone(),
            self.chance.clone(),
            began_ms,
        );
        let last = self.scope.last_event_id();
        let last_event_id = (!last.is_empty()).then(|| to_bytes(last).to_vec().into_boxed_slice());
        if let (true, Some(id)) = (script.resume, &last_event_id) {
            plan.resume(id);
        }
        let outlet = Outlet::new(&plan, coding, self.faults.clone())?;
        Ok(Performance {
            plan,
            worker: place.worker,
            stage: engine.stage.clone(),
            live: place.live,
            began,
            wrote: began,
            stepping: Stepping::behind(last_event_id),
            waits: Waits::begin(place.began),
            outlet,
            held: false,
            sized: false,
            witnessed: None,
            rests_until: None,
            passing: None,
            prepared: None,
        })
    }
}

fn compressed(bytes: Bytes, coding: Option<Coding>) -> Bytes {
    let Some(coding) = coding.filter(|_| !bytes.is_empty()) else {
        return bytes;
    };
    let mut compressor = Compressor::new(coding);
    let mut out = compressor.write(&bytes);
    out.extend(compressor.finish());
    out.into()
}

fn no_controls(value: &[u8], what: &str) -> Result<(), RenderError> {
    match value.iter().any(|b| matches!(b, 0..=8 | 10..=31 | 127)) {
        true => Err(RenderError(format!(
            "{what} holds a line end or another control character"
        ))),
        false => Ok(()),
    }
}
