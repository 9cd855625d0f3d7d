//! The bytes as they are.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::{Dispatched, Ending, Opening, Viewer, Written};

/// Writes the body as it comes, and the head before it if it is wanted.
#[derive(Debug)]
pub struct Raw<W> {
    out: W,
    include: bool,
}

impl<W: Write> Raw<W> {
    /// Writes to `out`; `include`: with the head.
    pub fn new(out: W, include: bool) -> Raw<W> {
        Raw { out, include }
    }
}

impl<W: Write> Viewer for Raw<W> {
    fn begin(&mut self, opening: &Opening) -> io::Result<()> {
        match &opening.head {
            Some(head) if self.include => self.out.write_all(&head.bytes),
            _ => Ok(()),
        }
    }

    fn write(&mut self, written: &Written, _: &[Dispatched]) -> io::Result<ControlFlow<()>> {
        self.out.write_all(&written.bytes)?;
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self, _: &Ending) -> io::Result<()> {
        self.out.flush()
    }
}
