//! File types → model, collecting every diagnostic on the way.

mod cors;
mod endpoint;
mod steps;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::{Map, Value as Json};

use super::decode::FromNode;
use super::diagnostic::{Diagnostic, Severity, Source, Span};
use super::file::{DefaultsFile, EndpointFile, ScenarioFile, TopicFile};
use super::model::{CorsPolicy, EventTemplate, Scenario, TopicSpec};
use super::pattern::Pattern;
use super::yaml;
use crate::expr::{Builder, Fault};

/// What is being compiled: one file after the other into one scenario.
struct Compiler {
    errors: Vec<Diagnostic>,
    expressions: Builder,
    topics: Vec<(Span, TopicSpec)>,
}

/// What holds for the file at hand.
#[derive(Default)]
struct FileScope {
    defaults: EventTemplate,
    cors: Option<Arc<CorsPolicy>>,
}

/// Compiles the files of one scenario. On failure all diagnostics, on success the warnings.
pub fn compile(sources: &[Arc<Source>]) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let files: Vec<ScenarioFile> = sources
        .iter()
        .filter_map(|source| read(source, &mut errors))
        .collect();
    let vars = vars(&files, &mut errors);
    let expressions = Builder::new(vars.keys().cloned().collect());
    let mut compiler = Compiler {
        errors,
        expressions,
        topics: Vec::new(),
    };
    for (name, topic) in files.iter().flat_map(|f| f.topics.iter().flat_map(|t| &t.0)) {
        compiler.topic(&name.span, &name.value, topic);
    }
    let mut endpoints = Vec::new();
    let mut equals = HashMap::new();
    let mut cors = None;
    for file in &files {
        let scope = compiler.file_scope(file);
        cors = cors.or_else(|| scope.cors.clone());
        for endpoint in file.endpoints.iter().flatten() {
            endpoints.extend(compiler.endpoint(endpoint, &scope, &mut equals));
        }
    }
    let name = single(&files, |f| f.name.as_ref(), "name", &mut compiler.errors);
    let seed = single(&files, |f| f.seed.as_ref(), "seed", &mut compiler.errors);
    compiler.finish(Scenario {
        name,
        seed,
        vars: Value::from(Serde(vars)),
        topics: Vec::new(),
        endpoints,
        cors,
        expressions: Builder::new(Vec::new()).finish(),
    })
}

fn read(source: &Arc<Source>, errors: &mut Vec<Diagnostic>) -> Option<ScenarioFile> {
    let node = yaml::parse(source).map_err(|error| errors.push(*error)).ok()?;
    if node.is_null() {
        let span = Span {
            source: source.clone(),
            range: 0..0,
        };
        let hint = "begin with\n\nendpoints:\n  - path: /sse\n    stream:\n      - data: hello";
        errors.push(Diagnostic::error(&span, "the file is empty: there is nothing to serve").hint(hint));
        return None;
    }
    let file = ScenarioFile::from_node(&node, errors)?;
    if file.endpoints.is_none() && node.get("endpoints").is_none() && node.get("topics").is_none() {
        let span = Span {
            source: source.clone(),
            range: node.span.range.start..node.span.range.start,
        };
        errors.push(Diagnostic::error(
            &span,
            "the file has no `endpoints`: there is nothing to serve",
        ));
    }
    Some(file)
}

fn vars(files: &[ScenarioFile], errors: &mut Vec<Diagnostic>) -> Map<String, Json> {
    let mut vars = Map::new();
    let mut places: Vec<(String, Span)> = Vec::new();
    for (name, value) in files.iter().flat_map(|f| f.vars.iter().flat_map(|v| &v.0)) {
        if let Err(message) = super::pattern::valid_name(&name.value) {
            errors.push(Diagnostic::error(&name.span, message));
        }
        if let Some((_, first)) = places.iter().find(|(n, _)| *n == name.value) {
            errors.push(clash(
                &name.span,
                first,
                &format!("the constant `{}`", name.value),
            ));
        }
        places.push((name.value.clone(), name.span.clone()));
        vars.insert(name.value.clone(), values::constant(&value.0));
    }
    vars
}

