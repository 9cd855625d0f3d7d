//! File types → model, collecting every diagnostic on the way.
//!
//! `gather` reads the files, `place` says what holds where steps stand. Endpoints: `endpoint` (what is
//! matched), `choice` (one answer or several), `layers` (what is inherited), `answer`, `stream`,
//! `wire`. Steps: `steps`, `rounds`, `raw`, `replay`, `relay`, `flow` (what never ends). `topics`, `cors`,
//! `values`, `end` serve both; `expect`: what the client should do; `reach` warns of what can never happen.

mod answer;
mod choice;
mod cors;
mod effects;
mod end;
mod endpoint;
mod expect;
mod files;
mod flow;
mod gather;
mod items;
mod layers;
mod names;
mod place;
mod raw;
mod reach;
mod relay;
mod replay;
mod rounds;
mod scripts;
mod signals;
mod single;
mod steps;
mod stream;
mod topics;
mod values;
mod wire;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;

pub(super) use end::code_name;
pub use files::{FileFault, Files, NoFiles};
pub(super) use single::fixed_event;

use super::diagnostic::{Diagnostic, Severity, Source, Span};
use super::file::{DefaultsFile, ScenarioFile};
use super::model::{Endpoint, Endpoints, EventTemplate, Scenario, TopicSpec};
use crate::expr::{Builder, Fault};
use endpoint::Address;
use place::FileScope;
use scripts::Scripts;
use signals::SignalUse;
use topics::TopicUse;

/// What is being compiled: one file after the other into one scenario.
struct Compiler<'a> {
    errors: Vec<Diagnostic>,
    expressions: Builder,
    files: &'a dyn Files,
    topics: Vec<(Span, TopicSpec)>,
    uses: TopicUse,
    signals: SignalUse,
    scripts: Scripts,
    endpoints: Vec<Address>,
    /// Values, steps and runs so far: what inheriting and running may multiply.
    spent: usize,
    steps: usize,
}

/// Compiles a scenario that needs no files beside it. On failure all diagnostics, on success the warnings.
pub fn compile(sources: &[Arc<Source>]) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
    compile_with(sources, &NoFiles)
}

/// Compiles the files of one scenario with what they include and serve.
/// On failure all diagnostics, on success the warnings.
pub fn compile_with(
    sources: &[Arc<Source>],
    disk: &dyn Files,
) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let files = gather::gather(sources, disk, &mut errors);
    let vars = gather::vars(&files, &mut errors);
    let name = gather::single(&files, |f| f.name.as_ref(), "name", &mut errors);
    let seed = gather::single(&files, |f| f.seed.as_ref(), "seed", &mut errors);
    let now = gather::now(&files, &mut errors);
    let mut compiler = Compiler {
        errors,
        expressions: Builder::new(vars.keys().cloned().collect()),
        files: disk,
        topics: Vec::new(),
        uses: TopicUse::default(),
        signals: SignalUse::default(),
        scripts: Scripts::default(),
        endpoints: Vec::new(),
        spent: 0,
        steps: 0,
    };
    let scopes: Vec<Rc<FileScope>> = files.iter().map(|f| Rc::new(compiler.file_scope(f))).collect();
    compiler.declare(&files, &scopes);
    compiler.feeds(&files, &scopes);
    let mut endpoints = Vec::new();
    let mut number = 0;
    for (file, scope) in files.iter().zip(&scopes) {
        for endpoint in file.endpoints.iter().flatten() {
            endpoints.extend(compiler.endpoint(endpoint, number, scope));
            number += 1;
        }
    }
    let expect = compiler.expectations(&files);
    let (spans, endpoints): (Vec<Span>, Vec<Endpoint>) = endpoints.into_iter().unzip();
    let endpoints = Endpoints::new(endpoints);
    compiler.warn_of_what_never_happens(&spans, &endpoints);
    compiler.finish(Scenario {
        name,
        seed,
        now,
        vars: Value::from(Serde(vars)),
        topics: Vec::new(),
        endpoints,
        expect,
        cors: scopes.iter().find_map(|scope| scope.cors.clone()),
        expressions: Builder::new(Vec::new()).finish(),
    })
}

impl Compiler<'_> {
    fn error(&mut self, span: &Span, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(span, message));
    }

    fn error_hint(&mut self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(Diagnostic::error(span, message).hint(hint));
    }

    fn warn(&mut self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(Diagnostic::warning(span, message).hint(hint));
    }

    /// A fault in an expression, with the caret at the word it is about.
    fn fault(&mut self, span: &Span, fault: Fault) {
        let span = span.narrow(&fault.word);
        self.errors
            .push(Diagnostic::error(&span, fault.message).maybe_hint(fault.hint));
    }

    /// What may be named before it stands in a file: topics, scripts, endpoints.
    fn declare(&mut self, files: &[ScenarioFile], scopes: &[Rc<FileScope>]) {
        let mut equals = HashMap::new();
        for (file, scope) in files.iter().zip(scopes) {
            for (name, topic) in file.topics.iter().flat_map(|t| &t.0) {
                self.topic(name, topic);
            }
            for (name, steps) in file.scripts.iter().flat_map(|s| &s.0) {
                self.script(name, steps, scope);
            }
            for endpoint in file.endpoints.iter().flatten() {
                let address = self.address(endpoint, &mut equals);
                self.endpoints.push(address);
            }
        }
    }

    fn file_scope(&mut self, file: &ScenarioFile) -> FileScope {
        let cors = file.cors.as_ref().and_then(|cors| self.cors(cors));
        let defaults = file.defaults.as_ref().map(|d| self.defaults(d));
        FileScope {
            defaults: defaults.unwrap_or_default(),
            cors,
        }
    }

    fn defaults(&mut self, file: &DefaultsFile) -> EventTemplate {
        EventTemplate {
            event: file.event.as_ref().and_then(|s| self.text(s, &[])),
            id: file.id.as_ref().and_then(|s| self.id(s, &[])),
            retry: file.retry.as_ref().and_then(|d| self.pace(d, &[])),
            ..Default::default()
        }
    }

    fn finish(mut self, mut scenario: Scenario) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
        let findings = in_order(std::mem::take(&mut self.errors));
        if findings.iter().any(|d| d.severity == Severity::Error) {
            return Err(findings);
        }
        scenario.topics = self.topics.into_iter().map(|(_, topic)| topic).collect();
        scenario.expressions = self.expressions.finish();
        Ok((scenario, findings))
    }
}

/// By file and place; what several runs or entries found alike is said once.
fn in_order(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut said = HashSet::new();
    findings.retain(|d| {
        said.insert((
            d.span.source.name.clone(),
            d.span.range.clone(),
            d.message.clone(),
        ))
    });
    findings.sort_by(|a, b| {
        let place = |d: &Diagnostic| d.span.range.start;
        (&a.span.source.name, place(a)).cmp(&(&b.span.source.name, place(b)))
    });
    findings
}
