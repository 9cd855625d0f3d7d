//! A histogram of fixed size with logarithmic buckets. What belongs here: counting durations and
//! reading percentiles back; not what the durations mean. Each thread has one of its own.

/// Each power of two is cut into 2^5 = 32 buckets, so a percentile is at most 1/32 too high.
const SUB_BITS: u32 = 5;
const SUB: usize = 1 << SUB_BITS;
/// Values below `SUB` have a bucket each; every higher power of two up to 2^63 has `SUB` of them.
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) * SUB;

/// Counts nanoseconds in 1,920 buckets (15 KiB), whatever the number of values.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Box<[u64]>,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS].into(),
            max: 0,
        }
    }
}

impl Histogram {
    /// Counts one value, in nanoseconds.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.buckets[bucket_of(ns)] += 1;
        self.max = self.max.max(ns);
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.max = self.max.max(other.max);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The largest value in nanoseconds, exactly; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
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
            seen += bucket;
            if seen >= rank {
                return Some(upper_end(index).min(self.max()));
            }
        }
        Some(self.max())
    }

    /// Percentiles (0 to 100) with their values, closer and closer to 100 as one looks at ever rarer
    /// values: equal steps of the number of values that one of them is the worst of.
    pub fn curve(&self, most: usize) -> Vec<(f64, u64)> {
        let rarest = (self.count().max(1) as f64).log10();
        let at = |step: usize| 100.0 * (1.0 - 10f64.powf(-rarest * step as f64 / most as f64));
        let points = (0..=most).map(at);
        let mut curve: Vec<_> = points
            .filter_map(|percent| Some((percent, self.percentile(percent)?)))
            .collect();
        // What rounding may have missed.
        if let Some(last) = curve.last_mut() {
            last.1 = self.max();
        }
        curve
    }
}

#[inline]
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
        let mut histogram = Histogram::default();
        let mut other = Histogram::default();
        for value in 1..=100_000u64 {
            let half = if value % 3 == 0 {
                &mut histogram
            } else {
                &mut other
            };
            half.record(value);
        }
        histogram.merge(&other);
        for (percent, exact) in [(1.0, 1_000), (50.0, 50_000), (99.0, 99_000)] {
            let got = histogram.percentile(percent).unwrap();
            assert!(got >= exact && got <= exact + exact / 32, "p{percent}: {got}");
        }
        assert_eq!(histogram.percentile(100.0), Some(100_000));
        assert_eq!(histogram.max(), 100_000);
        assert_eq!(histogram.count(), 100_000);
        let curve = histogram.curve(5);
        assert!(curve.is_sorted_by(|(a, x), (b, y)| a < b && x <= y), "{curve:?}");
        assert_eq!(curve[0], (0.0, 1));
        let (percent, worst) = curve[5];
        assert!((percent - 99.999).abs() < 1e-6 && worst == 100_000, "{curve:?}");
    }

    #[test]
    fn empty_and_single() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50.0), None);
        histogram.record(1_234_567);
        assert_eq!(histogram.percentile(50.0), Some(1_234_567));
        assert_eq!(histogram.percentile(99.0), Some(1_234_567));
    }
}
