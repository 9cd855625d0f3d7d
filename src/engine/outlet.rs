//! What stands between a script and its client: compression, a slow network, faults, limits.

use std::time::Duration;

use crate::expr::RenderError;
use crate::plan::Plan;
use crate::random::Draw;
use crate::scenario::model::{End, Fault, Limits, Numbers, Strike, Throttle};
use crate::wire::{Coding, Compressor, Frame};

/// Slices that a limited rate is made of, a second.
const SLICES: u64 = 10;

/// What is between a script and its client.
pub(super) struct Outlet {
    compressor: Option<Compressor>,
    throttle: Option<Throttle>,
    /// Chance for the network's delays.
    draw: Draw,
    withheld: Vec<u8>,
    /// When the last of what was written arrived, on the clock.
    pub(super) arrived: Duration,
    armed: Vec<Armed>,
    limits: Limits,
    events: u64,
    /// Bytes of the script.
    bytes: u64,
    /// Bytes on the wire, of the body.
    wired: u64,
    /// Whether a fault took bytes away: what would follow them has lost its sense.
    severed: bool,
}

/// A fault that will strike in this stream.
struct Armed {
    events: Option<u64>,
    bytes: Option<u64>,
    /// Since the stream began.
    time: Option<Duration>,
    blow: Blow,
}

/// What a fault does to this stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// It ends.
    End(End),
    /// It is silent for so long.
    Stall(Duration),
}

/// What is written next, or what happens instead.
pub(super) enum Piece {
    /// These bytes, then the time that passes until the next may be written.
    Write(Frame, Duration),
    /// So many bytes of these, then the fault.
    Part(Frame, usize, Blow),
}

impl Outlet {
    /// What a script asks for; `None` if nothing stands between.
    pub(super) fn new(
        plan: &Plan,
        coding: Option<Coding>,
        chance: Draw,
    ) -> Result<Option<Box<Outlet>>, RenderError> {
        let script = plan.script();
        let limits = script.limits;
        let mut draw = chance;
        let armed = arm(&script.faults, plan, &mut draw)?;
        let bounded = limits.events.is_some() || limits.bytes.is_some() || limits.time.is_some();
        if coding.is_none() && script.throttle.is_none() && armed.is_empty() && !bounded {
            return Ok(None);
        }
        Ok(Some(Box::new(Outlet {
            compressor: coding.map(Compressor::new),
            throttle: script.throttle.clone(),
            draw,
            withheld: Vec::new(),
            arrived: Duration::ZERO,
            armed,
            limits,
            events: 0,
            bytes: 0,
            wired: 0,
            severed: false,
        })))
    }

    /// Whether what leaves is compressed.
    pub(super) fn is_coded(&self) -> bool {
        self.compressor.is_some()
    }

    /// When something happens by itself, since the stream began.
    pub(super) fn next_time(&self) -> Option<Duration> {
        let faults = self.armed.iter().filter_map(|armed| armed.time);
        faults.chain(self.limits.time).min()
    }

    /// When something ends the stream by itself, since it began.
    pub(super) fn next_end(&self) -> Option<Duration> {
        let ends =
            |armed: &&Armed| matches!(armed.blow, Blow::End(End::Cut { .. } | End::Reset | End::Close));
        let faults = self.armed.iter().filter(ends).filter_map(|armed| armed.time);
        faults.chain(self.limits.time).min()
    }

    /// What happens by itself by now.
    pub(super) fn strikes(&mut self, elapsed: Duration) -> Option<Blow> {
        if self.limits.events.is_some_and(|most| self.events >= most) {
            return Some(Blow::End(End::Close));
        }
        let due = |armed: &Armed| {
            armed.events.is_some_and(|events| events <= self.events)
                || armed.bytes.is_some_and(|bytes| bytes <= self.wired)
        };
        if let Some(at) = self.armed.iter().position(due) {
            return Some(self.armed.remove(at).blow);
        }
        self.strikes_in_time(elapsed)
    }

    /// What happens by itself by now, even in the middle of a write.
    pub(super) fn strikes_in_time(&mut self, elapsed: Duration) -> Option<Blow> {
        if self.limits.time.is_some_and(|time| time <= elapsed) {
            return Some(Blow::End(End::Close));
        }
        let due = |armed: &Armed| armed.time.is_some_and(|time| time <= elapsed);
        let at = self.armed.iter().position(due)?;
        Some(self.armed.remove(at).blow)
    }

    /// What has not been sent of a write never will be: nothing that is held back can follow it.
    pub(super) fn sever(&mut self) {
        self.severed = true;
    }

    /// Whether something was lost in the middle.
    pub(super) fn is_severed(&self) -> bool {
        self.severed
    }

