//! What a user writes: the keys of a scenario file, their order and their meaning.
//!
//! Permissive about values; `compile` decides. The doc comments are what editors show.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::decode::{Anything, At, DurationText, Entries, FromNode, OneOrMany, Scalar, mismatch};
use super::diagnostic::Diagnostic;
use super::yaml::{Kind, Node};
use crate::mapping;

mapping! {
    /// A scenario: what a mock server does, endpoint by endpoint.
    ScenarioFile is "a scenario" {
        /// What the scenario is called in logs.
        name: At<String>,
        /// Where all chance comes from, 0 to 2⁶⁴ − 1: the same seed gives the same bytes. Without one a seed is drawn at start and logged.
        seed: At<u64>,
        /// Constants, seen in expressions as `vars.name`.
        vars: Entries<Anything>,
        /// Which web pages of other origins may read the answers.
        cors: CorsFile,
        /// What events get that have `data` but lack these fields.
        defaults: DefaultsFile,
        /// Topics that `publish` sends to and `follow` relays. A name may be a pattern: `room/{room}`.
        topics: Entries<TopicFile>,
        /// What is served. The first endpoint that matches a request answers it.
        endpoints: Vec<At<EndpointFile>>,
    }
}

mapping! {
    /// Fields for every event that has `data` and does not set them itself.
    DefaultsFile is "`defaults`" {
        /// The event's type.
        event: Scalar,
        /// The event's id: `uuid`, `counter`, or a template.
        id: Scalar,
        /// The client's reconnection time.
        retry: DurationText,
    }
}

mapping! {
    /// A topic.
    TopicFile is "a topic" {
        /// How many messages are kept for clients that resume; 0 by default.
        history: At<u64>,
    }
}

mapping! {
    /// Cross-origin answers.
    CorsRulesFile is "`cors`" {
        /// Origins that may read: `https://example.com`, `*`, `http://localhost:*`, `https://*.example.com`.
        origins: OneOrMany<At<String>>,
        /// Whether requests may carry cookies and authorization.
        credentials: At<bool>,
        /// Response headers that scripts may read besides the simple ones.
        expose: OneOrMany<At<String>>,
        /// How long a browser may remember a preflight; 10 minutes by default.
        max_age: DurationText,
    }
}

/// `off`, or the rules.
#[derive(Debug, Clone)]
pub enum CorsFile {
    /// No CORS headers.
    Off,
    /// These rules.
    Rules(Box<At<CorsRulesFile>>),
}

mapping! {
    /// An endpoint: which requests it takes, what they cause, and what it answers.
    EndpointFile is "an endpoint" {
        /// The path: `/sse`, `/chat/{room}`, `/v{n}/x`, `/files/{rest...}`.
        path: At<String>,
        /// The method, a list of methods, or `ANY`; GET by default.
        method: OneOrMany<At<String>>,
        /// A condition: an expression without braces.
        when: Scalar,
        /// Names with values of their own for this request, in order.
        r#let: Entries<Anything>,
        /// Topics to publish to before the answer; a name alone relays the request's query and body, merged.
        publish: OneOrMany<PublishFile>,
        /// The status code; 200 by default.
        status: Scalar,
        /// Response headers; a list sends the header several times.
        headers: Entries<HeaderFile>,
        /// How long to wait before the head of the answer.
        after: DurationText,
        /// Answer: text.
        body: Scalar,
        /// Answer: JSON.
        json: Anything,
        /// Answer: an event stream, as a list of steps.
        stream: Vec<StepFile>,
        /// A comment line after this much silence.
        heartbeat: DurationText,
        /// CORS for this endpoint alone.
        cors: CorsFile,
    }
}

mapping! {
    /// A message for a topic.
    PublishRulesFile is "`publish`" {
        /// The topic.
        topic: Scalar,
        /// The event's type.
        event: Scalar,
        /// The event's id: `uuid`, `counter`, or a template.
        id: Scalar,
        /// The event's data; the request's query and body, merged, if absent.
        data: Anything,
    }
}

/// A topic's name, or a whole message.
#[derive(Debug, Clone)]
pub struct PublishFile(pub At<PublishRulesFile>);

/// One value, several, or `~`: the header is left out.
#[derive(Debug, Clone)]
pub struct HeaderFile(pub Vec<Scalar>);

mapping! {
    /// An event.
    EventFile is "an event" {
        /// A comment line, which clients ignore.
        comment: Scalar,
        /// The event's type; clients take `message` if absent.
        event: Scalar,
        /// The event's data: text (each line its own field), or a mapping or list that becomes compact JSON.
        data: Anything,
        /// The event's id: `uuid`, `counter`, or a template.
        id: Scalar,
        /// The client's reconnection time.
        retry: DurationText,
        /// How long after the previous step was due.
        after: DurationText,
        /// Repeats the event on a schedule, first after one interval.
        every: DurationText,
        /// How often `every` repeats it; for ever if absent.
        times: At<u64>,
    }
}

