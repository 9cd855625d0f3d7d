//! Steps that hold other steps: repeated, chosen, side by side, in one write.

use std::sync::Arc;

use super::Compiler;
use super::flow;
use super::place::{Place, Room};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::Span;
use crate::scenario::file::{
    ChooseFile, ForEachRulesFile, IfFile, OneWriteFile, ParallelFile, RepeatRulesFile,
};
use crate::scenario::model::{Action, ForEach, Repetition, Steps};

/// Lists side by side in one step.
const MOST_BRANCHES: usize = 1000;

impl Compiler<'_> {
    /// Steps whose bytes go out together.
    pub(super) fn one_write(&mut self, at: &At<OneWriteFile>, place: &Place) -> Option<Action> {
        let files = at.value.one_write.as_ref()?;
        if files.is_empty() {
            self.error_hint(
                &at.span,
                "`one_write` has no steps: it writes nothing",
                "give it events",
            );
            return None;
        }
        Some(Action::OneWrite(self.steps(files, &place.inside(Room::OneWrite))))
    }

    /// Steps that are repeated.
    pub(super) fn repeat(&mut self, rules: &RepeatRulesFile, span: &Span, place: &Place) -> Option<Action> {
        let at_once = place.room == Room::OneWrite;
        if let (true, Some(every)) = (at_once, &rules.every) {
            self.takes_no_time(&every.0.span, "every");
        }
        if at_once && rules.times.is_none() {
            self.error_hint(span, "in `one_write` a `repeat` needs an end", "add `times`");
            return None;
        }
        let every = rules.every.as_ref().and_then(|d| self.interval(d, span, place));
        let condition = rules.r#while.as_ref();
        let condition = condition.and_then(|w| self.condition(w, "while", &place.names));
        let Some(files) = &rules.steps else {
            self.error(span, "`repeat` has no `steps` to repeat");
            return None;
        };
        let steps = self.steps(files, place);
        if every.is_none()
            && !steps.iter().any(flow::takes_time)
            && (rules.times.is_none() || steps.is_empty())
        {
            let message = "this repetition never waits: it would send without end at once";
            self.error_hint(span, message, "add `every: 1s`, or a step that waits");
        }
        let repetition = Arc::new(Repetition {
            every,
            times: rules.times.as_ref().map(|t| t.value),
            condition,
        });
        Some(Action::Repeat { repetition, steps })
    }

    /// Steps for each entry of a list.
    pub(super) fn for_each(
        &mut self,
        rules: &ForEachRulesFile,
        span: &Span,
        place: &Place,
    ) -> Option<Action> {
        if let (Room::OneWrite, Some(every)) = (place.room, &rules.every) {
            self.takes_no_time(&every.0.span, "every");
        }
        let items = match &rules.r#in {
            Some(list) => self.items(&list.0, &place.names),
            None => {
                let hint = "add `in`: a list, \"{{ an expression }}\", or a file";
                self.error_hint(span, "`for_each` has no list to go through", hint);
                None
            }
        };
        if let Some(name) = &rules.r#as {
            self.name(name);
        }
        let name = rules.r#as.as_ref().map_or("item", |at| &at.value).to_owned();
        let every = rules.every.as_ref().and_then(|d| self.interval(d, span, place));
        let Some(files) = rules.steps.as_ref().filter(|files| !files.is_empty()) else {
            self.error(span, "`for_each` has no `steps` to do for each entry");
            return None;
        };
        let steps = self.steps(files, &place.with(&name));
        Some(Action::ForEach(Arc::new(ForEach {
            items: items?,
            name,
            every,
            steps,
        })))
    }

    /// One of several lists of steps.
    pub(super) fn choose(&mut self, at: &At<ChooseFile>, place: &Place) -> Option<Action> {
        let files = at.value.choose.as_ref()?;
        let weight =
            |choice: &crate::scenario::file::ChoiceFile| choice.weight.as_ref().map_or(1, |at| at.value);
        if files.is_empty() {
            let hint = "add for example `{ weight: 3, steps: [ { data: x } ] }`";
            self.error_hint(&at.span, "there is nothing to choose from", hint);
            return None;
        }
        let total = files
            .iter()
            .try_fold(0u64, |sum, file| sum.checked_add(weight(&file.value)));
        match total {
            Some(0) => {
                let message = "all weights are 0, so nothing can be chosen";
                self.error_hint(&at.span, message, "give one of them 1 or more");
            }
            None => self.error(&at.span, "these weights are too large to be added up"),
            Some(_) => {}
        }
        let mut choices: Vec<(u64, Steps)> = Vec::new();
        for file in files {
            let steps = self.steps(file.value.steps.as_deref().unwrap_or_default(), place);
            choices.push((weight(&file.value), steps));
        }
        Some(Action::Choose(choices.into()))
    }

    /// Steps under a condition.
    pub(super) fn branch(&mut self, at: &At<IfFile>, place: &Place) -> Option<Action> {
        let file = &at.value;
        let condition = self.condition(file.r#if.as_ref()?, "if", &place.names);
        if file.then.is_none() && file.r#else.is_none() {
            let message = "this `if` does nothing: it has neither `then` nor `else`";
            self.error_hint(&at.span, message, "add `then:` with steps");
            return None;
        }
        let then = self.steps(file.then.as_deref().unwrap_or_default(), place);
        let otherwise = self.steps(file.r#else.as_deref().unwrap_or_default(), place);
        Some(Action::If {
            condition: condition?,
            then,
            otherwise,
        })
    }

    /// Lists of steps side by side.
    pub(super) fn parallel(&mut self, at: &At<ParallelFile>, place: &Place) -> Option<Action> {
        let files = at.value.parallel.as_ref()?;
        if files.len() < 2 {
            let message = "`parallel` needs at least two lists of steps";
            self.error_hint(
                &at.span,
                message,
                "for example `parallel: [[ … ], [ … ]]`; one list needs no `parallel`",
            );
            return None;
        }
        if files.len() > MOST_BRANCHES {
            let message = format!(
                "`parallel` has {} lists of steps: at most {MOST_BRANCHES}",
                files.len()
            );
            self.error(&at.span, message);
            return None;
        }
        let branches: Vec<Steps> = files.iter().map(|files| self.steps(files, place)).collect();
        Some(Action::Parallel(branches.into()))
    }
}
