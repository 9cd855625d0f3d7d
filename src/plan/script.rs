//! Steps → cues: what is due next among all branches of a script.

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;
use minijinja::value::Serde;

use super::branch::{Branch, Gathered, State, Surroundings, wild};
use super::cue::{Awaiting, BranchId, Cue, Following, Publication, Setting, Wanted, Write};
use super::event::{MAX_WRITE, pace, render_event, render_publish, render_raw, too_large};
use super::output::Output;
use crate::event::Event;
use crate::expr::{Moment, RenderError, RequestScope};
use crate::random::Draw;
use crate::scenario::Scenario;
use crate::scenario::model::{
    Action, Awaited, Branches, EventTemplate, Follow, Id, Pace, Publish, Script, Selector, Split, Steps,
    TopicName, WaitFor,
};
use crate::wire::{Frame, Style, encode};

/// Steps that may pass without a cue before the script counts as running wild.
pub(super) const IDLE_STEPS: u32 = 10_000;
/// Branches of one stream at once.
const MOST_BRANCHES: usize = 1_000;

/// Where a plan's chance comes from; each has its own sequence.
#[derive(Debug, Clone)]
pub struct Chance {
    /// Delays.
    pub timing: Draw,
    /// Cuts.
    pub wire: Draw,
}

/// A script under way.
pub struct Plan {
    pub(super) scenario: Arc<Scenario>,
    pub(super) script: Arc<Script>,
    /// The topic that gets what is sent, instead of a client.
    feeds: Option<String>,
    pub(super) branches: Vec<Option<Branch>>,
    pub(super) output: Output,
    /// When the cue given last was due, since the stream began.
    pub(super) due: Duration,
    /// Milliseconds since 1970 at the stream's beginning.
    began_ms: u64,
    seq: u64,
    counter: u64,
    /// The id of the event sent last.
    pub(super) last_id: Option<bytes::Bytes>,
    /// Heartbeats have draws of their own: they come when they come.
    beats: Option<RequestScope>,
}

impl Plan {
    /// A script from its beginning; `began_ms` is the stream's start in milliseconds since 1970.
    pub fn new(
        scenario: Arc<Scenario>,
        script: Arc<Script>,
        scope: RequestScope,
        chance: Chance,
        began_ms: u64,
    ) -> Plan {
        let output = Output::new(&script.wire, chance.wire);
        let root = Branch::new(script.steps.clone(), scope, chance.timing, Duration::ZERO);
        Plan {
            scenario,
            script,
            feeds: None,
            branches: vec![Some(root)],
            output,
            due: Duration::ZERO,
            began_ms,
            seq: 0,
            counter: 0,
            last_id: None,
            beats: None,
        }
    }

    /// What is sent is published to a topic instead.
    pub fn feeding(mut self, topic: String) -> Plan {
        self.feeds = Some(topic);
        self
    }

    /// What is done in the end, whatever ended the stream, with the names that have values by now.
    pub fn epilogue(mut self) -> Option<Plan> {
        if self.script.finally.is_empty() {
            return None;
        }
        let root = self.branches.get_mut(0)?.take()?;
        let steps = self.script.finally.clone();
        self.branches = vec![Some(Branch::new(steps, root.scope, root.timing, self.due))];
        self.output = Output::new(&Default::default(), self.output.into_draw());
        Some(self)
    }

    /// A copy that draws and names nothing of the original's, to look ahead with.
    pub(super) fn copy(&self) -> Plan {
        Plan {
            scenario: self.scenario.clone(),
            script: self.script.clone(),
            feeds: self.feeds.clone(),
            branches: self
                .branches
                .iter()
                .map(|b| b.as_ref().map(Branch::copy))
                .collect(),
            output: self.output.clone(),
            last_id: self.last_id.clone(),
            beats: None,
            ..*self
        }
    }

    /// What to do now, this long after the stream began.
    pub fn next(&mut self, elapsed: Duration) -> Cue {
        match self.cue(elapsed) {
            Ok(cue) => cue,
            Err(error) => Cue::Fail(error.0),
        }
    }

    /// When the cue given last was due, since the stream began.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Whether something is half written, so that nothing else may be written now.
    pub fn is_mid_event(&self) -> bool {
        self.output.is_busy()
    }

