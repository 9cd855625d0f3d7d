//! Steps of a stream, and the messages of topics.

use std::sync::Arc;
use std::time::Duration;

use super::{Compiler, FileScope};
use crate::expr::Text;
use crate::scenario::decode::{At, DurationText, Scalar};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::file::{EventFile, FollowRulesFile, PublishFile, RepeatRulesFile, StepFile};
use crate::scenario::model::{
    Action, Data, End, EventTemplate, Follow, From, Pace, Publish, Repetition, Step,
};
use crate::spelling::suggest;

impl Compiler {
    /// A list of steps, in order.
    pub(super) fn steps(&mut self, files: &[StepFile], scope: &FileScope, names: &[String]) -> Arc<[Step]> {
        let mut steps: Vec<Step> = Vec::new();
        let mut ended = false;
        let mut unreached = None;
        for file in files {
            if ended {
                unreached = unreached.or(Some(file.span().clone()));
            }
            if let Some(step) = self.step(file, scope, names) {
                ended |= never_goes_on(&step);
                steps.push(step);
            }
        }
        if let Some(span) = unreached {
            let error = Diagnostic::error(&span, "this step is never reached: the stream has ended");
            self.errors
                .push(error.hint("remove it, or the `end` or endless step before it"));
        }
        steps.into()
    }

    fn step(&mut self, file: &StepFile, scope: &FileScope, names: &[String]) -> Option<Step> {
        match file {
            StepFile::Event(at) => self.event_step(at, scope, names),
            StepFile::Wait(at) => {
                let wait = at.value.wait.as_ref().and_then(|d| self.pace(d, names));
                let Some(pace) = wait else {
                    return self.missing(&at.span, &at.value.wait, "wait", "1s");
                };
                let mut step = Step {
                    after: self.after(&at.value.after, names),
                    action: Action::Wait,
                };
                if matches!(step.after, Pace::Range { high, .. } if high.is_zero()) {
                    step.after = pace;
                    return Some(step);
                }
                let error = Diagnostic::error(&at.span, "a pause has no `after` of its own");
                self.errors.push(error.hint("add the two durations up in `wait`"));
                None
            }
            StepFile::Repeat(at) => {
                let rules = at.value.repeat.as_ref()?;
                let action = self.repeat(rules, &at.span, scope, names)?;
                Some(Step {
                    after: self.after(&at.value.after, names),
                    action,
                })
            }
            StepFile::Follow(at) => {
                let rules = &at.value.follow.as_ref()?.0;
                let action = Action::Follow(self.follow(rules, names)?);
                Some(Step {
                    after: self.after(&at.value.after, names),
                    action,
                })
            }
            StepFile::End(at) => {
                let end = self.end(at.value.end.as_ref()?)?;
                Some(Step {
                    after: self.after(&at.value.after, names),
                    action: Action::End(end),
                })
            }
        }
    }

    fn missing(
        &mut self,
        span: &Span,
        value: &Option<DurationText>,
        key: &str,
        example: &str,
    ) -> Option<Step> {
        if value.as_ref().is_some_and(|d| d.0.text.is_none()) {
            let error = Diagnostic::error(span, format!("`{key}` needs a duration"));
            self.errors
                .push(error.hint(format!("for example `{key}: {example}`")));
        }
        None
    }

    fn after(&mut self, file: &Option<DurationText>, names: &[String]) -> Pace {
        file.as_ref()
            .and_then(|d| self.pace(d, names))
            .unwrap_or(Pace::ZERO)
    }

    fn event_step(&mut self, at: &At<EventFile>, scope: &FileScope, names: &[String]) -> Option<Step> {
        let file = &at.value;
        let event = EventTemplate {
            comment: file.comment.as_ref().and_then(|s| self.text(s, names)),
            event: file.event.as_ref().and_then(|s| self.text(s, names)),
            data: file.data.as_ref().and_then(|d| self.data(d, names)),
            id: file.id.as_ref().and_then(|s| self.id(s, names)),
            retry: file.retry.as_ref().and_then(|d| self.pace(d, names)),
        };
        let given = Given {
            event: file.event.is_some(),
            id: file.id.is_some(),
            retry: file.retry.is_some(),
        };
        let event = Box::new(with_defaults(event, given, &scope.defaults));
        let after = self.after(&file.after, names);
        let Some(every) = &file.every else {
            if let Some(times) = &file.times {
                let error = Diagnostic::error(&times.span, "`times` repeats nothing without `every`");
                self.errors
                    .push(error.hint("add `every: 1s`, or put the event into a `repeat` step"));
            }
            return Some(Step {
                after,
                action: Action::Send(event),
            });
        };
        let every = self.pace(every, names)?;
        self.check_interval(&at.span, &every);
        let repetition = Repetition {
            every: Some(every),
            times: file.times.as_ref().map(|t| t.value),
        };
        let steps = Arc::from([Step {
            after: Pace::ZERO,
            action: Action::Send(event),
        }]);
        Some(Step {
            after,
            action: Action::Repeat { repetition, steps },
        })
    }

    /// A schedule without time in it would flood; what is written is most likely a slip.
    fn check_interval(&mut self, span: &Span, every: &Pace) {
        if matches!(every, Pace::Range { high, .. } if high.is_zero()) {
            let error = Diagnostic::error(span, "an interval of 0 repeats without a pause");
            self.errors.push(error.hint("write at least `every: 1ms`"));
        }
    }

