//! Steps → cues: walks a script, on its own time.
//!
//! A step's due time counts from the previous step's due time, never from when a write finished:
//! a slow client does not stretch the script, and the same seed gives the same schedule.

use std::sync::Arc;
use std::time::Duration;

use super::cue::{Cue, Following};
use super::event::{pace, render_event};
use crate::expr::{Moment, RenderError, RequestScope};
use crate::random::Draw;
use crate::scenario::Scenario;
use crate::scenario::model::{Action, End, EventTemplate, Follow, Id, Pace, Repetition, Script, Step};
use crate::wire::{Frame, Style, encode};

/// Steps that may pass without a cue before the script counts as running wild.
const IDLE_STEPS: u32 = 10_000;

/// A stream's script under way.
pub struct Plan {
    scenario: Arc<Scenario>,
    scope: RequestScope,
    timing: Draw,
    levels: Vec<Level>,
    /// When the last step was due, since the stream began.
    due: Duration,
    /// The step that comes next, its due time known.
    next: Option<Action>,
    /// Why the next step has no due time. Found when looking ahead, told when its turn comes.
    failed: Option<RenderError>,
    /// Milliseconds since 1970 at the stream's beginning.
    began_ms: u64,
    seq: u64,
    counter: u64,
}

/// A list of steps under way.
struct Level {
    steps: Arc<[Step]>,
    at: usize,
    round: Option<Round>,
}

/// A repetition under way.
struct Round {
    every: Option<Pace>,
    left: Option<u64>,
    /// When the round was due by the schedule.
    due: Duration,
}

impl Plan {
    /// A script from its beginning; `began_ms` is the stream's start in milliseconds since 1970.
    pub fn new(
        scenario: Arc<Scenario>,
        script: &Script,
        scope: RequestScope,
        timing: Draw,
        began_ms: u64,
    ) -> Plan {
        let root = Level {
            steps: script.steps.clone(),
            at: 0,
            round: None,
        };
        Plan {
            scenario,
            scope,
            timing,
            levels: vec![root],
            due: Duration::ZERO,
            next: None,
            failed: None,
            began_ms,
            seq: 0,
            counter: 0,
        }
    }

    /// What to do now, this long after the stream began.
    pub fn next(&mut self, elapsed: Duration) -> Cue {
        match self.cue(elapsed) {
            Ok(cue) => cue,
            Err(error) => Cue::Fail(error.0),
        }
    }

    /// Whether the next cue is a topic to relay and due at once: the player subscribes before it
    /// writes what comes first, so that a client that has seen the write misses nothing.
    pub fn follow_is_next(&mut self, elapsed: Duration) -> bool {
        for _ in 0..IDLE_STEPS {
            if self.next.is_none()
                && let Err(error) = self.advance()
            {
                self.failed = Some(error);
                return false;
            }
            if self.due > elapsed {
                return false;
            }
            match self.next.take() {
                Some(Action::Repeat { repetition, steps }) => {
                    if let Err(error) = self.enter(&repetition, steps) {
                        self.failed = Some(error);
                        return false;
                    }
                }
                Some(Action::Wait) => {}
                other => {
                    self.next = other;
                    return matches!(self.next, Some(Action::Follow(_)));
                }
            }
        }
        false
    }

    /// When the step that comes next, or the one just taken, is due, since the stream began.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// A step that lasted (a relayed topic) is over: what follows counts from now.
    pub fn resume_at(&mut self, elapsed: Duration) {
        self.due = self.due.max(elapsed);
    }

