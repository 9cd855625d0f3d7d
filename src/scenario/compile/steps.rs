//! Lists of steps, and the steps that hold no others.

use std::sync::Arc;

use super::Compiler;
use super::end::ENDINGS;
use super::flow;
use super::place::{Place, Room};
use crate::scenario::decode::{At, DurationText};
use crate::scenario::diagnostic::Span;
use crate::scenario::file::{EventFile, StepFile, WaitFile};
use crate::scenario::model::{Action, End, EventTemplate, Pace, Repetition, Step, Steps};

impl Compiler<'_> {
    /// A list of steps, in order.
    pub(super) fn steps(&mut self, files: &[StepFile], place: &Place) -> Steps {
        let mut place = place.clone();
        let mut steps: Vec<Step> = Vec::new();
        let (mut ended, mut unreached) = (false, None);
        for file in files {
            if ended {
                unreached = unreached.or(Some(file.span()));
            }
            let before = steps.len();
            if self.count_step(file.span()) && self.fits(file, place.room) && self.descend(file.span()) {
                self.step(file, &mut place, &mut steps);
                self.ascend();
            }
            ended |= steps[before..].iter().any(flow::never_goes_on);
        }
        if let Some(span) = unreached {
            let message = "this step is never reached: the stream has ended";
            let hint = "remove it, or the `end` or endless step before it";
            self.error_hint(span, message, hint);
        }
        steps.into()
    }

    fn step(&mut self, file: &StepFile, place: &mut Place, steps: &mut Vec<Step>) {
        let after = file
            .after()
            .and_then(|d| self.pace(d, &place.names))
            .unwrap_or(Pace::ZERO);
        match file {
            StepFile::Wait(at) => steps.extend(self.wait(at, &after, place)),
            StepFile::Run(at) => {
                let Some(name) = &at.value.run else { return };
                if !after.is_zero() {
                    let action = Action::Wait;
                    steps.push(Step { after, action });
                }
                steps.extend(self.run(name, place));
            }
            StepFile::Let(at) => {
                let Some(lets) = &at.value.r#let else { return };
                let action = Action::Let(self.lets(lets, place).into());
                steps.push(Step { after, action });
            }
            _ => {
                if let Some(action) = self.action(file, place) {
                    steps.push(Step { after, action });
                }
            }
        }
    }

    /// What a step does; `wait`, `run` and `let` do more than one action says.
    fn action(&mut self, file: &StepFile, place: &Place) -> Option<Action> {
        let names = &place.names;
        match file {
            StepFile::Event(at) => self.event_step(at, place),
            StepFile::Raw(at) => {
                let raw = at.value.raw.as_ref()?;
                let split = at.value.split.as_ref();
                self.raw(raw, split, &at.span, names).map(Action::Raw)
            }
            StepFile::Replay(at) => self.replay(at.value.replay.as_ref()?),
            StepFile::OneWrite(at) => self.one_write(at, place),
            StepFile::Repeat(at) => self.repeat(at.value.repeat.as_ref()?, &at.span, place),
            StepFile::ForEach(at) => self.for_each(at.value.for_each.as_ref()?, &at.span, place),
            StepFile::Choose(at) => self.choose(at, place),
            StepFile::If(at) => self.branch(at, place),
            StepFile::Parallel(at) => self.parallel(at, place),
            StepFile::Set(at) => {
                let set = at.value.set.as_ref()?;
                Some(Action::Set(self.assignments(set, names)))
            }
            StepFile::Follow(at) => {
                let follow = self.follow(&at.value.follow.as_ref()?.0, names)?;
                Some(Action::Follow(Arc::new(follow)))
            }
            StepFile::Publish(at) => {
                let list = at.value.publish.as_ref()?;
                Some(Action::Publish(self.publishes(&list.0, place).into()))
            }
            StepFile::Signal(at) => self
                .given_signal(at.value.signal.as_ref()?, names)
                .map(Action::Signal),
            StepFile::WaitFor(at) => self.wait_for(at.value.wait_for.as_ref()?, place),
            StepFile::Disconnect(at) => self.disconnect(at.value.disconnect.as_ref()?),
            StepFile::Offline(at) => {
                let time = at.value.offline.as_ref()?;
                self.some_time(time, "`offline`", names).map(Action::Offline)
            }
            StepFile::Stall(at) => {
                let time = at.value.stall.as_ref()?;
                self.some_time(time, "a stall", names).map(Action::Stall)
            }
            StepFile::End(at) => {
                let end = self.ending(at.value.end.as_ref(), at.value.code.as_ref(), ENDINGS)?;
                if place.room == Room::Feed && end != End::Close {
                    let message = "a feed has no connection: it can only end with `close`";
                    self.error(&at.span, message);
                }
                Some(Action::End(end))
            }
            StepFile::Wait(_) | StepFile::Run(_) | StepFile::Let(_) => None,
        }
    }

    fn wait(&mut self, at: &At<WaitFile>, after: &Pace, place: &Place) -> Option<Step> {
        if !after.is_zero() {
            let hint = "add the two durations up in `wait`";
            self.error_hint(&at.span, "a pause has no `after` of its own", hint);
            return None;
        }
        let wait = at.value.wait.as_ref()?;
        if wait.0.text.is_none() {
            self.error_hint(&at.span, "`wait` needs a duration", "for example `wait: 1s`");
        }
        Some(Step {
            after: self.pace(wait, &place.names)?,
            action: Action::Wait,
        })
    }

    fn event_step(&mut self, at: &At<EventFile>, place: &Place) -> Option<Action> {
        let (file, names) = (&at.value, &place.names);
        if let (Some(split), Room::OneWrite | Room::Feed) = (&file.split, place.room) {
            let message = match place.room {
                Room::Feed => "a feed publishes events: how they are cut into writes is up to each stream",
                _ => "all of `one_write` is one write, so no event in it can be split",
            };
            self.error_hint(&split.span, message, "remove `split`");
        }
        let event = EventTemplate {
            comment: file.comment.as_ref().and_then(|s| self.text(s, names)),
            event: file.event.as_ref().and_then(|s| self.text(s, names)),
            data: file.data.as_ref().and_then(|d| self.data(d, names)),
            id: file.id.as_ref().and_then(|s| self.id(s, names)),
            retry: file.retry.as_ref().and_then(|d| self.pace(d, names)),
            split: file.split.as_ref().and_then(|s| self.split(s, names)),
        };
        let given = Given {
            event: file.event.is_some(),
            id: file.id.is_some(),
            retry: file.retry.is_some(),
        };
        let event = Box::new(with_defaults(event, given, &place.scope.defaults));
        match &file.every {
            Some(every) => self.scheduled(at, every, event, place),
            None => {
                let times = file.times.as_ref().map(|at| ("times", &at.span));
                let condition = file.r#while.as_ref().map(|s| ("while", &s.span));
                for (key, span) in times.into_iter().chain(condition) {
                    let message = format!("`{key}` repeats nothing without `every`");
                    let hint = "add `every: 1s`, or put the event into a `repeat` step";
                    self.error_hint(span, message, hint);
                }
                Some(Action::Send(event))
            }
        }
    }

    /// An event with `every`.
    fn scheduled(
        &mut self,
        at: &At<EventFile>,
        every: &DurationText,
        event: Box<EventTemplate>,
        place: &Place,
    ) -> Option<Action> {
        if place.room == Room::OneWrite {
            self.takes_no_time(&every.0.span, "every");
            return None;
        }
        let condition = at.value.r#while.as_ref();
        let condition = condition.and_then(|w| self.condition(w, "while", &place.names));
        let every = self.interval(every, &at.span, place)?;
        let repetition = Arc::new(Repetition {
            every: Some(every),
            times: at.value.times.as_ref().map(|t| t.value),
            condition,
        });
        let steps = Arc::from([Step {
            after: Pace::ZERO,
            action: Action::Send(event),
        }]);
        Some(Action::Repeat { repetition, steps })
    }

    /// A schedule without time in it would flood; what is written is most likely a slip.
    pub(super) fn interval(&mut self, every: &DurationText, span: &Span, place: &Place) -> Option<Pace> {
        let pace = self.pace(every, &place.names)?;
        if pace.is_zero() {
            let message = "an interval of 0 repeats without a pause";
            self.error_hint(span, message, "write at least `every: 1ms`");
        }
        Some(pace)
    }

    /// Says that a key has no business in `one_write`.
    pub(super) fn takes_no_time(&mut self, span: &Span, key: &str) {
        let message = format!("`{key}` takes time, but all of `one_write` is one write");
        self.error_hint(span, message, "put it around the `one_write`");
    }

    /// Whether a step may stand in a room.
    fn fits(&mut self, file: &StepFile, room: Room) -> bool {
        let key = file.leading();
        if let (Room::OneWrite | Room::Finally, Some(after)) = (room, file.after()) {
            let message = match room {
                Room::Finally => "the stream is over: nothing in `finally` can wait",
                _ => "`after` takes time, but all of `one_write` is one write",
            };
            self.error_hint(&after.0.span, message, "remove `after`");
        }
        let (fits, message, hint) = match room {
            Room::Stream => return true,
            Room::OneWrite => (
                matches!(
                    key,
                    None | Some("raw" | "repeat" | "for_each" | "choose" | "if" | "let" | "set" | "run")
                ),
                "cannot stand in `one_write`, which is one write at one time",
                "it takes events, raw, repeat with times, for_each, choose, if, let, set and run",
            ),
            Room::Finally => (
                matches!(key, Some("set" | "publish" | "signal" | "if" | "let")),
                "cannot stand in `finally`: the stream is over",
                "it takes set, publish, signal, if and let",
            ),
            Room::Feed => (
                !matches!(key, Some("raw" | "replay" | "one_write" | "follow")),
                "cannot stand in a feed, which publishes events and has no stream of its own",
                "send events; how they are written is up to each stream that follows",
            ),
        };
        if !fits {
            let name = key.map_or("an event".to_owned(), |key| format!("`{key}`"));
            self.error_hint(file.span(), format!("{name} {message}"), hint);
        }
        fits
    }
}

/// Which fields a step names itself, be it only to leave them out with `~`.
pub(super) struct Given {
    pub event: bool,
    pub id: bool,
    pub retry: bool,
}

/// Fills in what an event with data does not say itself.
pub(super) fn with_defaults(event: EventTemplate, given: Given, defaults: &EventTemplate) -> EventTemplate {
    if event.data.is_none() {
        return event;
    }
    let or = |given: bool| (!given).then_some(defaults);
    EventTemplate {
        event: or(given.event).map_or(event.event, |d| d.event.clone()),
        id: or(given.id).map_or(event.id, |d| d.id.clone()),
        retry: or(given.retry).map_or(event.retry, |d| d.retry.clone()),
        ..event
    }
}
