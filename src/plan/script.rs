//! Steps → cues: what is due next among all branches of a script.

use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::branch::{Branch, Gathered, State, Surroundings};
use super::chance::Chance;
use super::course::Relaying;
use super::cue::{BranchId, Cue, Source};
use super::event::{pace, render_event, wild};
use super::output::Output;
use super::perform::among;
use crate::event::Event;
use crate::expr::{Moment, RenderError, RequestScope};
use crate::random::Draw;
use crate::scenario::Scenario;
use crate::scenario::model::{Action, Pace, Script};
use crate::wire::{Frame, encode};

/// Steps that may pass without a cue before the script counts as running wild.
const IDLE_STEPS: u32 = 10_000;
/// Steps that are done at once. Each may cost much, and whoever plays has others to serve.
pub(super) const AT_ONCE: u32 = 16;
/// Work of expressions that is done at once, in steps; the last one may take more.
pub(super) const WORK_AT_ONCE: u64 = 100_000;

/// A script under way, all of it.
pub(super) struct Walk {
    pub(super) scenario: Arc<Scenario>,
    pub(super) script: Arc<Script>,
    /// The topic that gets what is sent, instead of a client.
    pub(super) feeds: Option<String>,
    /// Mostly there is one.
    pub(super) branches: SmallVec<[Option<Branch>; 1]>,
    pub(super) output: Output,
    /// When the cue given last was due, since the stream began.
    pub(super) due: Duration,
    /// Milliseconds since 1970 at the stream's beginning.
    pub(super) began_ms: u64,
    pub(super) seq: u64,
    pub(super) counter: u64,
    /// The id of the event sent last.
    pub(super) last_id: Option<bytes::Bytes>,
    /// Steps that have passed without a cue.
    idle: u32,
    /// Heartbeats have draws of their own: they come when they come.
    beats: Option<RequestScope>,
}

impl Walk {
    /// A script from its beginning; `began_ms` is the stream's start in milliseconds since 1970.
    pub(super) fn new(
        scenario: Arc<Scenario>,
        script: Arc<Script>,
        scope: RequestScope,
        chance: Chance,
        began_ms: u64,
    ) -> Walk {
        let output = Output::new(&script.wire, chance.wire);
        let root = Branch::new(script.steps.clone(), scope, chance.timing, Duration::ZERO);
        Walk {
            scenario,
            script,
            feeds: None,
            branches: smallvec![Some(root)],
            output,
            due: Duration::ZERO,
            began_ms,
            seq: 0,
            counter: 0,
            last_id: None,
            idle: 0,
            beats: None,
        }
    }

    /// What is sent is published to a topic instead.
    pub(super) fn feeding(mut self, topic: String) -> Walk {
        self.feeds = Some(topic);
        self
    }

    /// Turns to what is done in the end, this long after the stream began, whatever ended it. The
    /// names keep the values they have by now. False if there is nothing to do.
    pub(super) fn conclude(&mut self, elapsed: Duration) -> bool {
        let root = self.branches.first_mut().and_then(Option::take);
        let Some(root) = root.filter(|_| !self.script.finally.is_empty()) else {
            return false;
        };
        self.due = self.due.max(elapsed);
        let steps = self.script.finally.clone();
        self.branches = smallvec![Some(Branch::new(steps, root.scope, root.timing, self.due))];
        self.output = Output::new(&Default::default(), self.output.draw());
        true
    }

