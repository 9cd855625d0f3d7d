//! One list of steps under way, on its own time: repetitions, lists inside lists, and when the
//! next step is due.
//!
//! A step's due time counts from the previous step's due time, never from when a write finished:
//! a slow client does not stretch the script, and the same seed gives the same schedule.

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Value as Json;
use smallvec::{SmallVec, smallvec};

use super::event::{pace, wild};
use crate::expr::{Expressions, Moment, RenderError, RequestScope};
use crate::random::Draw;
use crate::scenario::model::{Action, ForEach, Items, Pace, Repetition, Step, Steps, WaitFor};

/// Lists that may end one after the other before the script counts as running wild.
const IDLE_STEPS: u32 = 10_000;

/// What a branch sees besides its own: the scenario's templates, and the moment without its time.
pub(super) struct Surroundings<'p> {
    pub(super) expressions: &'p Expressions,
    pub(super) seq: u64,
    pub(super) began_ms: u64,
}

/// A list of steps under way.
pub(super) struct Branch {
    pub(super) scope: RequestScope,
    pub(super) timing: Draw,
    levels: SmallVec<[Level; 2]>,
    /// When the last step was due, since the stream began.
    pub(super) due: Duration,
    /// The step that comes next, its due time known: a place in a list.
    next: Option<(Steps, usize)>,
    /// Why the next step has no due time. Found when looking ahead, told when its turn comes.
    pub(super) failed: Option<RenderError>,
    pub(super) state: State,
    /// The branch that waits for this one.
    pub(super) parent: Option<usize>,
    /// What is gathered for one write.
    gathered: Option<Gathered>,
    /// How many branches it has had: each draws apart.
    forked: u64,
}

/// Bytes for one write, and how many events are in them.
#[derive(Default, Clone)]
pub(super) struct Gathered {
    pub(super) bytes: Vec<u8>,
    pub(super) events: u64,
}

/// Whether a branch goes on by itself.
#[derive(Clone)]
pub(super) enum State {
    /// It does.
    Running,
    /// It waits for the player; if its time is up, these steps come first.
    Waiting(Option<Arc<WaitFor>>),
    /// It waits for so many branches of its own.
    Joining(usize),
    /// All its steps are done.
    Done,
}

#[derive(Clone)]
struct Level {
    steps: Steps,
    at: usize,
    kind: Kind,
}

/// What comes when a list of steps is at its end.
#[derive(Clone)]
enum Kind {
    /// The list around it.
    Once,
    /// The next round.
    Round(Round),
    /// The next entry.
    Each(Box<Each>),
    /// The write of what was gathered.
    Gather,
}

/// A repetition under way.
#[derive(Clone)]
struct Round {
    rules: Arc<Repetition>,
    left: Option<u64>,
    /// The condition is to be asked before the round begins.
    asks: bool,
    /// When the round was due by the schedule.
    due: Duration,
}

/// A list whose entries are gone through.
#[derive(Clone)]
struct Each {
    items: Arc<[Json]>,
    at: usize,
    /// What the name stands for around the list.
    outer: Option<Value>,
    rules: Arc<ForEach>,
    due: Duration,
}

impl Branch {
    pub(super) fn new(steps: Steps, scope: RequestScope, timing: Draw, due: Duration) -> Branch {
        let root = Level {
            steps,
            at: 0,
            kind: Kind::Once,
        };
        Branch {
            scope,
            timing,
            levels: smallvec![root],
            due,
            next: None,
            failed: None,
            state: State::Running,
            parent: None,
            gathered: None,
            forked: 0,
        }
    }

    /// A branch beside others, with names and draws of its own.
    pub(super) fn fork(&mut self, steps: Steps, parent: usize) -> Branch {
        let index = self.forked;
        self.forked += 1;
        let mut branch = Branch::new(steps, self.scope.fork(index), self.timing.fork(index), self.due);
        branch.parent = Some(parent);
        branch
    }

