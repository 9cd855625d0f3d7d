//! Where a plan's chance comes from.

use crate::random::{Draw, Purpose};

/// Chance for one stream; each purpose has its own sequence.
#[derive(Debug, Clone)]
pub struct Chance {
    /// Delays.
    pub timing: Draw,
    /// Cuts.
    pub wire: Draw,
}

impl Chance {
    /// Each from the sequence for its purpose.
    pub fn new(draw: impl Fn(Purpose) -> Draw) -> Chance {
        Chance {
            timing: draw(Purpose::Timing),
            wire: draw(Purpose::Wire),
        }
    }
}
