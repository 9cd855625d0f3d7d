//! Answer + seed → cues: pure. What happens next in a stream, and when; the player does it.

mod cue;
mod event;
mod script;

pub use cue::{Cue, Following};
pub use event::{pace, render_event, to_bytes};
pub use script::Plan;