    /// Whether the stream may send so many bytes more; then they count.
    pub(super) fn admit(&mut self, events: u64, bytes: u64) -> bool {
        if self.limits.bytes.is_some_and(|most| self.bytes + bytes > most) {
            return false;
        }
        self.events += events;
        self.bytes += bytes;
        true
    }

    /// How much later what is written now arrives.
    pub(super) fn latency(&mut self, plan: &Plan, elapsed: Duration) -> Result<Duration, RenderError> {
        match self
            .throttle
            .as_ref()
            .and_then(|throttle| throttle.delay.as_ref())
        {
            Some(delay) => plan.delay(delay, &mut self.draw, elapsed),
            None => Ok(Duration::ZERO),
        }
    }

    /// The bytes of a write as they leave: compressed, withheld, or both.
    pub(super) fn through(&mut self, body: &[u8]) -> Vec<u8> {
        let bytes = match &mut self.compressor {
            Some(compressor) => compressor.write(body),
            None => body.to_vec(),
        };
        let Some(buffer) = self.throttle.as_ref().and_then(|throttle| throttle.buffer) else {
            return bytes;
        };
        self.withheld.extend_from_slice(&bytes);
        let whole = self.withheld.len() / buffer * buffer;
        self.withheld.drain(..whole).collect()
    }

    /// What is left when the stream ends cleanly.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        if self.severed {
            return Vec::new();
        }
        let mut rest = std::mem::take(&mut self.withheld);
        if let Some(compressor) = self.compressor.take() {
            rest.extend(compressor.finish());
        }
        rest
    }

    /// Takes the first piece that may be written at once off the bytes.
    pub(super) fn piece(&mut self, bytes: &mut Vec<u8>) -> Option<Piece> {
        if bytes.is_empty() {
            return None;
        }
        let rate = self.throttle.as_ref().and_then(|throttle| throttle.rate);
        let slice = rate.map_or(usize::MAX, |rate| (rate / SLICES).max(1) as usize);
        let length = bytes.len().min(slice);
        let left = |armed: &Armed| armed.bytes.map(|bytes| bytes.saturating_sub(self.wired));
        let near = self
            .armed
            .iter()
            .enumerate()
            .filter_map(|(at, armed)| Some((left(armed)?, at)))
            .min();
        if let Some((left, at)) = near.filter(|(left, _)| *left < length as u64) {
            return Some(self.part(bytes, length, left as usize, at));
        }
        self.wired += length as u64;
        let frame = Frame::new(&bytes[..length]);
        bytes.drain(..length);
        let pause = rate.map_or(Duration::ZERO, |rate| {
            Duration::from_nanos(length as u64 * 1_000_000_000 / rate.max(1))
        });
        Some(Piece::Write(frame, pause))
    }

    /// A fault strikes in the middle of a piece.
    fn part(&mut self, bytes: &mut Vec<u8>, length: usize, left: usize, at: usize) -> Piece {
        let blow = self.armed.remove(at).blow;
        self.wired += left as u64;
        let frame = match blow {
            // What comes behind is never sent: the announced piece stays open.
            Blow::End(End::Cut { .. } | End::Reset) => Frame::new(&bytes[..length]),
            // The stream itself is whole, or goes on behind the silence.
            _ => Frame::new(&bytes[..left.max(1).min(length)]),
        };
        bytes.drain(..left);
        Piece::Part(frame, left, blow)
    }
}

/// Draws which faults strike in this stream, when, and for how long. Each draws as often whatever
/// comes out.
fn arm(faults: &[Fault], plan: &Plan, draw: &mut Draw) -> Result<Vec<Armed>, RenderError> {
    let mut armed = Vec::new();
    for fault in faults {
        let strikes = draw.float(0.0, 1.0) < fault.probability;
        let events = fault.events.map(|numbers| number(numbers, draw));
        let bytes = fault.bytes.map(|numbers| number(numbers, draw));
        let time = match &fault.time {
            Some(time) => Some(plan.delay(time, draw, Duration::ZERO)?),
            None => None,
        };
        let blow = match &fault.strike {
            Strike::End(end) => Blow::End(*end),
            Strike::Stall(pace) => Blow::Stall(plan.delay(pace, draw, Duration::ZERO)?),
        };
        let at_once = events.is_none() && bytes.is_none() && time.is_none();
        let time = if at_once { Some(Duration::ZERO) } else { time };
        if strikes {
            armed.push(Armed {
                events,
                bytes,
                time,
                blow,
            });
        }
    }
    Ok(armed)
}

fn number(numbers: Numbers, draw: &mut Draw) -> u64 {
    numbers.low + draw.below((numbers.high - numbers.low).saturating_add(1))
}