    fn cue(&mut self, elapsed: Duration) -> Result<Cue, RenderError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        for _ in 0..IDLE_STEPS {
            if self.next.is_none() {
                self.advance()?;
            }
            if self.due > elapsed {
                return Ok(Cue::Wait(self.due));
            }
            match self.next.take() {
                Some(Action::Send(template)) => return self.send(&template).map(Cue::Send),
                Some(Action::Follow(follow)) => return self.follow(&follow).map(Cue::Follow),
                Some(Action::End(end)) => return Ok(Cue::End(end)),
                Some(Action::Repeat { repetition, steps }) => self.enter(&repetition, steps)?,
                Some(Action::Wait) | None => {}
            }
        }
        Err(RenderError(
            "the script runs in circles without sending or waiting".into(),
        ))
    }

    /// Finds the next step and when it is due.
    fn advance(&mut self) -> Result<(), RenderError> {
        for _ in 0..IDLE_STEPS {
            let Some(level) = self.levels.last_mut() else {
                self.next = Some(Action::End(End::Close));
                return Ok(());
            };
            if let Some(step) = level.steps.get(level.at) {
                level.at += 1;
                let step = step.clone();
                let delay = self.delay(&step.after)?;
                self.due += delay;
                self.next = Some(step.action);
                return Ok(());
            }
            self.finish_round()?;
        }
        Err(RenderError(
            "the script runs in circles without sending or waiting".into(),
        ))
    }

    /// The end of a list of steps: the next round of its repetition, or back to the list around it.
    fn finish_round(&mut self) -> Result<(), RenderError> {
        let Some(level) = self.levels.last_mut() else {
            return Ok(());
        };
        let again = match &mut level.round {
            Some(Round { left: Some(left), .. }) => {
                *left -= 1;
                *left > 0
            }
            Some(Round { left: None, .. }) => true,
            None => false,
        };
        if !again {
            self.levels.pop();
            return Ok(());
        }
        level.at = 0;
        self.schedule_round()
    }

    fn enter(&mut self, repetition: &Repetition, steps: Arc<[Step]>) -> Result<(), RenderError> {
        if repetition.times == Some(0) {
            return Ok(());
        }
        let round = Round {
            every: repetition.every.clone(),
            left: repetition.times,
            due: self.due,
        };
        self.levels.push(Level {
            steps,
            at: 0,
            round: Some(round),
        });
        self.schedule_round()
    }

    /// Moves on to the round's time: by the schedule, which does not drift when a round takes long.
    fn schedule_round(&mut self) -> Result<(), RenderError> {
        let every = self
            .levels
            .last()
            .and_then(|l| l.round.as_ref())
            .and_then(|r| r.every.clone());
        let Some(every) = every else { return Ok(()) };
        let interval = self.delay(&every)?;
        if interval.is_zero() && matches!(every, Pace::Template(_)) {
            return Err(RenderError("an interval of 0 repeats without a pause".into()));
        }
        if let Some(round) = self.levels.last_mut().and_then(|l| l.round.as_mut()) {
            round.due += interval;
            self.due = self.due.max(round.due);
        }
        Ok(())
    }

    fn delay(&mut self, after: &Pace) -> Result<Duration, RenderError> {
        let moment = self.moment();
        pace(
            after,
            &mut self.timing,
            &self.scenario.expressions,
            &self.scope,
            moment,
        )
    }

    fn moment(&self) -> Moment {
        let elapsed_ms = self.due.as_millis() as u64;
        Moment {
            seq: self.seq,
            elapsed_ms,
            now_ms: self.began_ms + elapsed_ms,
        }
    }

    fn send(&mut self, template: &EventTemplate) -> Result<Frame, RenderError> {
        self.seq += 1;
        if matches!(template.id, Some(Id::Counter)) {
            self.counter += 1;
        }
        let moment = self.moment();
        let event = render_event(
            template,
            &self.scenario.expressions,
            &self.scope,
            moment,
            self.counter,
        )?;
        Ok(Frame::new(&encode(&event, &Style::STANDARD)))
    }

    fn follow(&mut self, follow: &Follow) -> Result<Following, RenderError> {
        let moment = self.moment();
        let topic = self
            .scenario
            .expressions
            .text(&follow.topic, &self.scope, moment)?;
        if self.scenario.topic(&topic).is_none() {
            return Err(RenderError(format!("there is no topic `{topic}`")));
        }
        Ok(Following {
            topic,
            from: follow.from,
            limit: follow.limit,
        })
    }
}
