//! Named lists of steps, and what it takes to run one inside another.

use std::collections::HashSet;
use std::rc::Rc;

use super::place::{FileScope, Place};
use super::{Compiler, gather};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::Span;
use crate::scenario::file::StepFile;
use crate::scenario::model::Step;
use crate::spelling::suggest;

/// Steps inside steps, scripts included: what walks them needs a frame for each.
const DEEPEST: usize = 64;
/// Steps of a whole scenario, each run of a script counted anew.
const MOST_STEPS: usize = 100_000;

/// A script and the file it stands in.
struct Script {
    name: At<String>,
    steps: Vec<StepFile>,
    scope: Rc<FileScope>,
}

/// The scripts of a scenario.
#[derive(Default)]
pub(super) struct Scripts {
    all: Vec<Rc<Script>>,
    /// Those being compiled, outermost first.
    running: Vec<String>,
    run: HashSet<String>,
    /// How deep the steps at hand stand inside others.
    depth: usize,
}

impl Compiler<'_> {
    /// Declares a script.
    pub(super) fn script(&mut self, name: &At<String>, steps: &[StepFile], scope: &Rc<FileScope>) {
        if let Some(first) = self.scripts.all.iter().find(|s| s.name.value == name.value) {
            let what = format!("the script `{}`", name.value);
            let error = gather::clash(&name.span, &first.name.span, &what);
            return self.errors.push(error);
        }
        if steps.is_empty() {
            let message = format!("the script `{}` has no steps", name.value);
            self.error_hint(&name.span, message, "give it steps, or remove it");
        }
        self.scripts.all.push(Rc::new(Script {
            name: name.clone(),
            steps: steps.to_vec(),
            scope: scope.clone(),
        }));
    }

    /// The steps of a script, with the names in scope where it is run and the rules of its own file.
    pub(super) fn run(&mut self, name: &At<String>, place: &Place) -> Vec<Step> {
        let Some(script) = self.find_script(name) else {
            return Vec::new();
        };
        if self.scripts.running.contains(&name.value) {
            let circle = [self.scripts.running.as_slice(), std::slice::from_ref(&name.value)].concat();
            let message = format!("the script `{}` runs itself: {}", name.value, circle.join(" → "));
            let hint = "use `repeat` for what is done again and again";
            self.error_hint(&name.span, message, hint);
            return Vec::new();
        }
        self.scripts.run.insert(name.value.clone());
        if !self.count_step(&name.span) {
            return Vec::new();
        }
        self.scripts.running.push(name.value.clone());
        let mut inside = place.clone();
        inside.scope = script.scope.clone();
        let steps = self.steps(&script.steps, &inside);
        self.scripts.running.pop();
        steps.to_vec()
    }

    fn find_script(&mut self, name: &At<String>) -> Option<Rc<Script>> {
        let found = self.scripts.all.iter().find(|s| s.name.value == name.value);
        if found.is_none() {
            let known: Vec<&str> = self.scripts.all.iter().map(|s| s.name.value.as_str()).collect();
            let hint = match known.is_empty() {
                true => format!("declare it:\n\nscripts:\n  {}:\n    - data: hello", name.value),
                false => suggest(&name.value, &known),
            };
            let message = format!("there is no script `{}`", name.value);
            self.error_hint(&name.span, message, hint);
            return None;
        }
        found.cloned()
    }

    /// Counts a step, or a run of a script; false when there are too many.
    pub(super) fn count_step(&mut self, span: &Span) -> bool {
        self.steps += 1;
        if self.steps == MOST_STEPS + 1 {
            let message = format!("the scenario has more than {MOST_STEPS} steps, its scripts run out");
            let hint = "use `repeat` or `for_each` instead of many runs, entries or steps";
            self.error_hint(span, message, hint);
        }
        self.steps <= MOST_STEPS
    }

    /// Goes one level deeper; false when that is too deep.
    pub(super) fn descend(&mut self, span: &Span) -> bool {
        if self.scripts.depth == DEEPEST {
            let message = format!("steps stand more than {DEEPEST} levels deep in each other here");
            self.error_hint(span, message, "let fewer scripts run each other");
            return false;
        }
        self.scripts.depth += 1;
        true
    }

    /// Comes back up.
    pub(super) fn ascend(&mut self) {
        self.scripts.depth -= 1;
    }

    /// Scripts that nothing runs, and so nothing checked.
    pub(super) fn warn_of_scripts(&mut self) {
        for script in self.scripts.all.clone() {
            let name = &script.name;
            if !self.scripts.run.contains(&name.value) {
                let message = format!(
                    "the script `{}` is never run, so its steps were not checked",
                    name.value
                );
                let hint = format!("add `- run: {}` where it belongs, or remove it", name.value);
                self.warn(&name.span, message, hint);
            }
        }
    }
}
