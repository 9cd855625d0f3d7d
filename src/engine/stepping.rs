//! What a stream has to remember only as long as its script has steps to come.

use std::time::Duration;

use super::outcome::{Stop, failed};
use super::player::Performance;

/// What only matters as long as there are steps to come.
#[derive(Default)]
pub(super) struct Stepping {
    pub(super) last_event_id: Option<Box<[u8]>>,
    /// Until when a step wants silence, since the stream began.
    pub(super) quiet: Duration,
    /// Steps since something was last sent or the script's time went on, and what that time was.
    restless: (u32, Duration),
}

impl Stepping {
    /// For a client that has seen the event with this id.
    pub(super) fn behind(last_event_id: Option<Box<[u8]>>) -> Option<Box<Stepping>> {
        Some(Box::new(Stepping {
            last_event_id,
            ..Stepping::default()
        }))
    }
}

impl Performance {
    /// A script that only relays from now on needs little: there may be very many of them.
    pub(super) fn forget(&mut self) {
        if self.outlet.is_none() && self.plan.relays_as_it_is() && self.waits.is_endless() {
            self.plan.forget();
            self.waits.forget();
            if let Some(stepping) = self.stepping.take() {
                // Silence that was wanted still counts.
                let quiet = self.began.time() + stepping.quiet;
                self.wrote = self.wrote.max(quiet.into());
                self.worker.forget();
            }
        }
    }

    /// Stops a script that does nothing but effects for ever.
    pub(super) fn stay_calm(&mut self) -> Result<(), Stop> {
        const TOO_MANY: u32 = 100_000;
        let due = self.plan.due();
        // A script that is behind its schedule does not wait, but its time goes on.
        let Some(Stepping { restless, .. }) = self.stepping.as_deref_mut() else {
            return Ok(());
        };
        if due > restless.1 {
            *restless = (0, due);
        }
        restless.0 += 1;
        if restless.0 < TOO_MANY {
            return Ok(());
        }
        let why = format!("the script has done {TOO_MANY} steps without sending or waiting");
        Err(failed(why))
    }

    /// Something was sent.
    pub(super) fn calms(&mut self) {
        if let Some(stepping) = &mut self.stepping {
            stepping.restless.0 = 0;
        }
    }
}
