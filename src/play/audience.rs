//! All who look, and what they have seen.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use super::events::{Dispatched, Reader};
use super::{Ending, How, Opening, Viewer, Written};
use crate::engine::memory::MemorySink;

/// All who look, and what they have seen.
pub(super) struct Audience<'p, 'v> {
    viewers: &'p mut [Box<dyn Viewer + 'v>],
    reader: Reader,
    /// The body is compressed: no events can be seen in it.
    pub(super) compressed: bool,
    most: Option<u64>,
    pub(super) events: u64,
    bytes: u64,
    writes: u64,
}

impl<'p, 'v> Audience<'p, 'v> {
    pub(super) fn new(viewers: &'p mut [Box<dyn Viewer + 'v>], most: Option<u64>) -> Audience<'p, 'v> {
        Audience {
            viewers,
            reader: Reader::default(),
            compressed: false,
            most,
            events: 0,
            bytes: 0,
            writes: 0,
        }
    }

    pub(super) fn begin(&mut self, opening: &Opening) -> io::Result<()> {
        self.viewers
            .iter_mut()
            .try_for_each(|viewer| viewer.begin(opening))
    }

    /// `Break`, with the time of the last write, when no more is wanted.
    pub(super) fn write_all(&mut self, body: &MemorySink) -> io::Result<ControlFlow<Duration>> {
        for written in body.take() {
            if self.write(&written)?.is_break() {
                return Ok(ControlFlow::Break(written.at));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    pub(super) fn write(&mut self, written: &Written) -> io::Result<ControlFlow<()>> {
        let events: Vec<Dispatched> = match self.compressed {
            true => Vec::new(),
            false => self.reader.feed(&written.bytes),
        };
        self.events += events.len() as u64;
        self.bytes += written.bytes.len() as u64;
        self.writes += 1;
        let mut wanted = false;
        for viewer in self.viewers.iter_mut() {
            wanted |= viewer.write(written, &events)?.is_continue();
        }
        let enough = self.most.is_some_and(|most| self.events >= most);
        Ok(match wanted && !enough {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    }

    pub(super) fn end(&mut self, at: Duration, how: How, detail: String) -> io::Result<Ending> {
        let ending = Ending {
            at,
            how,
            detail,
            events: (!self.compressed).then_some(self.events),
            bytes: self.bytes,
            writes: self.writes,
        };
        for viewer in self.viewers.iter_mut() {
            viewer.end(&ending)?;
        }
        Ok(ending)
    }
}
