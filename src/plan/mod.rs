//! Answer + seed → cues: pure. What happens next in a stream, and when; the player does it.
//!
//! `branch` walks one list of steps, `script` finds what is due next among all of them, `perform`
//! carries it out, `output` turns what they send into writes, `ahead` looks ahead. `course` is what others
//! see: all that, or the little that is left of a script that only relays.

mod ahead;
mod branch;
mod chance;
mod course;
mod cue;
mod event;
mod output;
mod perform;
mod script;

pub use chance::Chance;
pub use course::Plan;
pub use cue::{Awaiting, BranchId, Cue, Following, Publication, Setting, Source, Wanted, Write};
pub use event::{PublishFault, pace, render_event, render_publish, render_raw, render_setting, to_bytes};

#[cfg(test)]
mod tests;
