//! A histogram of fixed size with logarithmic buckets. What belongs here: counting durations
//! from many tasks at once and reading percentiles back; not what the durations mean.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Each power of two is cut into 2^5 = 32 buckets, so a percentile is at most 1/32 too high.
const SUB_BITS: u32 = 5;
const SUB: usize = 1 << SUB_BITS;
/// Values below `SUB` have a bucket each; every higher power of two up to 2^63 has `SUB` of them.
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) * SUB;

/// Counts nanoseconds in 1,920 buckets (15 KiB), whatever the number of values.
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            max: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts one value, in nanoseconds.
    pub fn record(&self, ns: u64) {
        self.buckets[bucket_of(ns)].fetch_add(1, Relaxed);
        // A look first: the maximum changes rarely, and a plain read does not bounce the cache line.
        if ns > self.max.load(Relaxed) {
            self.max.fetch_max(ns, Relaxed);
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|b| b.load(Relaxed)).sum()
    }

    /// The largest value in nanoseconds, exactly; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max.load(Relaxed)
    }

    /// The value in nanoseconds that `percent` (0 to 100) of all values do not exceed: the upper
    /// end of its bucket, never above the maximum. `None` without values.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((percent / 100.0 * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Relaxed);
            if seen >= rank {
                return Some(upper_end(index).min(self.max()));
            }
        }
        Some(self.max())
    }
}

fn bucket_of(value: u64) -> usize {
    if value < SUB as u64 {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros();
    let sub = (value >> (exponent - SUB_BITS)) as usize & (SUB - 1);
    (exponent - SUB_BITS + 1) as usize * SUB + sub
}

fn upper_end(index: usize) -> u64 {
    if index < SUB {
        return index as u64;
    }
    let shift = (index / SUB - 1) as u32;
    let low = ((SUB + index % SUB) as u64) << shift;
    low + ((1u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_ends_where_the_next_begins() {
        for index in 0..BUCKETS - 1 {
            let end = upper_end(index);
            assert_eq!(bucket_of(end), index);
            assert_eq!(bucket_of(end + 1), index + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(upper_end(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn percentiles_are_at_most_a_thirty_second_too_high() {
        let histogram = Histogram::default();
        for value in 1..=100_000u64 {
            histogram.record(value);
        }
        for (percent, exact) in [(1.0, 1_000), (50.0, 50_000), (99.0, 99_000)] {
            let got = histogram.percentile(percent).unwrap();
            assert!(got >= exact && got <= exact + exact / 32, "p{percent}: {got}");
        }
        assert_eq!(histogram.percentile(100.0), Some(100_000));
        assert_eq!(histogram.max(), 100_000);
        assert_eq!(histogram.count(), 100_000);
    }

    #[test]
    fn empty_and_single() {
        let histogram = Histogram::default();
        assert_eq!(histogram.percentile(50.0), None);
        histogram.record(1_234_567);
        assert_eq!(histogram.percentile(50.0), Some(1_234_567));
        assert_eq!(histogram.percentile(99.0), Some(1_234_567));
    }
}
