//! Endpoints: which requests they take.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Compiler;
use super::choice::Outline;
use super::layers::Layers;
use super::place::{FileScope, Place, Room};
use crate::scenario::decode::{At, OneOrMany};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::file::{EndpointFile, EntryFile};
use crate::scenario::model::{Endpoint, HostRule, Methods, Named};
use crate::scenario::pattern::Pattern;
use crate::scenario::preset::Expansion;

/// What an endpoint is called: known before anything in it is compiled, so that steps can name it.
#[derive(Default, Clone)]
pub(super) struct Address {
    pub key: String,
    /// What the scenario calls it, and where.
    pub name: Option<At<String>>,
    paths: Vec<Pattern>,
    methods: Option<Methods>,
}

impl Address {
    /// By one of its paths, with or without a method.
    pub fn is_named(&self, name: &str) -> bool {
        let (method, path) = match name.split_once(' ') {
            Some((method, path)) => (Some(method), path.trim()),
            None => (None, name),
        };
        let takes = |method| self.methods.as_ref().is_some_and(|m| m.take(method));
        self.paths.iter().any(|p| p.source() == path) && method.is_none_or(takes)
    }

    /// Whether it may get such a request; HEAD is what GET answers.
    pub fn may_get(&self, asked: &Methods, path: &Pattern) -> bool {
        let takes = |method: &String| match &self.methods {
            None => false,
            Some(own) => own.take(method) || (method == "HEAD" && own.take("GET")),
        };
        let methods = match asked {
            Methods::Any => true,
            Methods::Only(list) => list.iter().any(takes),
        };
        methods && self.paths.iter().any(|own| own.overlaps(path))
    }

    /// Its paths, with each of its methods if asked for.
    pub fn names(&self, with_method: bool) -> Vec<String> {
        let paths = self.paths.iter().map(|p| p.source());
        match (&self.methods, with_method) {
            (Some(Methods::Only(list)), true) => {
                let each = |path: &str| list.iter().map(|m| format!("{m} {path}")).collect::<Vec<_>>();
                paths.flat_map(each).collect()
            }
            _ => paths.map(str::to_owned).collect(),
        }
    }
}

