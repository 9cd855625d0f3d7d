//! A scenario that is valid by construction: what everything behind the loader works with.
//!
//! `answer` is what a request gets, `step` what a stream does, `topic` what is relayed.

mod answer;
mod cors;
mod expect;
mod step;
mod topic;

use std::ops::Deref;
use std::sync::Arc;

use minijinja::Value;

pub use answer::{
    Answer, Body, Choice, Compression, Effects, Entry, Fault, Files, Header, Heartbeat, Limits, Numbers,
    Script, Strike, Throttle, Wire,
};
pub use cors::{CorsPolicy, OriginRule};
pub use expect::{About, Asked, Count, Expectation, ExpectedBody, GapRule, Rate, Subject};
pub use step::{
    Action, Assignments, Awaited, Branches, Data, Disconnect, End, EventTemplate, Follow, ForEach, From, Id,
    Items, Pace, Publish, Raw, RawPiece, Repetition, Replay, Split, Step, Steps, TopicName, WaitFor,
};
pub use topic::{Gap, History, Selector, Slow, TopicRules, TopicSpec};

use super::pattern::{Index, Pattern};
use crate::expr::{Expr, Expressions};

/// Which methods an endpoint takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All.
    Any,
    /// These.
    Only(Vec<String>),
}

impl Methods {
    /// Whether a method is taken.
    pub fn take(&self, method: &str) -> bool {
        match self {
            Methods::Any => true,
            Methods::Only(list) => list.iter().any(|m| m == method),
        }
    }

    /// As shown to people: `GET`, `GET, POST`, `ANY`.
    pub fn describe(&self) -> String {
        match self {
            Methods::Any => "ANY".into(),
            Methods::Only(list) => list.join(", "),
        }
    }
}

/// A host an endpoint answers for, compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// The name, in lower case; of `*.example.com` the part from the dot on.
    pub name: String,
    /// Whether any subdomain of the name is meant.
    pub wildcard: bool,
    /// The port; `None`: any.
    pub port: Option<u16>,
}

impl HostRule {
    /// Whether it takes all that another rule takes.
    pub fn covers(&self, other: &HostRule) -> bool {
        let port = self.port.is_none() || self.port == other.port;
        let name = match self.wildcard {
            true => other.name.ends_with(&self.name),
            false => !other.wildcard && self.name == other.name,
        };
        port && name
    }

    /// Whether a `Host` header names it (RFC 9110 §7.2).
    pub fn matches(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, port) = match host.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((name, port)) => (name, port.parse().ok()),
            None => (host.as_str(), None),
        };
        let named = match self.wildcard {
            true => name.len() > self.name.len() && name.ends_with(&self.name),
            false => name == self.name,
        };
        named && (self.port.is_none() || self.port == port)
    }
}

/// An API whose model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its key in the language.
    pub key: &'static str,
    /// Query and body of a request that asks for a stream.
    pub sample: (&'static str, &'static str),
}

/// An endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// What it is known by.
    pub named: Arc<Named>,
    /// The paths; all capture the same names.
    pub paths: Vec<Pattern>,
    /// The methods.
    pub methods: Methods,
    /// The hosts; `None`: any.
    pub hosts: Option<Vec<HostRule>>,
    /// A condition.
    pub when: Option<Expr>,
    /// What counts as one client; `None`: the session.
    pub client: Option<Expr>,
    /// The answer, or the choice of answers.
    pub choice: Choice,
    /// The API whose model answers here, at least to some requests.
    pub preset: Option<Preset>,
    /// Cross-origin rules; `None`: no CORS headers.
    pub cors: Option<Arc<CorsPolicy>>,
}

/// What an endpoint is known by.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// Method, path and place among equals (`GET /sse#0`): what seeds and attempts are keyed by.
    pub key: String,
}

impl Named {
    /// The key for people: without the place among equals where it is the first (`GET /sse`, `GET /sse#1`).
    pub fn shown_key(&self) -> &str {
        self.key.strip_suffix("#0").unwrap_or(&self.key)
    }
}

impl Endpoint {
    /// Whether it may be asked for under this host; `None`: the request names none.
    pub fn serves_host(&self, host: Option<&str>) -> bool {
        match &self.hosts {
            None => true,
            Some(rules) => host.is_some_and(|host| rules.iter().any(|rule| rule.matches(host))),
        }
    }

    /// The paths as written, for people.
    pub fn path(&self) -> String {
        let paths: Vec<&str> = self.paths.iter().map(Pattern::source).collect();
        paths.join(", ")
    }
}

/// The endpoints of a scenario in matching order, read as a list, and by the paths they have.
#[derive(Debug, Default)]
pub struct Endpoints {
    list: Vec<Endpoint>,
    paths: Index,
}

impl Endpoints {
    /// In matching order.
    pub fn new(list: Vec<Endpoint>) -> Endpoints {
        let numbered = list.iter().enumerate();
        let paths = numbered.flat_map(|(number, endpoint)| endpoint.paths.iter().map(move |p| (number, p)));
        Endpoints {
            paths: Index::new(paths),
            list,
        }
    }

    /// Those that may have a path, in matching order: all that do are among them.
    pub fn near(&self, segments: &[String]) -> impl Iterator<Item = &Endpoint> + Clone + use<'_> {
        let numbers = self.near_numbers(segments);
        numbers.into_iter().map(|number| &self.list[number])
    }

    /// The same, by their numbers.
    pub fn near_numbers(&self, segments: &[String]) -> Vec<usize> {
        self.paths.candidates(segments)
    }
}

impl Deref for Endpoints {
    type Target = [Endpoint];

    fn deref(&self) -> &[Endpoint] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Endpoints {
    type Item = &'a Endpoint;
    type IntoIter = std::slice::Iter<'a, Endpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// A whole scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its seed, if it sets one.
    pub seed: Option<u64>,
    /// The time of day at which sessions begin, in milliseconds since 1970, if it sets one.
    pub now: Option<u64>,
    /// Its constants.
    pub vars: Value,
    /// Its topics.
    pub topics: Vec<TopicSpec>,
    /// Its endpoints, in matching order.
    pub endpoints: Endpoints,
    /// What its client should do.
    pub expect: Vec<Expectation>,
    /// Cross-origin rules for answers that no endpoint gives.
    pub cors: Option<Arc<CorsPolicy>>,
    /// Its compiled templates.
    pub expressions: Expressions,
}

impl Scenario {
    /// The declaration of a topic.
    pub fn topic(&self, name: &str) -> Option<&TopicSpec> {
        self.topics.iter().find(|t| t.name.matches(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_case_and_by_port_if_one_is_given() {
        let rule = |name: &str, wildcard, port| HostRule {
            name: name.into(),
            wildcard,
            port,
        };
        for (rule, host, expected) in [
            (rule("a.test", false, None), "A.test:8080", true),
            (rule("a.test", false, Some(80)), "a.test:8080", false),
            (rule("a.test", false, Some(80)), "a.test", false),
            (rule(".a.test", true, None), "www.a.test", true),
            (rule(".a.test", true, None), "a.test", false),
            (rule("[::1]", false, Some(1)), "[::1]:1", true),
            (rule("[::1]", false, None), "[::1]", true),
        ] {
            assert_eq!(rule.matches(host), expected, "{rule:?} {host}");
        }
    }
}
