//! What a stream plays: a script, or what is left of one that only relays from now on.

use std::sync::Arc;
use std::time::Duration;

use super::chance::Chance;
use super::cue::{BranchId, Cue};
use super::script::Walk;
use crate::event::Event;
use crate::expr::{RenderError, RequestScope};
use crate::random::Draw;
use crate::scenario::Scenario;
use crate::scenario::model::{Pace, Script};
use crate::wire::{Frame, Style};

/// A script under way. Times count from the stream's beginning.
pub struct Plan(Course);

enum Course {
    Walk(Box<Walk>),
    Relaying(Relaying),
}

/// What is left of a script that only waits for what it relays; there may be very many of these.
pub(super) struct Relaying {
    pub(super) scenario: Arc<Scenario>,
    pub(super) script: Arc<Script>,
    /// The heartbeat: always the same.
    pub(super) beat: Option<Box<Frame>>,
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
        let walk = Walk::new(scenario, script, scope, chance, began_ms);
        Plan(Course::Walk(Box::new(walk)))
    }

    /// What is sent is published to a topic instead.
    pub fn feeding(self, topic: String) -> Plan {
        match self.0 {
            Course::Walk(walk) => Plan(Course::Walk(Box::new(walk.feeding(topic)))),
            relaying => Plan(relaying),
        }
    }

    fn walk(&mut self) -> Option<&mut Walk> {
        match &mut self.0 {
            Course::Walk(walk) => Some(walk),
            Course::Relaying(_) => None,
        }
    }

    /// The script never goes on from where it waits: gives back what would be needed for that, the
    /// request above all.
    pub fn forget(&mut self) {
        if let Some(rest) = self.walk().and_then(Walk::rest_of_it) {
            self.0 = Course::Relaying(rest);
        }
    }

    /// What to do now, this long after the stream began.
    pub fn next(&mut self, elapsed: Duration) -> Cue {
        self.walk().map_or(Cue::Idle, |walk| walk.next(elapsed))
    }

    /// When the cue given last was due, since the stream began.
    pub fn due(&self) -> Duration {
        match &self.0 {
            Course::Walk(walk) => walk.due(),
            Course::Relaying(_) => Duration::ZERO,
        }
    }

    /// Whether something is half written, so that nothing else may be written now.
    pub fn is_mid_event(&self) -> bool {
        matches!(&self.0, Course::Walk(walk) if walk.is_mid_event())
    }

    /// The script it plays.
    pub fn script(&self) -> &Script {
        match &self.0 {
            Course::Walk(walk) => &walk.script,
            Course::Relaying(relaying) => &relaying.script,
        }
    }

    /// The scenario it is from.
    pub fn scenario(&self) -> &Arc<Scenario> {
        match &self.0 {
            Course::Walk(walk) => &walk.scenario,
            Course::Relaying(relaying) => &relaying.scenario,
        }
    }

    /// Whether a topic gets what is sent.
    pub fn is_feed(&self) -> bool {
        matches!(&self.0, Course::Walk(walk) if walk.is_feed())
    }

    /// How events are written.
    pub fn style(&self) -> &Style {
        &self.script().wire.style
    }

    /// How long something takes that no step does, at this time since the stream began.
    pub fn delay(
        &self,
        how_long: &Pace,
        draw: &mut Draw,
        elapsed: Duration,
    ) -> Result<Duration, RenderError> {
        match &self.0 {
            Course::Walk(walk) => walk.delay(how_long, draw, elapsed),
            Course::Relaying(_) => Ok(Duration::ZERO),
        }
    }

    /// Whether relayed events are written as they are for everybody.
    pub fn relays_as_it_is(&self) -> bool {
        match &self.0 {
            Course::Walk(walk) => walk.script.wire.passes_on(),
            Course::Relaying(_) => true,
        }
    }

    /// A relayed event in this stream's own style and cuts, if they differ from the usual: it is
    /// written with the next cues.
    pub fn relay(&mut self, event: &Event, elapsed: Duration) -> bool {
        self.walk().is_some_and(|walk| walk.relay(event, elapsed))
    }

    /// A heartbeat, at this time since the stream began.
    pub fn heartbeat(&mut self, elapsed: Duration) -> Result<Option<Frame>, RenderError> {
        match &mut self.0 {
            Course::Walk(walk) => walk.heartbeat(elapsed),
            Course::Relaying(relaying) => Ok(relaying.beat.as_deref().cloned()),
        }
    }

    /// A branch that waited goes on from now.
    pub fn release(&mut self, branch: BranchId, elapsed: Duration) {
        if let Some(walk) = self.walk() {
            walk.release(branch, elapsed);
        }
    }

    /// The time of a branch that waited is up: it goes on with what it has for that.
    pub fn time_up(&mut self, branch: BranchId, elapsed: Duration) {
        if let Some(walk) = self.walk() {
            walk.time_up(branch, elapsed);
        }
    }

    /// Turns to what is done in the end, this long after the stream began, whatever ended it. The
    /// names keep the values they have by now. False if there is nothing to do.
    pub fn conclude(&mut self, elapsed: Duration) -> bool {
        self.walk().is_some_and(|walk| walk.conclude(elapsed))
    }

    /// Goes on behind the event with this id, at once; from the beginning if there is no such event
    /// among the first 20,000 (many steps that send nothing by themselves count, too), or if finding
    /// it takes too much work or more than 256 MiB.
    pub fn resume(&mut self, id: &[u8]) {
        if let Some(walk) = self.walk() {
            walk.resume(id);
        }
    }

    /// How many bytes the body will have: everything must be known beforehand.
    pub fn measure(&self) -> Result<u64, String> {
        match &self.0 {
            Course::Walk(walk) => walk.measure(),
            Course::Relaying(_) => Err("the stream never ends".into()),
        }
    }

    /// The next cue, if it is a topic to relay and due at once: the player subscribes before it
    /// writes what comes first, so that a client that has seen the write (or the head, before byte
    /// order marks) misses nothing. Steps that only lead to others are done on the way, up to a hundred
    /// that cost little.
    pub fn follow_ahead(&mut self, elapsed: Duration) -> Option<Cue> {
        self.walk()?.follow_ahead(elapsed)
    }

    /// Steps of work that its expressions have taken.
    #[cfg(test)]
    pub(super) fn spent(&self) -> u64 {
        match &self.0 {
            Course::Walk(walk) => walk.spent(),
            Course::Relaying(_) => 0,
        }
    }
}
