//! What one stream received: its events, and what became of the numbered messages. Pure
//! bookkeeping; times and bounds come in as values.

use std::collections::VecDeque;

use super::blocks::Marks;

/// Messages behind the highest one that are remembered, in words of 64: one that still arrives
/// behind them counts as a duplicate, and as lost.
const MOST_WORDS: u64 = 1024;

/// What an event turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// Not one of this run's messages: a heartbeat, another publisher's, an older run's.
    Other,
    /// A warm-up message; `first` if it is this stream's first.
    WarmUp { first: bool },
    /// A message that this stream had not had; it took this many nanoseconds.
    Delivered { took_ns: u64 },
    /// A message that this stream had had already.
    Duplicate,
}

/// What can be one of this run's messages.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// When the run began; older messages come from a server's history. Unix time, nanoseconds.
    pub run_began_ns: u64,
    /// The highest number sent so far.
    pub published: u64,
    /// Message `n` was sent by publisher `n % publishers`, in the order of its numbers.
    pub publishers: u64,
}

/// The count of one stream.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// All events with data, ours or not.
    pub events: u64,
    /// Warm-up messages.
    pub warm_ups: u64,
    /// Different messages that arrived.
    pub delivered: u64,
    /// Messages that arrived again.
    pub duplicates: u64,
    /// Messages that arrived behind a later one of the same publisher. Those of different
    /// publishers have no order.
    pub out_of_order: u64,
    /// When the last message arrived: Unix time, nanoseconds; 0 before the first.
    pub last_ns: u64,
    arrived: Arrived,
}

impl Tally {
    /// Books one event that was read at `now_ns` (Unix time, nanoseconds).
    #[inline]
    pub fn note(&mut self, marks: Marks, now_ns: u64, bounds: Bounds) -> Noted {
        self.events += 1;
        let (Some(number), Some(sent)) = (marks.number, marks.sent) else {
            return Noted::Other;
        };
        if sent < bounds.run_began_ns || number > bounds.published {
            return Noted::Other;
        }
        let Some(index) = number.checked_sub(1) else {
            self.warm_ups += 1;
            let first = self.warm_ups == 1;
            return Noted::WarmUp { first };
        };
        if !self.arrived.add(index) {
            self.duplicates += 1;
            return Noted::Duplicate;
        }
        self.out_of_order += u64::from(self.arrived.is_overtaken(index, bounds.publishers));
        self.delivered += 1;
        self.last_ns = now_ns;
        let took_ns = now_ns.saturating_sub(sent);
        Noted::Delivered { took_ns }
    }
}

/// Which messages have arrived, counted from 0. In a stream that loses nothing and keeps the order
/// it is a number; else bits stand for what has come beyond it.
#[derive(Debug, Default, Clone)]
struct Arrived {
    /// All below this have arrived, or are forgotten.
    complete: u64,
    /// Behind the highest that has arrived.
    end: u64,
    /// A bit a message, from `complete` rounded down to a whole word; empty if none has come
    /// beyond `complete`.
    beyond: VecDeque<u64>,
}

impl Arrived {
    /// Whether it is new.
    #[inline]
    fn add(&mut self, index: u64) -> bool {
        if index == self.complete && self.beyond.is_empty() {
            self.complete += 1;
            self.end = self.complete;
            return true;
        }
        self.add_beyond(index)
    }

    fn add_beyond(&mut self, index: u64) -> bool {
        if self.has(index) {
            return false;
        }
        self.forget_before((index / 64 + 1).saturating_sub(MOST_WORDS) * 64);
        if self.beyond.is_empty() {
            self.beyond.push_back((1 << (self.complete % 64)) - 1);
        }
        let word = (index / 64 - self.complete / 64) as usize;
        if word >= self.beyond.len() {
            self.beyond.resize(word + 1, 0);
        }
        self.beyond[word] |= 1 << (index % 64);
        self.end = self.end.max(index + 1);
        self.complete_words();
        true
    }

    fn has(&self, index: u64) -> bool {
        let Some(word) = (index / 64).checked_sub(self.complete / 64) else {
            return true;
        };
        let bits = self.beyond.get(word as usize).copied().unwrap_or(0);
        index < self.complete || bits & 1 << (index % 64) != 0
    }

    /// `start` is at the beginning of a word.
    fn forget_before(&mut self, start: u64) {
        if start <= self.complete {
            return;
        }
        let words = (start / 64 - self.complete / 64) as usize;
        self.beyond.drain(..words.min(self.beyond.len()));
        self.complete = start;
    }