mapping! {
    /// A pause.
    WaitFile is "a `wait` step" {
        /// How long.
        wait: DurationText,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// Steps that are repeated.
    RepeatFile is "a `repeat` step" {
        /// What is repeated, and when.
        repeat: RepeatRulesFile,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// What is repeated, and when.
    RepeatRulesFile is "`repeat`" {
        /// The interval of the schedule, first after one interval; without it each round follows the last.
        every: DurationText,
        /// How often; for ever if absent.
        times: At<u64>,
        /// The steps.
        steps: Vec<StepFile>,
    }
}

mapping! {
    /// Relays a topic.
    FollowStepFile is "a `follow` step" {
        /// The topic, or the topic and how.
        follow: FollowFile,
        /// How long after the previous step was due to begin.
        after: DurationText,
    }
}

mapping! {
    /// A topic and how to follow it.
    FollowRulesFile is "`follow`" {
        /// The topic.
        topic: Scalar,
        /// Where to begin: `live`, `earliest`, or `last_event_id` (the default; live if there is none).
        from: At<String>,
        /// How many messages to relay before going on.
        limit: At<u64>,
    }
}

/// A topic's name, or the name and how.
#[derive(Debug, Clone)]
pub struct FollowFile(pub At<FollowRulesFile>);

mapping! {
    /// The end of a stream.
    EndFile is "an `end` step" {
        /// `close`: cleanly; `hold`: open, heartbeats go on; `stall`: open and silent for ever.
        end: At<String>,
        /// How long after the previous step was due.
        after: DurationText,
    }
}

/// One step of a stream.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum StepFile {
    /// An event.
    Event(At<EventFile>),
    /// A pause.
    Wait(At<WaitFile>),
    /// Steps that are repeated.
    Repeat(At<RepeatFile>),
    /// Relays a topic.
    Follow(At<FollowStepFile>),
    /// The end.
    End(At<EndFile>),
}

impl StepFile {
    /// Where it stands.
    pub fn span(&self) -> &super::diagnostic::Span {
        match self {
            StepFile::Event(at) => &at.span,
            StepFile::Wait(at) => &at.span,
            StepFile::Repeat(at) => &at.span,
            StepFile::Follow(at) => &at.span,
            StepFile::End(at) => &at.span,
        }
    }
}

impl FromNode for StepFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        let has = |key| node.get(key).is_some();
        if has("wait") {
            At::from_node(node, errors).map(StepFile::Wait)
        } else if has("repeat") {
            At::from_node(node, errors).map(StepFile::Repeat)
        } else if has("follow") {
            At::from_node(node, errors).map(StepFile::Follow)
        } else if has("end") {
            At::from_node(node, errors).map(StepFile::End)
        } else {
            event_step(node, errors)
        }
    }
}

fn event_step(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<StepFile> {
    let Kind::Map(entries) = &node.kind else {
        let hint = "a step is a mapping: `- data: hello`, `- wait: 1s`, `- follow: topic`";
        errors.push(mismatch(node, "a step").hint(hint));
        return None;
    };
    let known = |(key, _): &(Node, Node)| EventFile::KEYS.contains(&key.scalar().unwrap_or(""));
    let field = ["comment", "event", "data", "id", "retry"]
        .iter()
        .any(|key| node.get(key).is_some());
    if !field && entries.iter().all(known) {
        let message = "this step does nothing: it has no field to send";
        errors.push(
            Diagnostic::error(&node.span, message).hint("give it `data`, or write `wait: …` for a pause"),
        );
        return None;
    }
    if !field && let [(key, _), ..] = entries.as_slice() {
        let name = key.scalar().unwrap_or("");
        let steps = [
            "data", "event", "id", "retry", "comment", "wait", "repeat", "follow", "end",
        ];
        let message = format!("there is no step `{}`", name.escape_debug());
        errors.push(Diagnostic::error(&key.span, message).hint(crate::spelling::suggest(name, &steps)));
        return None;
    }
    At::from_node(node, errors).map(StepFile::Event)
}

impl FromNode for CorsFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        match node.kind {
            Kind::Map(_) => At::from_node(node, errors).map(|at| CorsFile::Rules(Box::new(at))),
            _ if node.scalar() == Some("off") => Some(CorsFile::Off),
            _ => {
                errors.push(
                    mismatch(node, "`off` or a mapping")
                        .hint("for example: { origins: [http://localhost:3000] }"),
                );
                None
            }
        }
    }
}

impl FromNode for PublishFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if matches!(node.kind, Kind::Map(_)) {
            return At::from_node(node, errors).map(PublishFile);
        }
        let topic = Some(Scalar::from_node(node, errors)?);
        let value = PublishRulesFile {
            topic,
            event: None,
            id: None,
            data: None,
        };
        Some(PublishFile(At {
            span: node.span.clone(),
            value,
        }))
    }
}

impl FromNode for FollowFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if matches!(node.kind, Kind::Map(_)) {
            return At::from_node(node, errors).map(FollowFile);
        }
        let topic = Some(Scalar::from_node(node, errors)?);
        let value = FollowRulesFile {
            topic,
            from: None,
            limit: None,
        };
        Some(FollowFile(At {
            span: node.span.clone(),
            value,
        }))
    }
}

impl FromNode for HeaderFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        OneOrMany::from_node(node, errors).map(|values| HeaderFile(values.0))
    }
}

/// Gives a type that may be written short or long both schemas.
macro_rules! short_or_long {
    ($type:ident, $generator:ident => $short:expr, $long:ty) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                let long = $generator.subschema_for::<$long>();
                let short = $short;
                json_schema!({ "anyOf": [short, long] })
            }
        }
    };
}

short_or_long!(CorsFile, generator => json_schema!({ "const": "off" }), CorsRulesFile);
short_or_long!(PublishFile, generator => generator.subschema_for::<Scalar>(), PublishRulesFile);
short_or_long!(FollowFile, generator => generator.subschema_for::<Scalar>(), FollowRulesFile);
short_or_long!(HeaderFile, generator => generator.subschema_for::<Scalar>(), Vec<Scalar>);
