//! Looking ahead: where a client resumes, and how long a body will be.

use std::time::Duration;

use super::cue::Cue;
use super::script::Plan;
use crate::scenario::model::End;

/// Cues in which the client's last event is looked for.
const FAR: usize = 20_000;
/// Cues and bytes that a body of a known length may have.
const MOST_CUES: usize = 1_000_000;
const MOST_BYTES: u64 = 1 << 30;

impl Plan {
    /// Goes on behind the event with this id, at once; from the beginning if there is no such event
    /// among the first 20,000.
    pub fn resume(&mut self, id: &[u8]) {
        let mut ahead = self.copy();
        let mut elapsed = Duration::ZERO;
        for _ in 0..FAR {
            match ahead.next(elapsed) {
                Cue::Wait(due) => elapsed = due,
                // The last piece of an event counts, not those before it.
                Cue::Send(write) if write.events > 0 && ahead.last_id.as_deref() == Some(id) => {
                    let passed = ahead.due();
                    ahead.output.shift(passed);
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
        }
    }

    /// How many bytes the body will have: everything must be known beforehand.
    pub fn measure(&self) -> Result<u64, String> {
        let mut ahead = self.copy();
        let (mut elapsed, mut bytes) = (Duration::ZERO, 0);
        for _ in 0..MOST_CUES {
            match ahead.next(elapsed) {
                Cue::Wait(due) => elapsed = due,
                Cue::Send(write) => bytes += write.frame.len() as u64,
                Cue::End(End::Stall | End::Hold) => return Err("the stream never ends".into()),
                Cue::End(_) => return Ok(bytes),
                Cue::Fail(why) => return Err(why),
                Cue::Idle => return Err("the stream waits for what happens elsewhere".into()),
                _ => {}
            }
            if bytes > MOST_BYTES {
                break;
            }
        }
        Err("the body is too long for its length to be known beforehand".into())
    }
}
