//! Steps → cues: what each kind of step does when its time has come.

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;
use minijinja::value::Serde;

use super::branch::{Branch, State};
use super::cue::{Awaiting, BranchId, Cue, Following, Publication, Setting, Source, Wanted, Write};
use super::event::{MAX_WRITE, render_event, render_publish, render_raw, too_large};
use super::script::{Walk, surroundings};
use crate::expr::{RenderError, RequestScope};
use crate::scenario::model::{
    Action, Awaited, Branches, EventTemplate, Follow, Id, Publish, Selector, Split, Steps, TopicName, WaitFor,
};
use crate::wire::{Frame, encode};

/// Branches of one stream at once.
const MOST_BRANCHES: usize = 1_000;

impl Walk {
    /// Whether what is sent is published instead.
    pub(super) fn is_feed(&self) -> bool {
        self.feeds.is_some()
    }

    pub(super) fn perform(
        &mut self,
        at: BranchId,
        action: &Action,
        elapsed: Duration,
    ) -> Result<Option<Cue>, RenderError> {
        let around = surroundings(&self.scenario, self.seq, self.began_ms);
        let branch = among(&mut self.branches, at)?;
        let moment = branch.moment(&around);
        let expressions = &self.scenario.expressions;
        match action {
            Action::Send(template) => return self.send(at, template, elapsed),
            Action::Raw(raw) => {
                let bytes = render_raw(raw, expressions, &branch.scope, moment)?;
                self.write(at, bytes, (Source::Raw, 0), raw.split.clone(), elapsed)?;
            }
            Action::Replay(replay) => branch.enter(replay.writes.clone()),
            Action::Recorded(bytes) => {
                self.write(at, bytes.to_vec(), (Source::Replay, 0), None, elapsed)?;
            }
            Action::OneWrite(steps) => branch.gather(steps.clone()),
            Action::Wait => {}
            Action::Repeat { repetition, steps } => branch.repeat(repetition, steps.clone(), &around)?,
            Action::ForEach(rules) => branch.for_each(rules, &around)?,
            Action::Choose(choices) => {
                let steps = choose(choices, &branch.scope);
                branch.enter(steps);
            }
            Action::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = expressions.holds(condition, &branch.scope, moment)?;
                branch.enter(if holds { then.clone() } else { otherwise.clone() });
            }
            Action::Parallel(lists) => self.part(at, lists)?,
            Action::Let(lets) => {
                for (name, tree) in lets.iter() {
                    let value = expressions.tree(tree, &branch.scope, moment)?;
                    branch.scope.bind(name, Value::from(Serde(value)));
                }
            }
            Action::Set(assignments) => {
                let (assignments, scope) = (assignments.clone(), branch.scope.clone());
                return Ok(Some(Cue::Set(Setting {
                    assignments,
                    scope,
                    moment,
                })));
            }
            Action::Follow(follow) => return self.follow(at, follow).map(Some),
            Action::Publish(all) => return self.publish(at, all).map(Some),
            Action::Signal(name) => {
                return Ok(Some(Cue::Signal(expressions.text(
                    name,
                    &branch.scope,
                    moment,
                )?)));
            }
            Action::WaitFor(rules) => return self.wait_for(at, rules).map(Some),
            Action::Disconnect(which) => return Ok(Some(Cue::Disconnect(which.clone()))),
            Action::Offline(how_long) => return Ok(Some(Cue::Offline(branch.delay(how_long, &around)?))),
            Action::Stall(how_long) => {
                let silence = branch.delay(how_long, &around)?;
                branch.due += silence;
                return Ok(Some(Cue::Quiet(branch.due)));
            }
            Action::End(end) => return Ok(Some(Cue::End(*end))),
        }
        Ok(None)
    }

    fn send(
        &mut self,
        at: BranchId,
        template: &EventTemplate,
        elapsed: Duration,
    ) -> Result<Option<Cue>, RenderError> {
        self.seq += 1;
        if matches!(template.id, Some(Id::Counter)) {
            self.counter += 1;
        }
        let around = surroundings(&self.scenario, self.seq, self.began_ms);
        let branch = among(&mut self.branches, at)?;
        let moment = branch.moment(&around);
        let counter = self.counter;
        let event = render_event(
            template,
            &self.scenario.expressions,
            &branch.scope,
            moment,
            counter,
        )?;
        if let Some(topic) = &self.feeds {
            return Ok(Some(Cue::Publish(vec![Publication {
                topic: topic.clone(),
                event,
                counted: matches!(template.id, Some(Id::Counter)),
            }])));
        }
        let bytes = encode(&event, &self.script.wire.style);
        let source = Source::of(&event);
        if event.id.is_some() {
            self.last_id = event.id;
        }
        let split = template.split.clone().or_else(|| self.script.wire.split.clone());
        if split.is_none() && self.branch(at)?.gathering().is_none() && !self.output.is_busy() {
            // The usual way, without a detour.
            let frame = Frame::new(&bytes);
            return Ok(Some(Cue::Send(Write {
                frame,
                events: 1,
                source,
            })));
        }
        self.write(at, bytes, (source, 1), split, elapsed)?;
        Ok(None)
    }

    fn write(
        &mut self,
        at: BranchId,
        bytes: Vec<u8>,
        (source, events): (Source, u64),
        cuts: Option<Arc<Split>>,
        elapsed: Duration,
    ) -> Result<(), RenderError> {
        if let Some(gathered) = self.branch(at)?.gathering() {
            if gathered.bytes.len() + bytes.len() > MAX_WRITE {
                return Err(too_large());
            }
            gathered.bytes.extend_from_slice(&bytes);
            gathered.events += events;
            return Ok(());
        }
        // Late or not, the time between two pieces is kept.
        let now = if cuts.is_some() { elapsed } else { self.due };
        self.output.stage(bytes, (source, events), cuts.as_deref(), now);
        Ok(())
    }

    fn part(&mut self, at: BranchId, lists: &Branches) -> Result<(), RenderError> {
        let open = self.branches.iter().flatten().count();
        if open + lists.len() > MOST_BRANCHES {
            let why = format!("more than {MOST_BRANCHES} lists of steps run side by side");
            return Err(RenderError(why));
        }
        let branch = self.branch(at)?;
        let children: Vec<Branch> = lists.iter().map(|steps| branch.fork(steps.clone(), at)).collect();
        branch.state = State::Joining(children.len());
        // Behind their parent and in order, so that of equals the one written first comes first.
        while self.branches.len() > at + 1 && self.branches.last().is_some_and(Option::is_none) {
            self.branches.pop();
        }
        self.branches.extend(children.into_iter().map(Some));
        Ok(())
    }

    fn follow(&mut self, at: BranchId, follow: &Arc<Follow>) -> Result<Cue, RenderError> {
        let scenario = self.scenario.clone();
        let around = surroundings(&scenario, self.seq, self.began_ms);
        let branch = self.branch(at)?;
        let moment = branch.moment(&around);
        let mut topics = Vec::new();
        for topic in &follow.topics {
            topics.push(match topic {
                TopicName::Pattern(pattern) => Selector::Pattern(pattern.clone()),
                TopicName::Name(text) => {
                    let name = scenario.expressions.text(text, &branch.scope, moment)?;
                    if scenario.topic(&name).is_none() {
                        return Err(RenderError(format!("there is no topic `{name}`")));
                    }
                    Selector::Name(name)
                }
            });
        }
        let until = match &follow.duration {
            Some(pace) => Some(branch.due + branch.delay(pace, &around)?),
            None => None,
        };
        branch.state = State::Waiting(None);
        Ok(Cue::Follow(
            at,
            Following {
                topics,
                from: follow.from,
                limit: follow.limit,
                until,
            },
        ))
    }

    fn publish(&mut self, at: BranchId, all: &[Publish]) -> Result<Cue, RenderError> {
        let scenario = self.scenario.clone();
        let around = surroundings(&scenario, self.seq, self.began_ms);
        let branch = self.branch(at)?;
        let moment = branch.moment(&around);
        let one = |publish| {
            render_publish(publish, &scenario.expressions, &branch.scope, moment)
                .map_err(|fault| RenderError(fault.to_string()))
        };
        Ok(Cue::Publish(all.iter().map(one).collect::<Result<_, _>>()?))
    }

    fn wait_for(&mut self, at: BranchId, rules: &Arc<WaitFor>) -> Result<Cue, RenderError> {
        let scenario = self.scenario.clone();
        let around = surroundings(&scenario, self.seq, self.began_ms);
        let branch = self.branch(at)?;
        let moment = branch.moment(&around);
        let what = match &rules.what {
            Awaited::Signal(name) => {
                Wanted::Signal(scenario.expressions.text(name, &branch.scope, moment)?)
            }
            Awaited::Clients(count) => Wanted::Clients(*count),
            Awaited::Publish(topic) => {
                Wanted::Publish(scenario.expressions.text(topic, &branch.scope, moment)?)
            }
        };
        let until = match &rules.limit {
            Some(pace) => Some(branch.due + branch.delay(pace, &around)?),
            None => None,
        };
        branch.state = State::Waiting(Some(rules.clone()));
        Ok(Cue::Await(at, Awaiting { what, until }))
    }
}

fn choose(choices: &[(u64, Steps)], scope: &RequestScope) -> Steps {
    let total: u64 = choices.iter().map(|(weight, _)| weight).sum();
    let mut left = scope.draws().below(total);
    for (weight, steps) in choices {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return steps.clone(),
        }
    }
    choices
        .last()
        .map_or_else(|| Arc::from([]), |(_, steps)| steps.clone())
}

/// One of the branches, with the rest of the plan still at hand.
pub(super) fn among(branches: &mut [Option<Branch>], at: BranchId) -> Result<&mut Branch, RenderError> {
    let branch = branches.get_mut(at).and_then(Option::as_mut);
    branch.ok_or_else(|| RenderError("a branch of the script is gone".into()))
}
