//! A scenario as it is understood: what is inherited resolved, defaults applied, scripts run out.
//!
//! `answers` and `steps` turn the model into JSON with the words of the language; `text` makes lines
//! of it, so that people and machines are told the same.

mod answers;
mod steps;
mod text;

use serde_json::{Map, Value as Json, json};

use super::model::{CorsPolicy, Endpoint, Gap, OriginRule, Pace, Scenario, Slow, TopicSpec};
use super::{duration, time_of_day};
use crate::expr::{Text, Tree};

pub use text::to_text;

/// What a scenario does, with the endpoints in matching order; with a path only those that have it.
/// `None`: no endpoint has it.
pub fn explain(scenario: &Scenario, path: Option<&str>) -> Option<Json> {
    let chosen = |endpoint: &&Endpoint| path.is_none_or(|path| has_path(endpoint, path));
    let endpoints: Vec<Json> = scenario.endpoints.iter().filter(chosen).map(endpoint).collect();
    if path.is_some() && endpoints.is_empty() {
        return None;
    }
    let mut all = Map::new();
    put(&mut all, "name", scenario.name.as_deref());
    put(&mut all, "seed", scenario.seed);
    put(&mut all, "now", scenario.now.map(time_of_day::format));
    if !scenario.topics.is_empty() {
        let topics: Vec<Json> = scenario.topics.iter().map(topic).collect();
        all.insert("topics".into(), topics.into());
    }
    all.insert("endpoints".into(), endpoints.into());
    Some(all.into())
}

/// By a path as written, or by one that a request could have.
fn has_path(endpoint: &Endpoint, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let parts: Option<Vec<String>> = path
        .split('/')
        .map(|p| crate::text::percent_decode(p, false))
        .collect();
    let fits = |p: &super::pattern::Pattern| {
        p.source() == path
            || parts
                .as_ref()
                .is_some_and(|parts| p.matches_segments(parts).is_some())
    };
    endpoint.paths.iter().any(fits)
}

/// Adds a key that has a value.
fn put(map: &mut Map<String, Json>, key: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

fn endpoint(endpoint: &Endpoint) -> Json {
    let mut map = Map::new();
    map.insert(
        "endpoint".into(),
        format!("{} {}", endpoint.methods.describe(), endpoint.path()).into(),
    );
    put(&mut map, "name", endpoint.named.name.as_deref());
    map.insert("key".into(), endpoint.named.key.clone().into());
    let hosts = endpoint.hosts.as_ref().map(|hosts| {
        let host = |h: &super::model::HostRule| {
            let star = if h.wildcard { "*" } else { "" };
            let port = h.port.map_or(String::new(), |port| format!(":{port}"));
            format!("{star}{}{port}", h.name)
        };
        hosts.iter().map(host).collect::<Vec<String>>()
    });
    put(&mut map, "host", hosts);
    put(&mut map, "when", endpoint.when.as_ref().map(|e| e.source()));
    put(&mut map, "client", endpoint.client.as_ref().map(|e| e.source()));
    map.insert("cors".into(), endpoint.cors.as_deref().map_or("off".into(), cors));
    answers::choice(&mut map, &endpoint.choice);
    map.into()
}

fn cors(policy: &CorsPolicy) -> Json {
    let origin = |rule: &OriginRule| match rule {
        OriginRule::Any => "*".to_owned(),
        OriginRule::Pattern { prefix, suffix } => match suffix {
            Some(suffix) => format!("{prefix}*{suffix}"),
            None => prefix.clone(),
        },
    };
    let origins: Vec<String> = policy.origins.iter().map(origin).collect();
    json!({
        "origins": origins,
        "credentials": policy.credentials,
        "expose": policy.expose,
        "max_age": duration::format(policy.max_age),
    })
}

fn topic(topic: &TopicSpec) -> Json {
    let rules = &topic.rules;
    let mut map = Map::new();
    map.insert("topic".into(), topic.name.source().into());
    map.insert("history".into(), rules.history.count.into());
    put(&mut map, "age", rules.history.age.map(duration::format));
    put(&mut map, "bytes", rules.history.bytes);
    let gap = match rules.gap {
        Gap::Replay => "replay",
        Gap::Live => "live",
        Gap::Error => "error",
    };
    let slow = match rules.slow {
        Slow::Disconnect => "disconnect",
        Slow::DropOldest => "drop_oldest",
    };
    map.insert("gap".into(), gap.into());
    map.insert("slow".into(), slow.into());
    map.insert("queue".into(), rules.queue.unwrap_or(1024).into());
    put(
        &mut map,
        "feed",
        topic.feed.as_ref().map(|feed| steps::steps(feed)),
    );
    map.into()
}

/// Text as written.
fn source(text: &Text) -> String {
    match text {
        Text::Fixed(text) => text.to_string(),
        Text::Template(expr) | Text::Value(expr) => expr.source().to_owned(),
    }
}

/// A tree as written.
fn tree(tree: &Tree) -> Json {
    match tree {
        Tree::Fixed(json) => json.clone(),
        Tree::Text(text) => source(text).into(),
        Tree::List(items) => items.iter().map(self::tree).collect(),
        Tree::Map(entries) => {
            let entry = |(key, value): &(Text, Tree)| (source(key), self::tree(value));
            Json::Object(entries.iter().map(entry).collect())
        }
    }
}

/// A delay as it would be written.
fn pace(pace: &Pace) -> String {
    match pace {
        Pace::Range { low, high } if low == high => duration::format(*low),
        Pace::Range { low, high } => format!("{}..{}", duration::format(*low), duration::format(*high)),
        Pace::Template(text) => source(text),
    }
}
