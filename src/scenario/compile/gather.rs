//! The files of a scenario, those they include among them, and what only one of them may say.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::files::{self, Files};
use super::values;
use crate::scenario::decode::{At, FromNode};
use crate::scenario::diagnostic::{Diagnostic, Source, Span};
use crate::scenario::file::ScenarioFile;
use crate::scenario::time_of_day;
use crate::scenario::yaml::{self, Node};

/// Reads all files; what a file includes comes behind it.
pub(super) fn gather(
    sources: &[Arc<Source>],
    files: &dyn Files,
    errors: &mut Vec<Diagnostic>,
) -> Vec<ScenarioFile> {
    let mut all = Vec::new();
    let mut waiting: VecDeque<(Arc<Source>, bool)> = sources.iter().map(|s| (s.clone(), true)).collect();
    while let Some((source, given)) = waiting.pop_front() {
        let Some(file) = read(&source, given, errors) else {
            continue;
        };
        let mut included = Vec::new();
        for path in file.include.iter().flat_map(|list| &list.0) {
            match files.include(&source, &path.value) {
                Ok(source) => included.extend(source),
                Err(fault) => errors.push(files::at(&path.span, fault)),
            }
        }
        for source in included.into_iter().rev() {
            waiting.push_front((source, false));
        }
        all.push(file);
    }
    all
}

/// `given`: the user named it, or its folder; others are included and may hold anything.
fn read(source: &Arc<Source>, given: bool, errors: &mut Vec<Diagnostic>) -> Option<ScenarioFile> {
    let node = yaml::parse(source).map_err(|error| errors.push(*error)).ok()?;
    let beginning = |at: usize| Span {
        source: source.clone(),
        range: at..at,
    };
    if node.is_null() {
        let hint = "begin with\n\nendpoints:\n  - path: /sse\n    stream:\n      - data: hello";
        let message = "the file is empty: there is nothing to serve";
        errors.push(Diagnostic::error(&beginning(0), message).hint(hint));
        return None;
    }
    let file = ScenarioFile::from_node(&node, errors)?;
    if given && !holds_something(&node) {
        let span = beginning(node.span.range.start);
        let message = "the file has no `endpoints`: there is nothing to serve";
        errors.push(Diagnostic::error(&span, message));
    }
    Some(file)
}

/// What other files of the scenario can use, if there are no endpoints.
fn holds_something(node: &Node) -> bool {
    let keys = ["endpoints", "topics", "scripts", "vars", "include", "expect"];
    keys.iter().any(|key| node.get(key).is_some())
}

/// The constants of all files.
pub(super) fn vars(files: &[ScenarioFile], errors: &mut Vec<Diagnostic>) -> Map<String, Json> {
    let mut vars = Map::new();
    let mut places: Vec<(String, Span)> = Vec::new();
    for (name, value) in files.iter().flat_map(|f| f.vars.iter().flat_map(|v| &v.0)) {
        if let Err(message) = crate::scenario::pattern::valid_name(&name.value) {
            errors.push(Diagnostic::error(&name.span, message));
        }
        if let Some((_, first)) = places.iter().find(|(n, _)| *n == name.value) {
            let what = format!("the constant `{}`", name.value);
            errors.push(clash(&name.span, first, &what));
        }
        places.push((name.value.clone(), name.span.clone()));
        vars.insert(name.value.clone(), values::constant(&value.0));
    }
    vars
}

/// A key that only one of a scenario's files may have.
pub(super) fn single<T: Clone>(
    files: &[ScenarioFile],
    get: impl Fn(&ScenarioFile) -> Option<&At<T>>,
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

/// The time of day at which sessions begin, in milliseconds since 1970.
pub(super) fn now(files: &[ScenarioFile], errors: &mut Vec<Diagnostic>) -> Option<u64> {
    let text = single(files, |f| f.now.as_ref(), "now", errors)?;
    let said = files.iter().find_map(|f| f.now.as_ref())?;
    time_of_day::parse(&text)
        .map_err(|why| errors.push(Diagnostic::error(&said.span, why)))
        .ok()
}

/// Two places that say the same thing.
pub(super) fn clash(here: &Span, first: &Span, what: &str) -> Diagnostic {
    Diagnostic::error(here, format!("{what} is set twice")).related(first, "first set here")
}