    fn repeat(
        &mut self,
        rules: &RepeatRulesFile,
        span: &Span,
        scope: &FileScope,
        names: &[String],
    ) -> Option<Action> {
        let every = rules.every.as_ref().and_then(|d| self.pace(d, names));
        if let Some(every) = &every {
            self.check_interval(span, every);
        }
        let Some(files) = &rules.steps else {
            self.error(span, "`repeat` has no `steps` to repeat");
            return None;
        };
        let steps = self.steps(files, scope, names);
        if every.is_none() && !steps.iter().any(takes_time) {
            let message = "this repetition never waits: it would send without end at once";
            let hint = "add `every: 1s`, or a step that waits";
            if rules.times.is_none() || steps.is_empty() {
                self.errors.push(Diagnostic::error(span, message).hint(hint));
            }
        }
        let times = rules.times.as_ref().map(|t| t.value);
        Some(Action::Repeat {
            repetition: Repetition { every, times },
            steps,
        })
    }

    fn follow(&mut self, rules: &At<FollowRulesFile>, names: &[String]) -> Option<Follow> {
        let from = match rules.value.from.as_ref() {
            None => From::LastEventId,
            Some(at) => match at.value.as_str() {
                "live" => From::Live,
                "earliest" => From::Earliest,
                "last_event_id" => From::LastEventId,
                other => {
                    let known = ["live", "earliest", "last_event_id"];
                    let error = Diagnostic::error(&at.span, format!("`{other}` is no place to begin"));
                    self.errors.push(error.hint(suggest(other, &known)));
                    return None;
                }
            },
        };
        if let Some(limit) = rules.value.limit.as_ref().filter(|limit| limit.value == 0) {
            self.error(&limit.span, "a limit of 0 relays nothing");
        }
        let topic = self.topic_name(rules.value.topic.as_ref(), &rules.span, names)?;
        Some(Follow {
            topic,
            from,
            limit: rules.value.limit.as_ref().map(|at| at.value),
        })
    }

    fn topic_name(&mut self, scalar: Option<&Scalar>, span: &Span, names: &[String]) -> Option<Text> {
        let Some(scalar) = scalar.filter(|s| s.text.is_some()) else {
            self.error(span, "the name of a topic is missing");
            return None;
        };
        let text = self.text(scalar, names)?;
        if let Text::Fixed(name) = &text
            && !self
                .topics
                .iter()
                .any(|(_, topic)| topic.name.matches(name).is_some())
        {
            let known: Vec<&str> = self.topics.iter().map(|(_, t)| t.name.source()).collect();
            let hint = match known.is_empty() {
                true => format!("declare it:\n\ntopics:\n  {name}: {{ history: 100 }}"),
                false => suggest(name, &known),
            };
            let error = Diagnostic::error(&scalar.span, format!("there is no topic `{name}`"));
            self.errors.push(error.hint(hint));
        }
        Some(text)
    }

    fn end(&mut self, at: &At<String>) -> Option<End> {
        Some(match at.value.as_str() {
            "close" => End::Close,
            "hold" => End::Hold,
            "stall" => End::Stall,
            other => {
                let error = Diagnostic::error(&at.span, format!("there is no ending `{other}`"));
                self.errors
                    .push(error.hint(suggest(other, &["close", "hold", "stall"])));
                return None;
            }
        })
    }

    /// A message for a topic; the file's defaults apply as they do to events in streams.
    pub(super) fn publish(
        &mut self,
        file: &PublishFile,
        scope: &FileScope,
        names: &[String],
    ) -> Option<Publish> {
        let rules = &file.0.value;
        let topic = self.topic_name(rules.topic.as_ref(), &file.0.span, names)?;
        let relays = rules.data.is_none();
        let data = match &rules.data {
            Some(data) => self.data(data, names),
            // What is relayed is known only when it comes, but it is data: the defaults apply.
            None => Some(Data::Text(Text::fixed(""))),
        };
        let event = EventTemplate {
            comment: None,
            event: rules.event.as_ref().and_then(|s| self.text(s, names)),
            data,
            id: rules.id.as_ref().and_then(|s| self.id(s, names)),
            retry: None,
        };
        let given = Given {
            event: rules.event.is_some(),
            id: rules.id.is_some(),
            retry: false,
        };
        let mut event = with_defaults(event, given, &scope.defaults);
        if relays {
            event.data = None;
        }
        Some(Publish { topic, event })
    }
}

/// Which fields a step names itself, be it only to leave them out with `~`.
struct Given {
    event: bool,
    id: bool,
    retry: bool,
}

fn with_defaults(event: EventTemplate, given: Given, defaults: &EventTemplate) -> EventTemplate {
    if event.data.is_none() {
        return event;
    }
    EventTemplate {
        event: if given.event {
            event.event
        } else {
            defaults.event.clone()
        },
        id: if given.id { event.id } else { defaults.id.clone() },
        retry: if given.retry {
            event.retry
        } else {
            defaults.retry.clone()
        },
        ..event
    }
}

fn takes_time(step: &Step) -> bool {
    let delayed = match &step.after {
        Pace::Range { high, .. } => *high > Duration::ZERO,
        Pace::Template(_) => true,
    };
    delayed
        || match &step.action {
            Action::Repeat { repetition, steps } => {
                let rounds = repetition.times != Some(0);
                rounds && (repetition.every.is_some() || steps.iter().any(takes_time))
            }
            // The whole history, or a part of it, is there at once, each time.
            Action::Follow(follow) => follow.limit.is_none() || follow.from != From::Earliest,
            Action::End(_) => true,
            Action::Send(_) | Action::Wait => false,
        }
}

fn never_goes_on(step: &Step) -> bool {
    match &step.action {
        Action::End(_) => true,
        Action::Follow(follow) => follow.limit.is_none(),
        Action::Repeat { repetition, steps } => {
            repetition.times.is_none()
                || (repetition.times != Some(0) && steps.last().is_some_and(never_goes_on))
        }
        Action::Send(_) | Action::Wait => false,
    }
}
