//! What expressions see: the request, captured and `let` names, the moment, the topics.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::{Enumerator, Object, Serde};
use serde_json::{Map, Value as Json};

use super::query::{BadParams, Params};
use crate::random::Draw;
use crate::request::Request;
use crate::text;

/// Names no expression can write (they hold a space): how functions reach the stream's own things.
pub(super) const DRAWS: &str = "the draws";
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

/// Everything that stays the same for all of one request's renderings.
#[derive(Clone)]
pub struct RequestScope {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    request: Arc<RequestValue>,
    vars: Value,
    attempt: u64,
    last_event_id: String,
    base: String,
    names: Mutex<IndexMap<String, Value>>,
    draws: Arc<Draws>,
    topics: Arc<Topics>,
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
                base: request.origin(),
                request: Arc::new(RequestValue::new(request)),
                vars,
                attempt,
                last_event_id,
                names: Mutex::new(names),
                draws: Arc::new(Draws(Mutex::new(draw))),
                topics: Arc::new(Topics(topics)),
            }),
        }
    }

    /// Gives a `let` name its value.
    pub fn bind(&self, name: &str, value: Value) {
        lock(&self.inner.names).insert(name.to_owned(), value);
    }

    /// The request's own id to resume from; empty if absent.
    pub fn last_event_id(&self) -> &str {
        &self.inner.last_event_id
    }

    /// The draws for data.
    pub fn draws(&self) -> MutexGuard<'_, Draw> {
        self.inner.draws.lock()
    }

    /// Why the request's parameters could not be read, if an expression asked for them in vain.
    pub fn bad_params(&self) -> Option<BadParams> {
        lock(&self.inner.request.bad).clone()
    }

    /// Query and body merged.
    pub fn params(&self) -> Result<Map<String, Json>, BadParams> {
        Params::merged(&self.inner.request.request)
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
        let inner = &self.inner;
        // The scenario's own names come first: a capture may be called `now`.
        if let Some(value) = lock(&inner.names).get(key) {
            return Some(value.clone());
        }
        Some(match key {
            "request" => Value::from_dyn_object(inner.request.clone()),
            "vars" => inner.vars.clone(),
            "attempt" => Value::from(inner.attempt),
            "last_event_id" => Value::from(inner.last_event_id.as_str()),
            "base" => Value::from(inner.base.as_str()),
            "seq" => Value::from(self.moment.seq),
            "elapsed" => Value::from(self.moment.elapsed_ms),
            "now" => Value::from(self.moment.now_ms),
            DRAWS => Value::from_dyn_object(inner.draws.clone()),
            TOPICS => Value::from_dyn_object(inner.topics.clone()),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// The stream's sequence for data, reachable from functions.
#[derive(Debug)]
pub(super) struct Draws(Mutex<Draw>);

impl Draws {
    pub(super) fn lock(&self) -> MutexGuard<'_, Draw> {
        lock(&self.0)
    }
}

impl Object for Draws {}

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

/// `request` in expressions; the costly members are made when asked for.
#[derive(Debug)]
struct RequestValue {
    request: Arc<Request>,
    query: OnceLock<Option<Value>>,
    params: OnceLock<Option<Value>>,
    json: OnceLock<Option<Value>>,
    bad: Mutex<Option<BadParams>>,
}

impl Object for RequestValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let request = &self.request;
        Some(match key.as_str()? {
            "method" => Value::from(request.method.as_str()),
            "path" => Value::from(request.path.as_str()),
            "version" => Value::from(request.version.as_str()),
            "peer" => Value::from(request.peer.to_string()),
            "body" => Value::from(text::from_bytes(&request.body)),
            "headers" => Value::from_object(Headers(request.clone())),
            "cookies" => Value::from(Serde(cookies(request))),
            "query" => self.cached(&self.query, || Params::query(request).map(of_map))?,
            "params" => self.cached(&self.params, || Params::merged(request).map(of_map))?,
            "json" => self.cached(&self.json, || Params::json(request).map(of_json))?,
            _ => return None,
        })
    }
}

fn of_map(map: Map<String, Json>) -> Value {
    Value::from(Serde(map))
}

fn of_json(json: Option<Json>) -> Value {
    json.map_or(Value::UNDEFINED, |json| Value::from(Serde(json)))
}

impl RequestValue {
    fn new(request: Arc<Request>) -> RequestValue {
        let (query, params, json) = Default::default();
        RequestValue {
            request,
            query,
            params,
            json,
            bad: Mutex::new(None),
        }
    }

    /// Parsed once, when first asked for. A missing value where the parameters are broken; the
    /// reason is kept for the answer.
    fn cached(
        &self,
        cell: &OnceLock<Option<Value>>,
        parse: impl FnOnce() -> Result<Value, BadParams>,
    ) -> Option<Value> {
        let value = cell.get_or_init(|| parse().map_err(|bad| *lock(&self.bad) = Some(bad)).ok());
        value.clone()
    }
}

/// Header fields by name in any case, `_` for `-`; several of one name joined (RFC 9110 §5.3).
#[derive(Debug)]
struct Headers(Arc<Request>);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?.to_ascii_lowercase();
        self.0
            .header_text(&name)
            .or_else(|| self.0.header_text(&name.replace('_', "-")))
            .map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names: indexmap::IndexSet<&str> = self.0.headers.iter().map(|(n, _)| n.as_str()).collect();
        Enumerator::Values(names.into_iter().map(Value::from).collect())
    }
}

/// Cookies by name (RFC 6265 §5.4); the first of several of one name.
fn cookies(request: &Request) -> IndexMap<String, String> {
    let mut cookies = IndexMap::new();
    for (name, value) in request.headers.iter() {
        if name == "cookie" {
            for pair in text::from_bytes(value).split(';') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                cookies
                    .entry(name.trim().to_owned())
                    .or_insert_with(|| value.trim().to_owned());
            }
        }
    }
    cookies
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
