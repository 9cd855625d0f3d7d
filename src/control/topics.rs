//! The topics of a session.

use serde::Serialize;

use super::Failure;
use super::event::EventWish;
use super::time::ms;
use crate::engine::Engine;
use crate::scenario::Scenario;
use crate::spelling::suggest;
use crate::text;
use crate::topic::{Message, TopicState};

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many streams follow it.
    pub clients: usize,
    /// How many messages there have been.
    pub count: u64,
    /// How many of them are kept.
    pub kept: usize,
    /// The id of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_id: Option<String>,
}

/// All topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Topics {
    /// By name.
    pub topics: Vec<Topic>,
}

/// A topic with what is kept of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct History {
    /// The topic.
    #[serde(flatten)]
    pub topic: Topic,
    /// What is kept, the oldest first.
    pub messages: Vec<Kept>,
}

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kept {
    /// Its number in the topic, from 1.
    pub number: u64,
    /// When it was published: milliseconds since the session began.
    pub at_ms: f64,
    /// The event's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The event's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// A message that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Published {
    /// The topic's name.
    pub topic: String,
    /// The message's number in the topic, from 1.
    pub number: u64,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many streams it reached.
    pub reached: usize,
}

/// A history that was cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cleared {
    /// How many messages were forgotten.
    pub cleared: usize,
}

fn shown(state: &TopicState) -> Topic {
    let last = state.last.as_ref().and_then(|last| last.event.id.as_ref());
    Topic {
        name: state.name.to_string(),
        clients: state.followers,
        count: state.count,
        kept: state.kept,
        last_id: last.map(|id| text::from_bytes(id)),
    }
}

fn kept(message: &Message) -> Kept {
    let event = &message.event;
    let said = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(|bytes| text::from_bytes(bytes));
    Kept {
        number: message.number,
        at_ms: ms(message.at),
        event: said(&event.event),
        id: said(&event.id),
        data: said(&event.data),
    }
}

/// A topic that nobody has used yet.
fn unused(name: &str) -> Topic {
    Topic {
        name: name.to_owned(),
        clients: 0,
        count: 0,
        kept: 0,
        last_id: None,
    }
}

/// The topics in use, and those declared under a name of their own.
pub fn list(engine: &Engine) -> Topics {
    let mut topics: Vec<Topic> = engine.session.topics.all().iter().map(shown).collect();
    let scenario = engine.catalog.current();
    let declared = scenario.topics.iter().filter(|spec| spec.name.names().is_empty());
    for spec in declared {
        let name = spec.name.source();
        if !topics.iter().any(|topic| topic.name == name) {
            topics.push(unused(name));
        }
    }
    topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Topics { topics }
}

/// A topic, and what is kept of it.
///
/// # Errors
///
/// There is none of this name.
pub fn history(engine: &Engine, name: &str) -> Result<History, Failure> {
    if let Some((state, messages)) = engine.session.topics.history(name) {
        let messages = messages.iter().map(|message| kept(message)).collect();
        return Ok(History {
            topic: shown(&state),
            messages,
        });
    }
    declared(&engine.catalog.current(), name)?;
    Ok(History {
        topic: unused(name),
        messages: Vec::new(),
    })
}

/// Publishes an event.
///
/// # Errors
///
/// The topic is not declared or cannot be used, or the event is none.
pub fn publish(engine: &Engine, name: &str, wish: EventWish) -> Result<Published, Failure> {
    let scenario = engine.catalog.current();
    declared(&scenario, name)?;
    let Some(spec) = scenario.topic(name) else {
        return Err(Failure::Missing(format!("there is no topic `{name}`")));
    };
    let counted = wish.is_counted();
    let event = wish.event()?;
    let topics = &engine.session.topics;
    let put = topics.put(name, &spec.rules, event, counted);
    let (message, reached) = put.map_err(|error| Failure::Conflict(error.to_string()))?;
    Ok(Published {
        topic: name.to_owned(),
        number: message.number,
        id: message.event.id.as_ref().map(|id| text::from_bytes(id)),
        reached,
    })
}

/// Forgets what is kept of a topic; its numbers go on.
///
/// # Errors
///
/// There is none of this name.
pub fn clear(engine: &Engine, name: &str) -> Result<Cleared, Failure> {
    if engine.session.topics.history(name).is_none() {
        declared(&engine.catalog.current(), name)?;
    }
    Ok(Cleared {
        cleared: engine.session.topics.clear(name),
    })
}

fn declared(scenario: &Scenario, name: &str) -> Result<(), Failure> {
    if scenario.topic(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = scenario.topics.iter().map(|spec| spec.name.source()).collect();
    Err(Failure::Missing(format!(
        "there is no topic `{}`: declare it under `topics` ({})",
        crate::name::short(name),
        suggest(name, &names)
    )))
}