/// A key that only one of a scenario's files may have.
fn single<T: Clone>(
    files: &[ScenarioFile],
    get: impl Fn(&ScenarioFile) -> Option<&super::decode::At<T>>,
    what: &str,
    errors: &mut Vec<Diagnostic>,
) -> Option<T> {
    let mut all = files.iter().filter_map(get);
    let first = all.next()?;
    for other in all {
        errors.push(clash(&other.span, &first.span, &format!("`{what}`")));
    }
    Some(first.value.clone())
}

fn clash(here: &Span, first: &Span, what: &str) -> Diagnostic {
    Diagnostic::error(here, format!("{what} is set twice")).related(first, "first set here")
}

impl Compiler {
    fn error(&mut self, span: &Span, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(span, message));
    }

    /// A fault in an expression, with the caret at the word it is about.
    fn fault(&mut self, span: &Span, fault: Fault) {
        let span = span.narrow(&fault.word);
        self.errors
            .push(Diagnostic::error(&span, fault.message).maybe_hint(fault.hint));
    }

    fn topic(&mut self, span: &Span, name: &str, file: &TopicFile) {
        let pattern = match Pattern::parse(name) {
            Ok(pattern) => pattern,
            Err(message) => return self.error(span, message),
        };
        if let Some((first, _)) = self.topics.iter().find(|(_, t)| t.name.source() == name) {
            let error = clash(span, first, &format!("the topic `{name}`"));
            return self.errors.push(error);
        }
        const MOST: u64 = 1_000_000;
        let history = file.history.as_ref().map_or(0, |at| at.value);
        if history > MOST {
            let at = file.history.as_ref().map_or(span, |at| &at.span).clone();
            self.error(
                &at,
                format!("a history of {history} messages is too long: at most {MOST}"),
            );
        }
        self.topics.push((
            span.clone(),
            TopicSpec {
                name: pattern,
                history: history.min(MOST) as usize,
            },
        ));
    }

    fn file_scope(&mut self, file: &ScenarioFile) -> FileScope {
        let cors = file.cors.as_ref().and_then(|cors| self.cors(cors));
        let defaults = file
            .defaults
            .as_ref()
            .map(|d| self.defaults(d))
            .unwrap_or_default();
        FileScope { defaults, cors }
    }

    fn defaults(&mut self, file: &DefaultsFile) -> EventTemplate {
        EventTemplate {
            comment: None,
            event: file.event.as_ref().and_then(|s| self.text(s, &[])),
            data: None,
            id: file.id.as_ref().and_then(|s| self.id(s, &[])),
            retry: file.retry.as_ref().and_then(|d| self.pace(d, &[])),
        }
    }

    fn finish(mut self, mut scenario: Scenario) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
        self.errors
            .sort_by_key(|d| (d.span.source.name.clone(), d.span.range.start));
        if self.errors.iter().any(|d| d.severity == Severity::Error) {
            return Err(self.errors);
        }
        scenario.topics = self.topics.into_iter().map(|(_, topic)| topic).collect();
        scenario.expressions = self.expressions.finish();
        Ok((scenario, self.errors))
    }
}

/// The span of an endpoint's path, or of the endpoint.
fn path_span(endpoint: &super::decode::At<EndpointFile>) -> &Span {
    endpoint.value.path.as_ref().map_or(&endpoint.span, |p| &p.span)
}

/// An event without templates or a schedule, as bytes.
pub(super) fn fixed_event(file: &super::file::EventFile) -> Result<crate::event::Event, String> {
    if file.after.is_some() || file.every.is_some() || file.times.is_some() {
        return Err("this event is sent once: it has no `after`, `every` or `times`".into());
    }
    let text =
        |scalar: &Option<super::decode::Scalar>| scalar.as_ref().and_then(|s| s.text.clone()).map(Into::into);
    let written = file
        .data
        .as_ref()
        .filter(|data| !(data.0.is_null() && matches!(data.0.scalar(), Some("~" | ""))));
    let data = written.map(|data| match data.0.scalar() {
        Some(text) => text.to_owned(),
        None => values::constant(&data.0).to_string(),
    });
    let retry = match file.retry.as_ref().and_then(|d| d.0.text.as_deref()) {
        Some(text) => Some(super::duration::parse(text)?.as_millis() as u64),
        None => None,
    };
    Ok(crate::event::Event {
        comment: text(&file.comment),
        event: text(&file.event),
        data: data.map(Into::into),
        id: text(&file.id),
        retry,
    })
}
