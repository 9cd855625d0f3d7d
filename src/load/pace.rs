//! How many deliveries came when: a count for each slot of time. What belongs here: slots that
//! grow wider with the run, so that their number is bounded.

use std::time::Duration;

/// What a slot spans at first.
const NARROWEST: Duration = Duration::from_millis(10);
/// With more slots than this, two become one.
const MOST_SLOTS: usize = 4096;

/// Counts by time since the run began.
#[derive(Debug, Clone)]
pub struct Pace {
    width_ns: u64,
    slots: Vec<u64>,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            width_ns: NARROWEST.as_nanos() as u64,
            slots: Vec::new(),
        }
    }
}

impl Pace {
    /// Counts `more` at a time since the beginning.
    pub fn add(&mut self, at_ns: u64, more: u64) {
        while at_ns / self.width_ns >= MOST_SLOTS as u64 {
            self.widen();
        }
        let slot = (at_ns / self.width_ns) as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, 0);
        }
        self.slots[slot] += more;
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: &Pace) {
        for (slot, count) in other.slots.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add(slot as u64 * other.width_ns, *count);
        }
    }

    fn widen(&mut self) {
        self.width_ns *= 2;
        let pairs = self.slots.chunks(2);
        self.slots = pairs.map(|pair| pair.iter().sum()).collect();
    }

    /// Points of a curve from `begin` to `end` (since the beginning), `most` at most: the middle of a
    /// time, in seconds from `begin`, and how many came a second.
    pub fn curve(&self, begin_ns: u64, end_ns: u64, most: usize) -> Vec<(f64, f64)> {
        // The slot that it begins in holds what was before, too.
        let first = begin_ns.div_ceil(self.width_ns) as usize;
        let last = (end_ns / self.width_ns) as usize;
        let slots = self.slots.get(first..).unwrap_or_default();
        let slots = &slots[..slots.len().min(last + 1 - first.min(last))];
        let together = slots.len().div_ceil(most.max(1)).max(1);
        let seconds = |slot: usize| slot as f64 * self.width_ns as f64 / 1e9;
        let point = |(at, some): (usize, &[u64])| {
            let count: u64 = some.iter().sum();
            let middle = seconds(at * together) + seconds(some.len()) / 2.0;
            (middle, count as f64 / seconds(some.len()))
        };
        slots.chunks(together).enumerate().map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn counts_by_time() {
        let mut pace = Pace::default();
        for ms in 0..100 {
            pace.add(ms * MS, u64::from(ms % 10 == 0) * 2);
        }
        let curve = pace.curve(20 * MS, 99 * MS, 4);
        let rounded: Vec<(i64, f64)> = curve
            .iter()
            .map(|(at, count)| ((at * 1000.0).round() as i64, *count))
            .collect();
        let expected = [(10, 200.0), (30, 200.0), (50, 200.0), (70, 200.0)];
        assert_eq!(rounded, expected);
        assert_eq!(pace.curve(500 * MS, 600 * MS, 4), []);
    }

    #[test]
    fn a_long_run_has_wide_slots_and_loses_no_count() {
        let mut pace = Pace::default();
        let mut short = Pace::default();
        short.add(5 * MS, 1);
        for second in 0..10_000 {
            pace.add(second * 1000 * MS, 1);
        }
        assert!(pace.slots.len() <= MOST_SLOTS);
        pace.merge(&short);
        assert_eq!(pace.slots.iter().sum::<u64>(), 10_001);
    }
}