impl Compiler<'_> {
    /// Reads an endpoint's paths and methods; `equals` counts those with the same before it.
    pub(super) fn address(
        &mut self,
        file: &At<EndpointFile>,
        equals: &mut HashMap<String, usize>,
    ) -> Address {
        let paths = self.paths(file);
        let methods = self.methods(&file.value, &file.span);
        let name = file.value.name.as_ref().and_then(|name| self.endpoint_name(name));
        let (Some(paths), Some(methods)) = (paths, methods) else {
            return Address {
                name,
                ..Address::default()
            };
        };
        let key = key(&methods, &paths, equals);
        Address {
            key,
            name,
            paths,
            methods: Some(methods),
        }
    }

    /// One endpoint, the `number`th of the scenario, and where it stands.
    pub(super) fn endpoint(
        &mut self,
        file: &At<EndpointFile>,
        number: usize,
        scope: &Rc<FileScope>,
    ) -> Option<(Span, Endpoint)> {
        let value = &file.value;
        let Address {
            key,
            name,
            paths,
            methods,
        } = self.endpoints[number].clone();
        let names = paths.first().map(Pattern::names).unwrap_or_default();
        let place = Place::new(scope, names, Room::Stream);
        let layers = Layers::default().with(&value.answer);
        let when = value.when.as_ref().and_then(|w| self.when(w, &place, &layers));
        let client = value.client.as_ref();
        let client =
            client.and_then(|c| self.without_attempt(|this| this.expression(c, "client", &place.names)));
        let at = path_span(file).clone();
        let outline = Outline {
            what: "this endpoint",
            at: &at,
            attempts: value.attempts.as_ref(),
            cases: value.cases.as_ref(),
            own: &value.answer,
        };
        let choice = self.choice(&outline, &Layers::default(), &paths, &place, &[]);
        let cors = match &value.cors {
            Some(cors) => self.cors(cors),
            None => scope.cors.clone(),
        };
        let hosts = value.host.as_ref().map(|list| self.hosts(&list.0));
        let endpoint = Endpoint {
            named: Arc::new(Named {
                name: name.map(|name| name.value),
                key,
            }),
            paths,
            methods: methods?,
            hosts,
            when,
            client,
            choice: choice?,
            preset: presets(value).first().map(|preset| preset.api),
            cors,
        };
        Some((at, endpoint))
    }

    fn paths(&mut self, file: &At<EndpointFile>) -> Option<Vec<Pattern>> {
        let own = file.value.path.as_ref();
        if own.is_none() {
            self.check_one_api(&file.value);
        }
        let usual = own.is_none().then(|| usual_paths(file)).flatten();
        let Some(list) = own.or(usual.as_ref()).filter(|list| !list.0.is_empty()) else {
            self.error_hint(&file.span, "this endpoint has no `path`", "add `path: /sse`");
            return None;
        };
        let paths: Vec<Option<Pattern>> = list.0.iter().map(|path| self.path(path)).collect();
        let paths: Vec<Pattern> = paths.into_iter().collect::<Option<_>>()?;
        self.warn_of_repeated("path", &list.0);
        let sorted = |pattern: &Pattern| {
            let mut names = pattern.names();
            names.sort();
            names
        };
        let first = sorted(paths.first()?);
        let odd = paths.iter().position(|path| sorted(path) != first);
        if let Some(odd) = odd {
            let captures = |path: &Pattern| match path.names().as_slice() {
                [] => "nothing".to_owned(),
                names => names.join(", "),
            };
            let message = format!(
                "the paths of an endpoint capture the same names, but `{}` captures {} and `{}` captures {}",
                paths[0].source(),
                captures(&paths[0]),
                paths[odd].source(),
                captures(&paths[odd]),
            );
            self.error_hint(&list.0[odd].span, message, "make two endpoints of it");
            return None;
        }
        Some(paths)
    }

    /// Without a path of its own an endpoint has those of one API.
    fn check_one_api(&mut self, file: &EndpointFile) {
        let all = presets(file);
        let first = all.first().map(|preset| preset.api);
        if let Some(other) = all.iter().find(|preset| Some(preset.api) != first) {
            let message = "this endpoint answers as two APIs do, and has no `path`";
            self.error_hint(
                &other.span,
                message,
                "make an endpoint for each, or give it a `path`",
            );
        }
    }

    /// One path of an endpoint, or of requests that are expected.
    pub(super) fn path(&mut self, path: &At<String>) -> Option<Pattern> {
        let (text, span) = (&path.value, &path.span);
        if !text.starts_with('/') {
            let message = format!("the path `{text}` does not begin with `/`");
            self.error_hint(span, message, format!("write /{text}"));
            return None;
        }
        if text.contains(['?', '#', ' ']) {
            let hint = "a path has no query, fragment or space: use `when: request.query.x == \"1\"`, %20";
            self.error_hint(span, format!("the path `{text}` can never match"), hint);
            return None;
        }
        if text == "/__mock" || text.starts_with("/__mock/") || text.starts_with("/~") {
            self.error(
                span,
                "paths that begin with /__mock/ or /~ belong to the server itself",
            );
            return None;
        }
        match Pattern::parse_path(text) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.error(span, message);
                None
            }
        }
    }

    fn methods(&mut self, file: &EndpointFile, span: &Span) -> Option<Methods> {
        let Some(methods) = &file.method else {
            if !presets(file).is_empty() {
                return Some(Methods::Only(vec!["POST".into()]));
            }
            return Some(Methods::Only(vec!["GET".into()]));
        };
        if methods.0.iter().any(|m| m.value == "ANY") {
            return Some(Methods::Any);
        }
        self.warn_of_repeated("method", &methods.0);
        let mut list = Vec::new();
        for method in &methods.0 {
            if let Err(hint) = check_method(&method.value) {
                self.error_hint(&method.span, format!("`{}` is no method", method.value), hint);
                return None;
            }
            list.push(method.value.clone());
        }
        if list.is_empty() {
            self.error(span, "this endpoint takes no method at all");
            return None;
        }
        Some(Methods::Only(list))
    }

    fn hosts(&mut self, list: &[At<String>]) -> Vec<HostRule> {
        let mut rules = Vec::new();
        for host in list {
            match host_rule(&host.value) {
                Ok(rule) => rules.push(rule),
                Err((message, hint)) => self
                    .errors
                    .push(Diagnostic::error(&host.span, message).hint(hint)),
            }
        }
        rules
    }
}

