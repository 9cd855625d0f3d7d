//! What a stream sends → writes: style, byte order marks, cuts.

use std::collections::VecDeque;
use std::time::Duration;

use super::cue::{Source, Write};
use super::event::pace;
use crate::expr::{Expressions, Moment, RenderError, RequestScope};
use crate::random::Draw;
use crate::scenario::model::{Pace, Split, Wire};
use crate::wire::{Frame, split};

/// The byte order mark in UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Writes that are still to be made of what was sent last.
#[derive(Clone)]
pub(super) struct Output {
    /// Chance for cuts and the time between them.
    draw: Draw,
    /// The first, mostly the only one.
    first: Option<Write>,
    more: VecDeque<Write>,
    gap: Pace,
    /// When the next piece is due.
    due: Duration,
    /// Byte order marks of which nothing has been written yet.
    fresh: usize,
}

impl Output {
    /// Begins with the byte order marks that are asked for.
    pub(super) fn new(wire: &Wire, draw: Draw) -> Output {
        let mut output = Output {
            draw,
            first: None,
            more: VecDeque::new(),
            gap: Pace::ZERO,
            due: Duration::ZERO,
            fresh: 0,
        };
        output.begin(wire);
        output
    }

    /// Whether something is being written that nothing may come between.
    pub(super) fn is_busy(&self) -> bool {
        self.first.is_some() || !self.more.is_empty()
    }

    /// Whether something of the script is being written, be it the marks before it.
    pub(super) fn is_under_way(&self) -> bool {
        self.left() > self.fresh
    }

    fn left(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    fn add(&mut self, write: Write) {
        match self.is_busy() {
            true => self.more.push_back(write),
            false => self.first = Some(write),
        }
    }

    fn pop(&mut self) -> Option<Write> {
        self.first.take().or_else(|| self.more.pop_front())
    }

    /// When the next piece is due.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// Takes bytes to be written from `now` on: what they come from, and how many events end in them.
    pub(super) fn stage(
        &mut self,
        bytes: Vec<u8>,
        (source, events): (Source, u64),
        cuts: Option<&Split>,
        now: Duration,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.due = self.due.max(now);
        let Some(cuts) = cuts else {
            let frame = Frame::new(&bytes);
            self.gap = Pace::ZERO;
            let write = Write {
                frame,
                events,
                source,
            };
            return self.add(write);
        };
        self.gap = cuts.gap.clone();
        let ranges = split(&bytes, &cuts.at, &mut self.draw);
        let last = ranges.len().saturating_sub(1);
        for (i, range) in ranges.into_iter().enumerate() {
            self.add(Write {
                frame: Frame::new(&bytes[range]),
                events: if i == last { events } else { 0 },
                source,
            });
        }
    }

    /// The next piece, if there is one.
    pub(super) fn take(
        &mut self,
        expressions: &Expressions,
        scope: &RequestScope,
        moment: Moment,
    ) -> Result<Option<Write>, RenderError> {
        let Some(write) = self.pop() else { return Ok(None) };
        self.fresh = 0;
        if self.is_busy() {
            self.due += pace(&self.gap, &mut self.draw, expressions, scope, moment)?;
        }
        Ok(Some(write))
    }

    /// Its chance, for another output.
    pub(super) fn draw(&self) -> Draw {
        self.draw.clone()
    }

    /// Moves what is left to an earlier time, behind a new body's byte order marks.
    pub(super) fn restart(&mut self, wire: &Wire, by: Duration) {
        let left: Vec<Write> = std::iter::from_fn(|| self.pop()).collect();
        let due = std::mem::take(&mut self.due).saturating_sub(by);
        let gap = std::mem::replace(&mut self.gap, Pace::ZERO);
        self.begin(wire);
        if !left.is_empty() {
            (self.due, self.gap) = (due, gap);
            left.into_iter().for_each(|write| self.add(write));
        }
    }

    /// The byte order marks that are asked for.
    fn begin(&mut self, wire: &Wire) {
        if wire.boms > 0 {
            let marks = BOM.repeat(wire.boms.into());
            self.stage(marks, (Source::Bom, 0), wire.split.as_deref(), Duration::ZERO);
            self.fresh = self.left();
        }
    }
}
