//! Looking ahead: where a client resumes, how long a body will be, whether a topic comes next.

use std::time::Duration;

use super::cue::{BranchId, Cue};
use super::script::{AT_ONCE, WORK_AT_ONCE, Walk};
use crate::expr::RenderError;
use crate::scenario::model::{Action, End};

/// Cues, or steps without one, in which the client's last event is looked for.
const FAR: usize = 20_000;
/// Cues that a body of a known length may have.
const MOST_CUES: usize = 200_000;
/// Bytes that are made in vain while a request waits for its answer.
const MOST_BYTES: u64 = 256 << 20;
/// Steps of work that expressions may take in all while a request waits for its answer.
const MOST_WORK: u64 = 10_000_000;
/// Steps that are done to find the topic that comes next.
const NEAR: u32 = 100;

/// What was found ahead.
enum Ahead {
    /// A step that has been done.
    Step,
    /// A topic to relay.
    Follow(Cue),
    /// Something that has to wait for its time.
    Other,
}

impl Walk {
    /// Goes on behind the event with this id, at once; from the beginning if there is no such event
    /// among the first 20,000 (many steps that send nothing by themselves count, too), or if finding
    /// it takes too much work or more than 256 MiB.
    pub(super) fn resume(&mut self, id: &[u8]) {
        let mut ahead = self.copy();
        let (mut elapsed, mut bytes) = (Duration::ZERO, 0);
        let mut far = 0;
        while far < FAR {
            let cue = ahead.next(elapsed);
            bytes += size(&cue);
            far += match cue {
                // Many steps were done at once, and there is more to do.
                Cue::Wait(due) if due <= elapsed => AT_ONCE as usize,
                _ => 1,
            };
            match cue {
                Cue::Wait(due) => elapsed = due,
                // The last piece of an event counts, not those before it.
                Cue::Send(write) if write.events > 0 && ahead.last_id.as_deref() == Some(id) => {
                    let passed = ahead.due();
                    ahead.output.restart(&self.script.wire, passed);
                    ahead.due = Duration::ZERO;
                    ahead
                        .branches
                        .iter_mut()
                        .flatten()
                        .for_each(|branch| branch.shift(passed));
                    *self = ahead;
                    return;
                }
                Cue::End(_) | Cue::Fail(_) | Cue::Idle => return,
                _ => {}
            }
            if bytes > MOST_BYTES || ahead.spent() > MOST_WORK {
                return;
            }
        }
    }

    /// How many bytes the body will have: everything must be known beforehand.
    pub(super) fn measure(&self) -> Result<u64, String> {
        let mut ahead = self.copy();
        let (mut elapsed, mut bytes) = (Duration::ZERO, 0);
        for _ in 0..MOST_CUES {
            match ahead.next(elapsed) {
                Cue::Wait(due) => elapsed = due,
                Cue::Send(write) => bytes += write.frame.len() as u64,
                Cue::End(End::Stall | End::Hold) => return Err("the stream never ends".into()),
                // One byte is missing in the end: so a client sees that the body was broken off.
                Cue::End(End::Cut { .. } | End::Reset) => return Ok(bytes + 1),
                Cue::End(_) => return Ok(bytes),
                Cue::Fail(why) => return Err(why),
                Cue::Idle => return Err("the stream waits for what happens elsewhere".into()),
                _ => {}
            }
            if bytes > MOST_BYTES || ahead.spent() > MOST_WORK {
                break;
            }
        }
        Err("the body is too long for its length to be known beforehand".into())
    }

