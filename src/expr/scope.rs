//! What expressions see: the request, captured and `let` names, the moment, the topics.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use serde_json::{Map, Value as Json};

use super::query::{BadParams, Params};
use super::request::RequestValue;
use super::state::{State, StateView};
use crate::random::Draw;
use crate::request::Request;
use crate::text;

/// Names no expression can write (they hold a space): how functions reach the stream's own things.
pub(super) const STREAM: &str = "the stream";
pub(super) const TOPICS: &str = "the topics";

/// What changes from one rendering to the next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// The event's number in its stream, from 1.
    pub seq: u64,
    /// Milliseconds since the stream began, by its schedule.
    pub elapsed_ms: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: u64,
}

/// What expressions may ask of a topic.
pub trait TopicView: Send + Sync {
    /// Streams that follow it now.
    fn clients(&self, topic: &str) -> u64;
    /// Messages published to it so far.
    fn count(&self, topic: &str) -> u64;
    /// The data of the last message.
    fn last(&self, topic: &str) -> Option<String>;
}

/// Topics that nobody follows and nothing was ever published to.
pub struct NoTopics;

impl TopicView for NoTopics {
    fn clients(&self, _: &str) -> u64 {
        0
    }

    fn count(&self, _: &str) -> u64 {
        0
    }

    fn last(&self, _: &str) -> Option<String> {
        None
    }
}

/// Everything that stays the same for all of one request's renderings, of which there is one at a time.
#[derive(Clone)]
pub struct RequestScope {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    names: Mutex<IndexMap<String, Value>>,
    draws: Mutex<Draw>,
    /// Steps that renderings have taken, unless they count elsewhere.
    spent: AtomicU64,
    /// Where a branch's steps count.
    trunk: Option<Arc<Inner>>,
    request: Arc<RequestValue>,
    vars: Value,
    attempt: u64,
    last_event_id: String,
    base: String,
    topics: Arc<Topics>,
    state: Arc<State>,
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScope")
            .field("attempt", &self.inner.attempt)
            .finish_non_exhaustive()
    }
}

impl RequestScope {
    /// The scope of one request; `draw` is its sequence for data.
    pub fn new(
        request: Arc<Request>,
        vars: Value,
        attempt: u64,
        captures: Vec<(String, String)>,
        draw: Draw,
        topics: Arc<dyn TopicView>,
        state: Arc<dyn StateView>,
    ) -> RequestScope {
        let last_event_id = request
            .header("last-event-id")
            .map(|v| text::from_bytes(v))
            .unwrap_or_default();
        let names = captures
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect();
        RequestScope {
            inner: Arc::new(Inner {
                base: request.base(),
                request: Arc::new(RequestValue::new(request)),
                vars,
                attempt,
                last_event_id,
                names: Mutex::new(names),
                draws: Mutex::new(draw),
                spent: AtomicU64::default(),
                trunk: None,
                topics: Arc::new(Topics(topics)),
                state: Arc::new(State(state)),
            }),
        }
    }

    /// A branch with its own copy of the names, and with draws of its own that depend on the
    /// parent's and the index. The parent's draws do not move on.
    pub fn fork(&self, index: u64) -> RequestScope {
        let draw = self.draws().fork(index);
        let trunk = self.inner.trunk.as_ref().unwrap_or(&self.inner);
        self.with_draws(draw, Some(trunk.clone()))
    }

    /// A copy of the names and draws as they are now, that shares neither: for looking ahead.
    pub fn copy(&self) -> RequestScope {
        let draw = self.draws().clone();
        self.with_draws(draw, None)
    }

    fn with_draws(&self, draw: Draw, trunk: Option<Arc<Inner>>) -> RequestScope {
        let inner = &self.inner;
        RequestScope {
            inner: Arc::new(Inner {
                request: inner.request.clone(),
                vars: inner.vars.clone(),
                attempt: inner.attempt,
                last_event_id: inner.last_event_id.clone(),
                base: inner.base.clone(),
                names: Mutex::new(lock(&inner.names).clone()),
                draws: Mutex::new(draw),
                spent: AtomicU64::default(),
                trunk,
                topics: inner.topics.clone(),
                state: inner.state.clone(),
            }),
        }
    }

