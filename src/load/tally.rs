//! What one stream received: its events, and what became of the numbered messages. Pure
//! bookkeeping; times and bounds come in as values.

use super::blocks::Marks;

/// More gaps than this in one stream are not remembered: a message that still arrives in a
/// forgotten gap counts as a duplicate, and as lost.
const MOST_GAPS: usize = 1024;

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
    /// Messages that arrived behind one with a higher number.
    pub out_of_order: u64,
    /// When the last message arrived: Unix time, nanoseconds; 0 before the first.
    pub last_ns: u64,
    highest: u64,
    /// Numbers below `highest` that have not come: first and last of each gap, ascending.
    gaps: Vec<(u64, u64)>,
}

impl Tally {
    /// Books one event that was read at `now_ns` (Unix time, nanoseconds).
    pub fn note(&mut self, marks: Marks, now_ns: u64, bounds: Bounds) -> Noted {
        self.events += 1;
        let (Some(number), Some(sent)) = (marks.number, marks.sent) else {
            return Noted::Other;
        };
        if sent < bounds.run_began_ns || number > bounds.published {
            return Noted::Other;
        }
        if number == 0 {
            self.warm_ups += 1;
            let first = self.warm_ups == 1;
            return Noted::WarmUp { first };
        }
        if !self.is_new(number) {
            self.duplicates += 1;
            return Noted::Duplicate;
        }
        self.delivered += 1;
        self.last_ns = now_ns;
        let took_ns = now_ns.saturating_sub(sent);
        Noted::Delivered { took_ns }
    }

    fn is_new(&mut self, number: u64) -> bool {
        if number > self.highest {
            if number > self.highest + 1 {
                self.remember_gap(self.highest + 1, number - 1);
            }
            self.highest = number;
            return true;
        }
        let late = self.fill_gap(number);
        self.out_of_order += u64::from(late);
        late
    }

    fn remember_gap(&mut self, first: u64, last: u64) {
        if self.gaps.len() >= MOST_GAPS {
            self.gaps.remove(0);
        }
        self.gaps.push((first, last));
    }

    fn fill_gap(&mut self, number: u64) -> bool {
        let Some(at) = self
            .gaps
            .iter()
            .position(|&(first, last)| (first..=last).contains(&number))
        else {
            return false;
        };
        let (first, last) = self.gaps.remove(at);
        if number < last {
            self.gaps.insert(at, (number + 1, last));
        }
        if first < number {
            self.gaps.insert(at, (first, number - 1));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        run_began_ns: 100,
        published: 9,
    };

    fn take(numbers: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for &number in numbers {
            tally.note(marks(number, 100), 150, BOUNDS);
        }
        tally
    }

    fn marks(number: u64, sent: u64) -> Marks {
        Marks {
            number: Some(number),
            sent: Some(sent),
        }
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
            let tally = take(numbers);
            assert_eq!(
                (tally.delivered, tally.duplicates, tally.out_of_order),
                (*delivered, *duplicates, *out_of_order),
                "{numbers:?}"
            );
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
    fn gaps_are_bounded() {
        let mut tally = Tally::default();
        let bounds = Bounds {
            published: u64::MAX,
            ..BOUNDS
        };
        for number in (2..10_000).step_by(2) {
            tally.note(marks(number, 100), 150, bounds);
        }
        assert_eq!(tally.gaps.len(), MOST_GAPS);
    }
}