    /// The next cue, if it is a topic to relay and due at once: the player subscribes before it
    /// writes what comes first, so that a client that has seen the write (or the head, before byte
    /// order marks) misses nothing. Steps that only lead to others are done on the way, up to a hundred
    /// that cost little.
    pub(super) fn follow_ahead(&mut self, elapsed: Duration) -> Option<Cue> {
        let spent = self.spent();
        for _ in 0..NEAR {
            match self.leads_on(elapsed) {
                Ok(Ahead::Step) if self.spent().saturating_sub(spent) > WORK_AT_ONCE => return None,
                Ok(Ahead::Step) => {}
                Ok(Ahead::Follow(cue)) => return Some(cue),
                Ok(Ahead::Other) => return None,
                Err((at, error)) => {
                    if let Some(Some(branch)) = self.branches.get_mut(at) {
                        branch.failed = Some(error);
                    }
                    return None;
                }
            }
        }
        None
    }

    /// Does the next step if it relays a topic, or only leads to others.
    fn leads_on(&mut self, elapsed: Duration) -> Result<Ahead, (BranchId, RenderError)> {
        if self.output.is_under_way() {
            return Ok(Ahead::Other);
        }
        let Ok(Some(at)) = self.earliest() else {
            return Ok(Ahead::Other);
        };
        if self.output.is_under_way() {
            return Ok(Ahead::Other);
        }
        let Some(Some(branch)) = self.branches.get_mut(at) else {
            return Ok(Ahead::Other);
        };
        let ready = branch.due <= elapsed && branch.failed.is_none() && !branch.gathers();
        match branch.peek().filter(|_| ready).map(|step| &step.action) {
            Some(
                Action::Follow(_)
                | Action::Wait
                | Action::Let(_)
                | Action::If { .. }
                | Action::Choose(_)
                | Action::Repeat { .. }
                | Action::ForEach(_)
                | Action::Parallel(_),
            ) => {
                let Some((steps, place)) = branch.take() else {
                    return Ok(Ahead::Other);
                };
                let action = &steps[place].action;
                match self.perform(at, action, elapsed) {
                    Ok(done) => Ok(done.map_or(Ahead::Step, Ahead::Follow)),
                    Err(error) if matches!(action, Action::Follow(_)) => {
                        Ok(Ahead::Follow(Cue::Fail(error.0)))
                    }
                    Err(error) => Err((at, error)),
                }
            }
            _ => Ok(Ahead::Other),
        }
    }
}

/// Bytes that were made for a cue.
fn size(cue: &Cue) -> u64 {
    let data = |data: &Option<bytes::Bytes>| data.as_ref().map_or(0, bytes::Bytes::len);
    match cue {
        Cue::Send(write) => write.frame.len() as u64,
        Cue::Publish(all) => all.iter().map(|one| data(&one.event.data) as u64).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;
    use super::*;

    #[test]
    fn a_topic_is_seen_through_the_steps_that_lead_to_it() {
        for (steps, seen) in [
            ("{ follow: t }", true),
            ("{ parallel: [[{ follow: t }], [{ data: x }]] }", true),
            (
                "{ let: { n: 1 } }, { if: 'n == 1', then: [{ follow: t }], else: [{ data: x }] }",
                true,
            ),
            ("{ choose: [{ steps: [{ wait: 0s }, { follow: t }] }] }", true),
            (
                "{ for_each: { in: [a], steps: [{ follow: { topic: t, limit: 1 } }] } }",
                true,
            ),
            ("{ parallel: [[{ data: x }], [{ follow: t }]] }", false),
            ("{ if: 'false', then: [{ follow: t }] }, { data: x }", false),
            ("{ set: { n: 1 } }, { follow: t }", false),
            ("{ after: 1s, follow: t }", false),
            (
                "{ one_write: [{ if: 'true', then: [{ data: x }] }] }, { follow: t }",
                false,
            ),
        ] {
            let mut plan = plan(&format!("    stream: [{steps}]\n"), 7);
            let cue = plan.follow_ahead(Duration::ZERO);
            assert_eq!(matches!(cue, Some(Cue::Follow(..))), seen, "{steps} {cue:?}");
            let next = plan.next(Duration::ZERO);
            assert!(!matches!(next, Cue::Follow(..)), "{steps} {next:?}");
        }
    }
}
