//! Where one thread counts what its streams receive. What belongs here: plain counters that no
//! other thread touches, and how they get to the board.

use std::sync::Arc;

use super::blocks::Blocks;
use super::board::{Board, Ending, News};
use super::histogram::Histogram;
use super::pace::Pace;
use super::tally::{Bounds, Noted, Tally};

/// The bytes and the count of one stream.
#[derive(Debug, Default)]
pub struct Inbox {
    blocks: Blocks,
    tally: Tally,
}

impl Inbox {
    pub fn into_tally(self) -> Tally {
        self.tally
    }
}

/// When something was read, and what can have been sent by then.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    now_ns: u64,
    bounds: Bounds,
}

/// What a thread has found when the run is over.
#[derive(Debug, Default)]
pub struct Findings {
    pub tallies: Vec<Tally>,
    pub latency: Histogram,
    pub pace: Pace,
}

impl Findings {
    /// Adds those of another thread.
    pub fn merge(&mut self, other: Findings) {
        self.tallies.extend(other.tallies);
        self.latency.merge(&other.latency);
        self.pace.merge(&other.pace);
    }
}

/// One thread's counters.
pub struct Desk {
    board: Arc<Board>,
    latency: Histogram,
    pace: Pace,
    news: News,
}

impl Desk {
    pub fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            latency: Histogram::default(),
            pace: Pace::default(),
            news: News::default(),
        }
    }

    /// Now: once for all that one read brings.
    #[inline]
    pub fn moment(&self) -> Moment {
        Moment {
            now_ns: self.board.clock.now_ns(),
            bounds: self.board.bounds(),
        }
    }

    /// Takes a stream's next payload bytes.
    #[inline]
    pub fn take(&mut self, inbox: &mut Inbox, bytes: &[u8], moment: &Moment) {
        let Self { latency, news, .. } = self;
        let Inbox { blocks, tally } = inbox;
        let Moment { now_ns, bounds } = *moment;
        let (had_events, had) = (tally.events, tally.delivered);
        blocks.feed(bytes, |marks| match tally.note(marks, now_ns, bounds) {
            Noted::Delivered { took_ns } => latency.record(took_ns),
            Noted::WarmUp { first } => {
                news.warm_ups += 1;
                news.settled += u64::from(first);
            }
            Noted::Other | Noted::Duplicate => {}
        });
        let (events, delivered) = (tally.events - had_events, tally.delivered - had);
        news.delivered += delivered;
        let enough = self.board.enough;
        if enough.is_some_and(|n| had_events < n && tally.events >= n) {
            news.satisfied += 1;
        }
        // Who only listens gets no message of the run: events are what there is to count.
        let came = if bounds.published == 0 { events } else { delivered };
        if came > 0 {
            self.pace.add(now_ns - bounds.run_began_ns, came);
        }
    }

    /// A stream is over by itself.
    pub fn end(&mut self, inbox: &Inbox, ending: Ending) {
        if self.board.enough.is_none_or(|n| inbox.tally.events < n) {
            self.news.satisfied += 1;
        }
        // What it had must be known before its end is.
        self.tell();
        self.board.end(ending, inbox.tally.delivered);
    }

    /// Tells the board what was counted since the last time.
    pub fn tell(&mut self) {
        self.board.tell(&mut self.news);
    }

    /// The end of the run.
    pub fn findings(self, inboxes: impl Iterator<Item = Inbox>) -> Findings {
        Findings {
            tallies: inboxes.map(Inbox::into_tally).collect(),
            latency: self.latency,
            pace: self.pace,
        }
    }
}