    /// Gives a `let` name its value; answers with the one it had.
    pub fn bind(&self, name: &str, value: Value) -> Option<Value> {
        lock(&self.inner.names).insert(name.to_owned(), value)
    }

    /// Steps that renderings have taken so far, all branches together; a copy begins at 0.
    pub fn spent(&self) -> u64 {
        self.account().load(Ordering::Relaxed)
    }

    pub(super) fn spend(&self, steps: u64) {
        self.account().fetch_add(steps, Ordering::Relaxed);
    }

    fn account(&self) -> &AtomicU64 {
        &self.inner.trunk.as_ref().unwrap_or(&self.inner).spent
    }

    /// The request's own id to resume from; empty if absent.
    pub fn last_event_id(&self) -> &str {
        &self.inner.last_event_id
    }

    /// The draws for data.
    pub fn draws(&self) -> MutexGuard<'_, Draw> {
        self.inner.draws()
    }

    /// Why the request's parameters could not be read, if an expression asked for them in vain.
    pub fn bad_params(&self) -> Option<BadParams> {
        self.inner.request.bad()
    }

    /// Query and body merged.
    pub fn params(&self) -> Result<Map<String, Json>, BadParams> {
        Params::merged(self.inner.request.request())
    }

    /// What a name stands for; `None` for none, or a function's.
    pub(super) fn named(&self, name: &str, moment: Moment) -> Option<Value> {
        self.inner.named(name, moment)
    }

    /// Whether a name of the scenario's own stands before a function's.
    pub(super) fn hides(&self, function: &str) -> bool {
        lock(&self.inner.names).contains_key(function)
    }

    /// The context for one rendering.
    pub(super) fn at(&self, moment: Moment) -> Value {
        Value::from_object(View {
            inner: self.inner.clone(),
            moment,
        })
    }
}

#[derive(Debug)]
struct View {
    inner: Arc<Inner>,
    moment: Moment,
}

impl Object for View {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            STREAM => Some(Value::from_dyn_object(self.inner.clone())),
            TOPICS => Some(Value::from_dyn_object(self.inner.topics.clone())),
            name => self.inner.named(name, self.moment),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// The stream's own things, reachable from functions.
impl Object for Inner {}

impl Inner {
    /// What a name stands for. The scenario's own names come first: a capture may be called `now`.
    fn named(&self, name: &str, moment: Moment) -> Option<Value> {
        if let Some(value) = lock(&self.names).get(name) {
            return Some(value.clone());
        }
        Some(match name {
            "request" => Value::from_dyn_object(self.request.clone()),
            "vars" => self.vars.clone(),
            "attempt" => Value::from(self.attempt),
            "last_event_id" => Value::from(self.last_event_id.as_str()),
            "base" => Value::from(self.base.as_str()),
            "seq" => Value::from(moment.seq),
            "elapsed" => Value::from(moment.elapsed_ms),
            "now" => Value::from(moment.now_ms),
            "state" => Value::from_dyn_object(self.state.clone()),
            _ => return None,
        })
    }

    /// The draws for data.
    pub(super) fn draws(&self) -> MutexGuard<'_, Draw> {
        lock(&self.draws)
    }
}

/// The session's topics, reachable from functions.
pub(super) struct Topics(Arc<dyn TopicView>);

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Topics")
    }
}

impl Object for Topics {}

impl Topics {
    pub(super) fn describe(&self, topic: &str) -> Value {
        Value::from_pairs([
            ("clients", Value::from(self.0.clients(topic))),
            ("count", Value::from(self.0.count(topic))),
            ("last", self.0.last(topic).map_or(Value::from(()), Value::from)),
        ])
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