    /// A copy that draws and names nothing of the original's, to look ahead with.
    pub(super) fn copy(&self) -> Walk {
        Walk {
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

    /// Steps of work that its expressions have taken; branches count together.
    pub(super) fn spent(&self) -> u64 {
        let branches = self.branches.iter().flatten();
        branches.map(|branch| branch.scope.spent()).max().unwrap_or(0)
    }

    /// What to do now, this long after the stream began.
    pub(super) fn next(&mut self, elapsed: Duration) -> Cue {
        match self.cue(elapsed) {
            Ok(cue) => cue,
            Err(error) => Cue::Fail(error.0),
        }
    }

    /// When the cue given last was due, since the stream began.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// Whether something is half written, so that nothing else may be written now.
    pub(super) fn is_mid_event(&self) -> bool {
        self.output.is_busy()
    }

    /// How long something takes that no step does, at this time since the stream began.
    pub(super) fn delay(
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

    /// A relayed event in this stream's own style and cuts, if they differ from the usual: it is
    /// written with the next cues.
    pub(super) fn relay(&mut self, event: &Event, elapsed: Duration) -> bool {
        let wire = &self.script.wire;
        if wire.passes_on() {
            return false;
        }
        let cuts = wire.split.clone();
        let bytes = encode(event, &wire.style);
        self.output
            .stage(bytes, (Source::Relayed, 1), cuts.as_deref(), elapsed);
        true
    }

    /// A heartbeat, at this time since the stream began.
    pub(super) fn heartbeat(&mut self, elapsed: Duration) -> Result<Option<Frame>, RenderError> {
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

    /// What is left of it, if it never goes on from where it waits, does nothing in the end, and has a
    /// heartbeat that is always the same, or none.
    pub(super) fn rest_of_it(&mut self) -> Option<Relaying> {
        let script = &self.script;
        let fixed = script.heartbeat.as_ref().is_none_or(|beat| beat.event.is_fixed());
        let alone = matches!(
            self.branches.as_slice(),
            [Some(Branch {
                state: State::Waiting(None),
                ..
            })]
        );
        if !alone || !fixed || self.feeds.is_some() || !script.finally.is_empty() || self.output.is_busy() {
            return None;
        }
        let beat = self.heartbeat(Duration::ZERO).ok()?;
        Some(Relaying {
            scenario: self.scenario.clone(),
            script: self.script.clone(),
            beat: beat.map(Box::new),
        })
    }

    /// A branch that waited goes on from now.
    pub(super) fn release(&mut self, branch: BranchId, elapsed: Duration) {
        if let Some(Some(branch)) = self.branches.get_mut(branch) {
            branch.state = State::Running;
            branch.due = branch.due.max(elapsed);
        }
    }

    /// The time of a branch that waited is up: it goes on with what it has for that.
    pub(super) fn time_up(&mut self, branch: BranchId, elapsed: Duration) {
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
        let spent = self.spent();
        for _ in 0..AT_ONCE {
            if let Some(cue) = self.step(elapsed)? {
                self.idle = 0;
                return Ok(cue);
            }
            self.idle += 1;
            if self.spent().saturating_sub(spent) > WORK_AT_ONCE {
                break;
            }
        }
        if self.idle > IDLE_STEPS {
            return Err(wild());
        }
        Ok(Cue::Wait(elapsed))
    }

    /// The next cue, unless a step comes first that yields none.
    fn step(&mut self, elapsed: Duration) -> Result<Option<Cue>, RenderError> {
        if let Some(cue) = self.piece(elapsed)? {
            return Ok(Some(cue));
        }
        let Some(at) = self.earliest()? else {
            return Ok(Some(self.nothing_runs(elapsed)));
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
            return Ok(Some(Cue::Wait(due)));
        };
        self.due = due;
        let action = &steps[place].action;
        // What is gathered for one write is bounded in bytes.
        if matches!(action, Action::Send(_) | Action::Raw(_) | Action::Recorded(_)) {
            self.idle = 0;
        }
        self.perform(at, action, elapsed)
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
    fn nothing_runs(&self, elapsed: Duration) -> Cue {
        use crate::scenario::model::End;
        match self.branches.iter().flatten().next() {
            // A stall that is the last step takes its time, too.
            Some(Branch {
                state: State::Done,
                due,
                ..
            }) if *due > elapsed => Cue::Wait(*due),
            Some(Branch {
                state: State::Done, ..
            })
            | None => Cue::End(End::Close),
            Some(_) => Cue::Idle,
        }
    }

    pub(super) fn branch(&mut self, at: BranchId) -> Result<&mut Branch, RenderError> {
        among(&mut self.branches, at)
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
                    self.output.stage(bytes, (Source::OneWrite, events), None, due);
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
}

pub(super) fn surroundings(scenario: &Scenario, seq: u64, began_ms: u64) -> Surroundings<'_> {
    Surroundings {
        expressions: &scenario.expressions,
        seq,
        began_ms,
    }
}