    /// The script it plays.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// The scenario it is from.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// How long something takes that no step does, at this time since the stream began.
    pub fn delay(
        &self,
        how_long: &Pace,
        draw: &mut Draw,
        elapsed: Duration,
    ) -> Result<Duration, RenderError> {
        let moment = self.moment(elapsed);
        match self.branches.iter().flatten().next() {
            Some(root) => pace(how_long, draw, &self.scenario.expressions, &root.scope, moment),
            None => Ok(Duration::ZERO),
        }
    }

    /// How events are written.
    pub fn style(&self) -> &Style {
        &self.script.wire.style
    }

    /// A relayed event in this stream's own style and cuts, if they differ from the usual: it is
    /// written with the next cues.
    pub fn relay(&mut self, event: &Event, elapsed: Duration) -> bool {
        let wire = &self.script.wire;
        if wire.split.is_none() && wire.style == Style::STANDARD {
            return false;
        }
        let cuts = wire.split.clone();
        self.output
            .stage(encode(event, &wire.style), 1, cuts.as_deref(), elapsed);
        true
    }

    /// A heartbeat, at this time since the stream began.
    pub fn heartbeat(&mut self, elapsed: Duration) -> Result<Option<Frame>, RenderError> {
        let Some(heartbeat) = &self.script.heartbeat else {
            return Ok(None);
        };
        if self.beats.is_none() {
            let root = self.branches.iter().flatten().next();
            self.beats = root.map(|root| root.scope.fork(u64::MAX));
        }
        let Some(scope) = &self.beats else { return Ok(None) };
        let moment = self.moment(elapsed);
        let event = render_event(&heartbeat.event, &self.scenario.expressions, scope, moment, 0)?;
        Ok(Some(Frame::new(&encode(&event, &self.script.wire.style))))
    }

    /// A branch that waited goes on from now.
    pub fn release(&mut self, branch: BranchId, elapsed: Duration) {
        if let Some(Some(branch)) = self.branches.get_mut(branch) {
            branch.state = State::Running;
            branch.due = branch.due.max(elapsed);
        }
    }

    /// The time of a branch that waited is up: it goes on with what it has for that.
    pub fn time_up(&mut self, branch: BranchId, elapsed: Duration) {
        let otherwise = match self.branches.get(branch) {
            Some(Some(Branch {
                state: State::Waiting(Some(rules)),
                ..
            })) => Some(rules.otherwise.clone()),
            _ => None,
        };
        self.release(branch, elapsed);
        if let (Some(Some(branch)), Some(steps)) = (self.branches.get_mut(branch), otherwise) {
            branch.enter(steps);
        }
    }

    pub(super) fn moment(&self, at: Duration) -> Moment {
        let elapsed_ms = at.as_millis() as u64;
        Moment {
            seq: self.seq,
            elapsed_ms,
            now_ms: self.began_ms + elapsed_ms,
        }
    }

    fn cue(&mut self, elapsed: Duration) -> Result<Cue, RenderError> {
        for _ in 0..IDLE_STEPS {
            if let Some(cue) = self.piece(elapsed)? {
                return Ok(cue);
            }
            let Some(at) = self.earliest()? else {
                return Ok(self.nothing_runs());
            };
            let (due, step) = {
                let branch = self.branch(at)?;
                if let Some(error) = branch.failed.take() {
                    return Err(error);
                }
                (
                    branch.due,
                    if branch.due > elapsed { None } else { branch.take() },
                )
            };
            let Some((steps, place)) = step else {
                return Ok(Cue::Wait(due));
            };
            self.due = due;
            if let Some(cue) = self.perform(at, &steps[place].action, elapsed)? {
                return Ok(cue);
            }
        }
        Err(wild())
    }

    /// The next piece of what was sent last.
    fn piece(&mut self, elapsed: Duration) -> Result<Option<Cue>, RenderError> {
        if !self.output.is_busy() {
            return Ok(None);
        }
        if self.output.due() > elapsed {
            return Ok(Some(Cue::Wait(self.output.due())));
        }
        let due = self.output.due();
        self.due = due;
        let moment = self.moment(due);
        let Some(branch) = self.branches.iter().flatten().next() else {
            return Ok(None);
        };
        let write = self
            .output
            .take(&self.scenario.expressions, &branch.scope, moment)?;
        Ok(write.map(Cue::Send))
    }

    /// No branch goes on by itself: either some wait, or all is done.
    fn nothing_runs(&self) -> Cue {
        use crate::scenario::model::End;
        match self.branches.iter().flatten().next() {
            Some(Branch {
                state: State::Done, ..
            })
            | None => Cue::End(End::Close),
            Some(_) => Cue::Idle,
        }
    }

