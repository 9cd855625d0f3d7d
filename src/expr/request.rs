//! `request` as expressions see it.

use std::sync::{Arc, Mutex, OnceLock};

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::{Enumerator, Object, Serde};
use serde_json::{Map, Value as Json};

use super::query::{BadParams, Params};
use super::scope::lock;
use crate::request::Request;
use crate::text;

/// What `request` has.
pub(super) const MEMBERS: &[&str] = &[
    "method", "path", "version", "peer", "query", "headers", "cookies", "body", "params", "json",
];

/// `request` in expressions; the costly members are made when asked for.
#[derive(Debug)]
pub(super) struct RequestValue {
    request: Arc<Request>,
    body: OnceLock<Value>,
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
            "path" => Value::from(text::from_bytes(request.path.as_bytes())),
            "version" => Value::from(request.version.as_str()),
            "peer" => Value::from(request.peer.to_string()),
            "body" => {
                let body = || Value::from(text::from_bytes(&request.body));
                self.body.get_or_init(body).clone()
            }
            "headers" => Value::from_object(Headers(request.clone())),
            "cookies" => Value::from(Serde(cookies(request))),
            "query" => self.cached(&self.query, || Params::query(request).map(of_map))?,
            "params" => self.cached(&self.params, || Params::merged(request).map(of_map))?,
            "json" => self.cached(&self.json, || Params::json(request).map(of_json))?,
            _ => return None,
        })
    }

    /// Without `params` and `json`, which not every body has.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&[
            "method", "path", "version", "peer", "query", "headers", "cookies", "body",
        ])
    }
}

fn of_map(map: Map<String, Json>) -> Value {
    Value::from(Serde(map))
}

fn of_json(json: Option<Json>) -> Value {
    json.map_or(Value::UNDEFINED, |json| Value::from(Serde(json)))
}

impl RequestValue {
    pub(super) fn new(request: Arc<Request>) -> RequestValue {
        let (query, params, json) = Default::default();
        RequestValue {
            request,
            body: OnceLock::new(),
            query,
            params,
            json,
            bad: Mutex::new(None),
        }
    }

    /// The request itself.
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Why the parameters could not be read, if they were asked for in vain.
    pub(super) fn bad(&self) -> Option<BadParams> {
        lock(&self.bad).clone()
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