    /// The same branch with names and draws of its own, to look ahead with.
    pub(super) fn copy(&self) -> Branch {
        Branch {
            scope: self.scope.copy(),
            timing: self.timing.clone(),
            levels: self.levels.clone(),
            due: self.due,
            next: self.next.clone(),
            failed: self.failed.clone(),
            state: self.state.clone(),
            parent: self.parent,
            gathered: self.gathered.clone(),
            forked: self.forked,
        }
    }

    /// Moves its whole schedule to an earlier time.
    pub(super) fn shift(&mut self, by: Duration) {
        self.due = self.due.saturating_sub(by);
        for level in &mut self.levels {
            match &mut level.kind {
                Kind::Round(round) => round.due = round.due.saturating_sub(by),
                Kind::Each(each) => each.due = each.due.saturating_sub(by),
                Kind::Once | Kind::Gather => {}
            }
        }
    }

    /// The step that comes next.
    pub(super) fn peek(&self) -> Option<&Step> {
        self.next.as_ref().map(|(steps, at)| &steps[*at])
    }

    /// Takes the step that comes next: its list, and its place there.
    pub(super) fn take(&mut self) -> Option<(Steps, usize)> {
        self.next.take()
    }

    pub(super) fn moment(&self, around: &Surroundings) -> Moment {
        let elapsed_ms = self.due.as_millis() as u64;
        Moment {
            seq: around.seq,
            elapsed_ms,
            now_ms: around.began_ms + elapsed_ms,
        }
    }

    /// Finds the next step and when it is due. What has been gathered for one write comes out when
    /// its steps are done.
    pub(super) fn advance(&mut self, around: &Surroundings) -> Result<Option<Gathered>, RenderError> {
        for _ in 0..IDLE_STEPS {
            let Some(level) = self.levels.last_mut() else {
                self.state = State::Done;
                return Ok(None);
            };
            if let Kind::Round(round) = &mut level.kind
                && std::mem::take(&mut round.asks)
                && let Some(condition) = &round.rules.clone().condition
            {
                let moment = self.moment(around);
                if !around.expressions.holds(condition, &self.scope, moment)? {
                    self.levels.pop();
                }
                continue;
            }
            if level.at < level.steps.len() {
                let place = (level.steps.clone(), level.at);
                level.at += 1;
                let delay = self.delay(&place.0[place.1].after, around)?;
                self.due += delay;
                self.next = Some(place);
                return Ok(None);
            }
            let gathered = self.finish_level(around)?;
            if gathered.is_some() || self.next.is_some() {
                return Ok(gathered);
            }
        }
        Err(wild())
    }

    /// The end of a list of steps: its next round or entry, or back to the list around it.
    fn finish_level(&mut self, around: &Surroundings) -> Result<Option<Gathered>, RenderError> {
        let Some(level) = self.levels.last_mut() else {
            return Ok(None);
        };
        let again = match &mut level.kind {
            Kind::Once | Kind::Gather => false,
            Kind::Round(round) => match &mut round.left {
                Some(left) => {
                    *left -= 1;
                    *left > 0
                }
                None => true,
            },
            Kind::Each(each) => {
                each.at += 1;
                each.at < each.items.len()
            }
        };
        if again {
            level.at = 0;
            self.begin_round(around)?;
            return Ok(None);
        }
        Ok(match self.levels.pop().map(|level| level.kind) {
            Some(Kind::Gather) => self.gathered.take(),
            Some(Kind::Each(each)) => {
                if let Some(outer) = each.outer {
                    self.scope.bind(&each.rules.name, outer);
                }
                None
            }
            _ => None,
        })
    }

    /// Steps inside the step at hand.
    pub(super) fn enter(&mut self, steps: Steps) {
        self.push(steps, Kind::Once);
    }

    /// Steps whose bytes are gathered for one write.
    pub(super) fn gather(&mut self, steps: Steps) {
        self.gathered = Some(Gathered::default());
        self.push(steps, Kind::Gather);
    }

