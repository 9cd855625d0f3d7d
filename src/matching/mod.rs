//! Scenario + request → the endpoint that answers, or why none does. Pure.

use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::{Endpoint, Methods};
use crate::scenario::pattern::Pattern;
use crate::spelling::nearest;
use crate::text;

/// What a path's patterns captured, percent-decoded, in text form.
pub type Captures = Vec<(String, String)>;

/// What became of a request.
#[derive(Debug)]
pub enum Match<'s, T> {
    /// This endpoint answers, with what was chosen of it.
    Found(&'s Endpoint, Captures, T),
    /// No endpoint does.
    Missed(Miss),
}

/// Why no endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// The path has a broken percent-escape.
    BadPath,
    /// The path is served, but not with this method; these it has.
    Method(Vec<String>),
    /// Path and method are served, but conditions did not hold; the endpoint that came nearest.
    Condition(String),
    /// The path is served, but for another host; by this endpoint.
    Host(String),
    /// No such path; the nearest endpoint, if one is near.
    Path(Option<String>),
}

/// The first endpoint in file order that takes the request. `choose` decides conditions: with none
/// of its answers the request goes on to the next endpoint.
pub fn find<'s, T, E>(
    scenario: &'s Scenario,
    method: &str,
    request: &Request,
    mut choose: impl FnMut(&'s Endpoint, &Captures) -> Result<Option<T>, E>,
) -> Result<Match<'s, T>, E> {
    let Some(segments) = segments(&request.path) else {
        return Ok(Match::Missed(Miss::BadPath));
    };
    let host = request.header_text("host");
    let mut allowed: Vec<String> = Vec::new();
    let mut refused = None;
    for endpoint in scenario.endpoints.near(&segments) {
        let Some(captures) = captures(endpoint, &segments, host.as_deref()) else {
            continue;
        };
        allow(&mut allowed, &endpoint.methods);
        if !endpoint.methods.take(method) {
            continue;
        }
        let captures: Captures = captures.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        if let Some(chosen) = choose(endpoint, &captures)? {
            return Ok(Match::Found(endpoint, captures, chosen));
        }
        refused.get_or_insert_with(|| describe(endpoint));
    }
    Ok(Match::Missed(match refused {
        Some(endpoint) => Miss::Condition(endpoint),
        None if allowed.is_empty() => match on_any_host(scenario, &segments) {
            Some(endpoint) => Miss::Host(describe(endpoint)),
            None => Miss::Path(nearest_endpoint(scenario, &request.path)),
        },
        None => Miss::Method(allowed),
    }))
}

/// The first endpoint with the path, whatever its host.
fn on_any_host<'s>(scenario: &'s Scenario, segments: &[String]) -> Option<&'s Endpoint> {
    let fits = |endpoint: &&Endpoint| {
        endpoint
            .paths
            .iter()
            .any(|p| p.matches_segments(segments).is_some())
    };
    scenario.endpoints.near(segments).find(fits)
}

/// What the first of an endpoint's paths that fits captures, if the host fits, too.
fn captures<'s>(
    endpoint: &'s Endpoint,
    segments: &[String],
    host: Option<&str>,
) -> Option<Vec<(&'s str, String)>> {
    let mut paths = endpoint.paths.iter();
    paths
        .find_map(|path| path.matches_segments(segments))
        .filter(|_| endpoint.serves_host(host))
}

/// The endpoints on a path, whatever their methods and conditions.
pub fn on_path<'s>(scenario: &'s Scenario, request: &Request) -> impl Iterator<Item = &'s Endpoint> + Clone {
    let segments = segments(&request.path);
    let host = request.header_text("host");
    let near = segments
        .as_ref()
        .map(|segments| scenario.endpoints.near(segments));
    near.into_iter().flatten().filter(move |endpoint| {
        segments
            .as_ref()
            .is_some_and(|segments| captures(endpoint, segments, host.as_deref()).is_some())
    })
}

/// The methods that a path is served with, for `Allow` and preflights; those of all endpoints for the
/// server as a whole, `*` (RFC 9110 §9.3.7).
pub fn methods(scenario: &Scenario, request: &Request) -> Vec<String> {
    let mut allowed = Vec::new();
    match request.path.as_str() {
        "*" => scenario
            .endpoints
            .iter()
            .for_each(|e| allow(&mut allowed, &e.methods)),
        _ => on_path(scenario, request).for_each(|e| allow(&mut allowed, &e.methods)),
    }
    allowed
}

/// An endpoint as people name it: `GET /sse`.
pub fn describe(endpoint: &Endpoint) -> String {
    format!("{} {}", endpoint.methods.describe(), endpoint.path())
}

/// Whether a pattern takes a path that is still percent-encoded.
pub fn takes(pattern: &Pattern, path: &str) -> bool {
    segments(path).is_some_and(|segments| pattern.matches_segments(&segments).is_some())
}

fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .map(|segment| text::percent_decode(segment, false))
        .collect()
}

fn allow(allowed: &mut Vec<String>, methods: &Methods) {
    let mut add = |method: &str| {
        if !allowed.iter().any(|m| m == method) {
            allowed.push(method.to_owned());
        }
    };
    match methods {
        Methods::Any => ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
            .into_iter()
            .for_each(add),
        Methods::Only(list) => {
            for method in list {
                add(method);
                if method == "GET" {
                    add("HEAD");
                }
            }
        }
    }
}

/// The endpoint that a path would have with a slash at its end, or without the one it has.
fn but_for_a_slash<'s>(scenario: &'s Scenario, path: &str) -> Option<&'s Endpoint> {
    let other = match path.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{path}/"),
    };
    on_any_host(scenario, &segments(&other)?)
}

fn nearest_endpoint(scenario: &Scenario, path: &str) -> Option<String> {
    if let Some(endpoint) = but_for_a_slash(scenario, path) {
        return Some(describe(endpoint));
    }
    let paths = scenario.endpoints.iter().flat_map(|endpoint| &endpoint.paths);
    let near = nearest(path, paths.map(Pattern::source))?;
    let has = |endpoint: &&Endpoint| endpoint.paths.iter().any(|p| p.source() == near);
    scenario.endpoints.iter().find(has).map(describe)
}
