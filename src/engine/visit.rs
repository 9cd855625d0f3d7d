//! One request at its endpoint: `let`, publishing, the head, the body or the stream.

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Value as Json;

use super::refusal::Refusal;
use super::{Engine, Head, Performance, Reply, ReplyBody};
use crate::expr::{Moment, RenderError, RequestScope};
use crate::plan::{Plan, pace, render_event, to_bytes};
use crate::random::Draw;
use crate::request::Request;
use crate::scenario::model::{Body, Endpoint, Header, Id, Publish, Script};
use crate::scenario::{Scenario, status_code};
use crate::topic::{History, TopicRules};

/// One request on its way through its endpoint.
pub(super) struct Visit<'e> {
    pub(super) engine: &'e Engine,
    pub(super) scenario: Arc<Scenario>,
    pub(super) request: Arc<Request>,
    pub(super) scope: RequestScope,
    pub(super) timing: Draw,
    pub(super) moment: Moment,
}

impl Visit<'_> {
    /// Effects first, then the answer; `head_only` for HEAD, which has no effects.
    pub(super) fn run(&mut self, endpoint: &Endpoint, head_only: bool) -> Result<Reply, Refusal> {
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
            if value.iter().any(|b| matches!(b, 0..=8 | 10..=31 | 127)) {
                let why = format!(
                    "the value of the header `{}` holds a line end or another control character",
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
                (head, ReplyBody::Stream(Box::new(self.performance(script, after))))
            }
        })
    }

    fn performance(&self, script: &Script, after: Duration) -> Performance {
        let engine = self.engine;
        let clock = &engine.session.clock;
        let began = clock.now() + after;
        let began_ms = self.moment.now_ms + after.as_millis() as u64;
        let last = self.scope.last_event_id();
        Performance {
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
            relayed: None,
        }
    }

    fn publish(&mut self, publish: &Publish) -> Result<usize, Refusal> {
        let name = self.text(&publish.topic)?;
        let count = match self.scenario.topic(&name) {
            Some(topic) => topic.history,
            None => return Err(Refusal::UnknownTopic(name)),
        };
        let history = History {
            count,
            ..History::default()
        };
        let rules = TopicRules {
            history,
            ..TopicRules::default()
        };
        let relayed = match publish.event.data {
            None => Some(self.scope.params().map_err(Refusal::Params)?),
            Some(_) => None,
        };
        // Rendered before the topic is locked: the template may look at that very topic.
        let expressions = &self.scenario.expressions;
        let mut event = render_event(&publish.event, expressions, &self.scope, self.moment, 0)?;
        if let Some(params) = relayed {
            event.data = Some(to_bytes(&Json::Object(params).to_string()));
        }
        let counted = matches!(publish.event.id, Some(Id::Counter));
        let topics = &self.engine.session.topics;
        Ok(topics.publish(&name, &rules, event, counted)?)
    }
}