    /// Whether bytes are gathered for one write.
    pub(super) fn gathers(&self) -> bool {
        self.gathered.is_some()
    }

    /// Where bytes go while they are gathered.
    pub(super) fn gathering(&mut self) -> Option<&mut Gathered> {
        self.gathered.as_mut()
    }

    fn push(&mut self, steps: Steps, kind: Kind) {
        self.levels.push(Level { steps, at: 0, kind });
    }

    /// Steps that are repeated.
    pub(super) fn repeat(
        &mut self,
        rules: &Arc<Repetition>,
        steps: Steps,
        around: &Surroundings,
    ) -> Result<(), RenderError> {
        if rules.times == Some(0) {
            return Ok(());
        }
        let round = Round {
            rules: rules.clone(),
            left: rules.times,
            asks: false,
            due: self.due,
        };
        self.push(steps, Kind::Round(round));
        self.begin_round(around)
    }

    /// Steps for each entry of a list.
    pub(super) fn for_each(
        &mut self,
        rules: &Arc<ForEach>,
        around: &Surroundings,
    ) -> Result<(), RenderError> {
        let items = match &rules.items {
            Items::Fixed(items) => items.clone(),
            Items::Tree(tree) => {
                let moment = self.moment(around);
                match around.expressions.tree(tree, &self.scope, moment)? {
                    Json::Array(items) => items.into(),
                    other => return Err(no_list(&other)),
                }
            }
        };
        if items.is_empty() {
            return Ok(());
        }
        let each = Each {
            items,
            at: 0,
            outer: None,
            rules: rules.clone(),
            due: self.due,
        };
        self.push(rules.steps.clone(), Kind::Each(Box::new(each)));
        self.begin_round(around)
    }

    /// Moves on to the round's time: by the schedule, which does not drift when a round takes long.
    fn begin_round(&mut self, around: &Surroundings) -> Result<(), RenderError> {
        let (every, conditional) = match self.levels.last_mut().map(|level| &mut level.kind) {
            Some(Kind::Round(round)) => {
                round.asks = round.rules.condition.is_some();
                (round.rules.every.clone(), round.asks)
            }
            Some(Kind::Each(each)) => (each.rules.every.clone(), false),
            _ => return Ok(()),
        };
        if let Some(every) = every {
            let interval = self.delay(&every, around)?;
            if interval.is_zero() && matches!(every, Pace::Template(_)) {
                return Err(RenderError("an interval of 0 repeats without a pause".into()));
            }
            if let Some(due) = self.round_due() {
                *due += interval;
                let due = *due;
                self.due = self.due.max(due);
            }
        }
        if conditional {
            // Asked when the round is due, not when the one before it is done.
            let action = Action::Wait;
            let after = Pace::ZERO;
            self.next = Some((Arc::from([Step { after, action }]), 0));
            return Ok(());
        }
        if let Some(Kind::Each(each)) = self.levels.last_mut().map(|level| &mut level.kind) {
            let item = Value::from(Serde(each.items[each.at].clone()));
            let before = self.scope.bind(&each.rules.name, item);
            if each.at == 0 {
                each.outer = before;
            }
        }
        Ok(())
    }

    fn round_due(&mut self) -> Option<&mut Duration> {
        match self.levels.last_mut().map(|level| &mut level.kind) {
            Some(Kind::Round(round)) => Some(&mut round.due),
            Some(Kind::Each(each)) => Some(&mut each.due),
            _ => None,
        }
    }

    /// How long a delay is this time.
    pub(super) fn delay(&mut self, after: &Pace, around: &Surroundings) -> Result<Duration, RenderError> {
        let moment = self.moment(around);
        pace(after, &mut self.timing, around.expressions, &self.scope, moment)
    }
}

fn no_list(value: &Json) -> RenderError {
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    };
    RenderError(format!("`for_each` needs a list, this is {kind}"))
}