    /// Moves `complete` up to the first that has not arrived.
    fn complete_words(&mut self) {
        let mut start = self.complete / 64 * 64;
        while self.beyond.front() == Some(&u64::MAX) {
            self.beyond.pop_front();
            start += 64;
        }
        let first = self.beyond.front().copied().unwrap_or(0);
        self.complete = start + u64::from(first.trailing_ones());
        if self.complete == self.end {
            self.beyond.clear();
        }
    }

    /// Whether a later one of the same publisher has arrived.
    #[inline]
    fn is_overtaken(&self, index: u64, publishers: u64) -> bool {
        let mut later = index + publishers;
        while later < self.end {
            if self.has(later) {
                return true;
            }
            later += publishers;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        run_began_ns: 100,
        published: 9,
        publishers: 1,
    };

    fn take(numbers: &[u64], publishers: u64) -> Tally {
        let mut tally = Tally::default();
        let bounds = Bounds { publishers, ..BOUNDS };
        for &number in numbers {
            tally.note(marks(number, 100), 150, bounds);
        }
        tally
    }

    fn marks(number: u64, sent: u64) -> Marks {
        Marks {
            number: Some(number),
            sent: Some(sent),
        }
    }

    fn figures(tally: &Tally) -> (u64, u64, u64) {
        (tally.delivered, tally.duplicates, tally.out_of_order)
    }

    #[test]
    fn sequences() {
        // numbers, delivered, duplicates, out of order
        let cases: &[(&[u64], u64, u64, u64)] = &[
            (&[1, 2, 3], 3, 0, 0),
            (&[1, 3], 2, 0, 0),
            (&[1, 3, 2], 3, 0, 1),
            (&[1, 2, 2, 1], 2, 2, 0),
            (&[5, 3, 3, 1, 4, 2], 5, 1, 4),
            (&[9, 1, 2, 3, 4, 5, 6, 7, 8], 9, 0, 8),
        ];
        for (numbers, delivered, duplicates, out_of_order) in cases {
            let expected = (*delivered, *duplicates, *out_of_order);
            assert_eq!(figures(&take(numbers, 1)), expected, "{numbers:?}");
        }
    }

    #[test]
    fn order_is_that_of_each_publisher() {
        // Of three publishers one sends 1, 4, 7, one 2, 5, 8, one 3, 6, 9.
        for (numbers, out_of_order) in [
            (&[3, 2, 1, 6, 5, 4, 9, 8, 7][..], 0),
            (&[7, 8, 9, 4, 1], 2),
            (&[1, 4, 7, 8, 5], 1),
            (&[4, 3, 2, 1], 1),
        ] {
            let tally = take(numbers, 3);
            assert_eq!(tally.out_of_order, out_of_order, "{numbers:?}");
            assert_eq!(tally.delivered, numbers.len() as u64);
        }
    }

    #[test]
    fn any_order_is_booked_as_a_set_would() {
        // A permutation of 0..n with a stride, some of it twice, some of it missing.
        for (count, stride) in [(500, 7), (500, 499), (1000, 333), (130, 1)] {
            let mut arrived = Arrived::default();
            let mut seen = BTreeSet::new();
            for step in 0..count + 20 {
                let index = step * stride % count;
                if index % 11 == 5 && step < count / 2 {
                    continue;
                }
                assert_eq!(arrived.add(index), seen.insert(index), "{index}");
                let later = seen.range(index + 1..).any(|other| (other - index) % 3 == 0);
                assert_eq!(arrived.is_overtaken(index, 3), later, "{index}");
            }
        }
    }

    #[test]
    fn what_is_not_of_this_run_is_other() {
        let mut tally = Tally::default();
        for foreign in [marks(1, 99), marks(10, 100), Marks::default()] {
            assert_eq!(tally.note(foreign, 150, BOUNDS), Noted::Other);
        }
        let warm_up = tally.note(marks(0, 100), 150, BOUNDS);
        assert_eq!(warm_up, Noted::WarmUp { first: true });
        let message = tally.note(marks(1, 120), 150, BOUNDS);
        assert_eq!(message, Noted::Delivered { took_ns: 30 });
        assert_eq!((tally.events, tally.delivered), (5, 1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let far = u64::MAX / 2;
        let bounds = Bounds {
            published: u64::MAX,
            ..BOUNDS
        };
        let mut tally = Tally::default();
        for number in (2..200_000).step_by(2).chain([far, far - 1]) {
            tally.note(marks(number, 100), 150, bounds);
            assert!(tally.arrived.beyond.len() as u64 <= MOST_WORDS);
        }
        assert_eq!(figures(&tally), (100_001, 0, 1));
        tally.note(marks(1, 100), 150, bounds);
        assert_eq!(tally.duplicates, 1);
    }
}
