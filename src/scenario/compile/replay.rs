//! Recordings that are played.

use std::sync::Arc;
use std::time::Duration;

use super::Compiler;
use crate::scenario::decode::At;
use crate::scenario::duration;
use crate::scenario::file::ReplayFile;
use crate::scenario::model::{Action, Pace, Replay, Step};
use crate::scenario::recording::{self, Write};

impl Compiler<'_> {
    /// A recording as steps: each write as long after the one before as it is to come.
    pub(super) fn replay(&mut self, file: &ReplayFile) -> Option<Action> {
        let rules = &file.0.value;
        let speed = rules.speed.as_ref().map_or(Some(1.0), |at| self.speed(at));
        let Some(path) = &rules.file else {
            let hint = "add `file: NAME.recording.ndjson`; `mock-sse record` makes such files";
            self.error_hint(&file.0.span, "`replay` has no recording to play", hint);
            return None;
        };
        let bytes = self.read_file(&path.span, &path.value)?;
        let writes = match recording::parse(&bytes) {
            Ok(writes) => writes,
            Err(why) => {
                let message = format!("the recording `{}` cannot be played: {why}", path.value);
                self.error(&path.span, message);
                return None;
            }
        };
        let speed = speed?;
        let Some((steps, lasts)) = schedule(&writes, speed) else {
            let message = "at this speed the recording takes longer than 100 years";
            self.error(&rules.speed.as_ref()?.span, message);
            return None;
        };
        Some(Action::Replay(Arc::new(Replay {
            file: path.value.clone(),
            speed,
            bytes: writes.iter().map(|write| write.bytes.len() as u64).sum(),
            lasts,
            writes: steps.into(),
        })))
    }

    fn speed(&mut self, at: &At<f64>) -> Option<f64> {
        if at.value > 0.0 && at.value.is_finite() {
            return Some(at.value);
        }
        let message = "a speed is a number above 0";
        self.error_hint(&at.span, message, "2 is twice as fast, 0.5 half as fast");
        None
    }
}

/// The writes at their times, and how long all of them take; `None`: longer than any schedule.
fn schedule(writes: &[Write], speed: f64) -> Option<(Vec<Step>, Duration)> {
    let mut due = Duration::ZERO;
    let mut steps = Vec::with_capacity(writes.len());
    for write in writes {
        // From the beginning each time, so that no error adds up.
        let at = Duration::try_from_secs_f64(write.at.as_secs_f64() / speed).ok()?;
        if at > duration::MAX {
            return None;
        }
        steps.push(Step {
            after: Pace::fixed(at.saturating_sub(due)),
            action: Action::Recorded(write.bytes.clone()),
        });
        due = due.max(at);
    }
    Some((steps, due))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn times_keep_to_the_recording_at_every_speed() {
        let times = [0, 1, 1, 333_333, 1_000_000, 3_000_000];
        let writes = times.map(|micros| Write {
            at: Duration::from_micros(micros),
            bytes: Bytes::from_static(b"x"),
        });
        for (speed, lasts) in [(1.0, 3_000_000_000), (3.0, 1_000_000_000), (1e300, 0)] {
            let (steps, whole) = schedule(&writes, speed).unwrap();
            let after = |step: &Step| match step.after {
                Pace::Range { low, .. } => low,
                Pace::Template(_) => panic!("a fixed time"),
            };
            assert_eq!(whole, Duration::from_nanos(lasts), "{speed}");
            assert_eq!(steps.iter().map(after).sum::<Duration>(), whole, "{speed}");
        }
        assert!(schedule(&writes, 1e-300).is_none());
    }
}