/// A host as its header names it (RFC 9110 §7.2): a name or an address, perhaps a port.
fn host_rule(text: &str) -> Result<HostRule, (String, String)> {
    let lower = text.to_lowercase();
    let wrong = |hint: &str| Err((format!("`{text}` is no host"), hint.to_owned()));
    if let Some((_, rest)) = lower.split_once("://") {
        let host = rest.split('/').next().unwrap_or(rest);
        return wrong(&format!("a host has no scheme and no path: write {host}"));
    }
    let (name, port) = match lower.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        None => (lower.as_str(), None),
        Some((name, port)) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => return wrong("a port is a number up to 65535"),
        },
    };
    let (name, wildcard) = match name.strip_prefix('*') {
        Some(rest) if rest.starts_with('.') => (rest, true),
        _ => (name, false),
    };
    let letter = |c: char| c.is_alphanumeric() || "-._[]:".contains(c);
    if name.trim_matches('.').is_empty() || !name.chars().all(letter) {
        return wrong("write for example a.example.com, *.example.com or localhost:8080");
    }
    Ok(HostRule {
        name: name.to_owned(),
        wildcard,
        port,
    })
}

/// The number of equal endpoints before keeps keys apart and stable when others are added.
fn key(methods: &Methods, paths: &[Pattern], equals: &mut HashMap<String, usize>) -> String {
    let paths: Vec<&str> = paths.iter().map(Pattern::source).collect();
    let name = format!("{} {}", methods.describe(), paths.join(", "));
    let count = equals.entry(name.clone()).or_insert(0);
    *count += 1;
    format!("{name}#{}", *count - 1)
}

/// What to write instead of what is no method.
pub(super) fn check_method(method: &str) -> Result<(), String> {
    if http::Method::from_bytes(method.as_bytes()).is_err() {
        return Err("use one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or ANY".into());
    }
    let upper = method.to_uppercase();
    if upper != method {
        return Err(format!("methods are case-sensitive: write {upper}"));
    }
    Ok(())
}

/// The presets that an endpoint answers with, itself or in entries.
fn presets(file: &EndpointFile) -> Vec<&Expansion> {
    let mut all: Vec<&Expansion> = file.answer.preset().into_iter().collect();
    add_presets(&mut all, &file.attempts);
    add_presets(&mut all, &file.cases);
    all
}

fn add_presets<'a>(all: &mut Vec<&'a Expansion>, entries: &'a Option<Vec<At<EntryFile>>>) {
    for At { value, .. } in entries.iter().flatten() {
        all.extend(value.answer.preset());
        add_presets(all, &value.attempts);
        add_presets(all, &value.cases);
    }
}

/// The paths of the API whose preset an endpoint answers with.
fn usual_paths(file: &At<EndpointFile>) -> Option<OneOrMany<At<String>>> {
    let preset = *presets(&file.value).first()?;
    let at = |path: &&str| At {
        span: preset.span.clone(),
        value: (*path).to_owned(),
    };
    Some(OneOrMany(preset.paths.iter().map(at).collect()))
}

/// The span of an endpoint's path, or of the endpoint.
fn path_span(endpoint: &At<EndpointFile>) -> &Span {
    let path = endpoint.value.path.as_ref().and_then(|list| list.0.first());
    path.map_or(&endpoint.span, |p| &p.span)
}

#[cfg(test)]
mod tests {
    use super::host_rule;

    #[test]
    fn hosts_have_a_name_and_perhaps_a_port() {
        for (text, expected) in [
            ("A.test", Some(("a.test", false, None))),
            ("*.a.test:80", Some((".a.test", true, Some(80)))),
            ("[::1]", Some(("[::1]", false, None))),
            ("[::1]:1", Some(("[::1]", false, Some(1)))),
            ("http://a.test", None),
            ("a*.test", None),
            ("a.test:x", None),
            ("*.", None),
            ("", None),
        ] {
            let rule = host_rule(text).ok();
            let read = rule.as_ref().map(|r| (r.name.as_str(), r.wildcard, r.port));
            assert_eq!(read, expected, "{text}");
        }
    }
}