    fn branch(&mut self, at: BranchId) -> Result<&mut Branch, RenderError> {
        let branch = self.branches.get_mut(at).and_then(Option::as_mut);
        branch.ok_or_else(|| RenderError("a branch of the script is gone".into()))
    }

    /// The branch whose next step is due first; of several the one that was written first.
    pub(super) fn earliest(&mut self) -> Result<Option<BranchId>, RenderError> {
        let mut at = 0;
        while at < self.branches.len() {
            self.prepare(at)?;
            at += 1;
        }
        let running = |(at, branch): (usize, &Option<Branch>)| match branch {
            Some(b) if matches!(b.state, State::Running) => Some((b.due, at)),
            _ => None,
        };
        let first = self.branches.iter().enumerate().filter_map(running).min();
        Ok(first.map(|(_, at)| at))
    }

    /// Finds a branch's next step. A branch that is done lets the one go on that waits for it.
    fn prepare(&mut self, at: BranchId) -> Result<(), RenderError> {
        let around = surroundings(&self.scenario, self.seq, self.began_ms);
        let Some(Some(branch)) = self.branches.get_mut(at) else {
            return Ok(());
        };
        while matches!(branch.state, State::Running) && branch.peek().is_none() && branch.failed.is_none() {
            match branch.advance(&around) {
                Ok(None) => {}
                Ok(Some(gathered)) => {
                    let due = branch.due;
                    let Gathered { bytes, events } = gathered;
                    self.output.stage(bytes, events, None, due);
                    return Ok(());
                }
                Err(error) => branch.failed = Some(error),
            }
        }
        match (&branch.state, branch.parent) {
            (State::Done, Some(parent)) => self.join(at, parent),
            _ => Ok(()),
        }
    }

    fn join(&mut self, at: BranchId, parent: BranchId) -> Result<(), RenderError> {
        let Some(child) = self.branches[at].take() else {
            return Ok(());
        };
        let waiting = self.branch(parent)?;
        waiting.due = waiting.due.max(child.due);
        if let State::Joining(left) = &mut waiting.state {
            *left -= 1;
            if *left == 0 {
                waiting.state = State::Running;
                return self.prepare(parent);
            }
        }
        Ok(())
    }

    pub(super) fn perform(
        &mut self,
        at: BranchId,
        action: &Action,
        elapsed: Duration,
    ) -> Result<Option<Cue>, RenderError> {
        let around = surroundings(&self.scenario, self.seq, self.began_ms);
        let branch = self
            .branches
            .get_mut(at)
            .and_then(Option::as_mut)
            .ok_or_else(wild)?;
        let moment = branch.moment(&around);
        let expressions = &self.scenario.expressions;
        match action {
            Action::Send(template) => return self.send(at, template, elapsed),
            Action::Raw(raw) => {
                let bytes = render_raw(raw, expressions, &branch.scope, moment)?;
                self.write(at, bytes, 0, raw.split.clone(), elapsed)?;
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
        let branch = self
            .branches
            .get_mut(at)
            .and_then(Option::as_mut)
            .ok_or_else(wild)?;
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
        if event.id.is_some() {
            self.last_id = event.id;
        }
        let split = template.split.clone().or_else(|| self.script.wire.split.clone());
        if split.is_none() && self.branch(at)?.gathering().is_none() && !self.output.is_busy() {
            // The usual way, without a detour.
            let frame = Frame::new(&bytes);
            return Ok(Some(Cue::Send(Write { frame, events: 1 })));
        }
        self.write(at, bytes, 1, split, elapsed)?;
        Ok(None)
    }

    fn write(
        &mut self,
        at: BranchId,
        bytes: Vec<u8>,
        events: u64,
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
        self.output.stage(bytes, events, cuts.as_deref(), now);
        Ok(())
    }

    fn part(&mut self, at: BranchId, lists: &Branches) -> Result<(), RenderError> {
        let open = self.branches.iter().flatten().count();
        if open + lists.len() > MOST_BRANCHES {
            let why = format!("more than {MOST_BRANCHES} lists of steps run side by side");
            return Err(RenderError(why));
        }
        let branch = self.branch(at)?;
        let children: Vec<Branch> = lists
            .iter()
            .enumerate()
            .map(|(i, steps)| branch.fork(steps.clone(), i, at))
            .collect();
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

pub(super) fn surroundings(scenario: &Scenario, seq: u64, began_ms: u64) -> Surroundings<'_> {
    Surroundings {
        expressions: &scenario.expressions,
        seq,
        began_ms,
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
