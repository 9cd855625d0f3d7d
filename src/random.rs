//! Seeded random numbers that are the same on every machine and in every release.
//!
//! The generator is PCG XSL RR 128/64, keyed by SHA-256 of the seed and of what the numbers are
//! for. The mappings from 64 random bits are our own and frozen by golden tests: those of
//! libraries may change between releases.

use std::time::Duration;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng};
use sha2::{Digest, Sha256};

/// Who draws: numbers depend on this and the seed, never on arrival order or threads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DrawKey {
    /// Method, path and place among equals (`GET /sse#0`).
    pub endpoint: String,
    /// The client's key; empty when the session counts as one client.
    pub client: String,
    /// Which of this client's requests to this endpoint, from 1.
    pub attempt: u64,
}

impl DrawKey {
    /// The first request to an endpoint, where the session counts as one client.
    pub fn first(endpoint: impl Into<String>) -> DrawKey {
        DrawKey {
            endpoint: endpoint.into(),
            client: String::new(),
            attempt: 1,
        }
    }
}

/// What numbers are drawn for. Each purpose has its own sequence, so that a change in one
/// (a longer delay, another split) leaves the others as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Ids, uuids, letters, choices: what is sent.
    Data,
    /// Delays: when it is sent.
    Timing,
    /// Conditions: which endpoint answers.
    Matching,
    /// Where writes are split.
    Wire,
    /// Whether and when something goes wrong.
    Faults,
}

/// One sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Draw(Pcg64);

impl Draw {
    /// The sequence for a purpose of a stream under a seed.
    pub fn new(seed: u64, key: &DrawKey, purpose: Purpose) -> Draw {
        let mut hash = Sha256::new();
        hash.update(b"mock-sse 1\0");
        hash.update(seed.to_le_bytes());
        for part in [&key.endpoint, &key.client] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(key.attempt.to_le_bytes());
        hash.update([purpose as u8]);
        Draw(Pcg64::from_seed(hash.finalize().into()))
    }

    /// A sequence of its own for branch `index`, derived from what this one would draw next.
    ///
    /// This one does not move on: forking costs its own numbers nothing.
    pub fn fork(&self, index: u64) -> Draw {
        let mut ahead = self.clone();
        let mut hash = Sha256::new();
        hash.update(b"mock-sse fork 1\0");
        for _ in 0..4 {
            hash.update(ahead.bits().to_le_bytes());
        }
        hash.update(index.to_le_bytes());
        Draw(Pcg64::from_seed(hash.finalize().into()))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; 0 for `n` = 0. The bias is below n / 2⁶⁴.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A whole number between two bounds, both included, in either order.
    pub fn between(&mut self, a: i64, b: i64) -> i64 {
        let (low, high) = (a.min(b), a.max(b));
        let width = high.abs_diff(low);
        let offset = if width == u64::MAX {
            self.bits()
        } else {
            self.below(width + 1)
        };
        low.wrapping_add_unsigned(offset)
    }

    /// A number between two finite bounds, in either order; the lower included, the upper not
    /// unless they are equal. Made from 53 bits, the precision of a double.
    pub fn float(&mut self, a: f64, b: f64) -> f64 {
        let (low, high) = (a.min(b), a.max(b));
        let part = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        // Not low + (high - low) · part: the difference of two large bounds overflows.
        let between = low * (1.0 - part) + high * part;
        between.min(high.next_down()).max(low)
    }

    /// A duration between two bounds, both included, in whole microseconds.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let width = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(self.below(width.saturating_add(1)))
    }

    /// A lower-case letter, each as likely as the others.
    pub fn letter(&mut self) -> char {
        char::from(b'a' + self.below(26) as u8)
    }

    /// A random (version 4) UUID, RFC 9562 §5.4.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&self.bits().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(endpoint: &str, attempt: u64, purpose: Purpose) -> Draw {
        Draw::new(
            7,
            &DrawKey {
                endpoint: endpoint.into(),
                client: String::new(),
                attempt,
            },
            purpose,
        )
    }

    /// Frozen: a change here breaks every recorded run of every user.
    #[test]
    fn the_numbers_are_golden() {
        let mut data = draw("GET /sse#0", 1, Purpose::Data);
        let numbers: Vec<i64> = (0..6).map(|_| data.between(0, 25)).collect();
        let mut timing = draw("GET /sse#0", 1, Purpose::Timing);
        let delay = timing.duration(Duration::from_millis(10), Duration::from_millis(50));
        assert_eq!(numbers, [10, 18, 24, 8, 0, 24]);
        assert_eq!(data.uuid(), "e84c8c34-e48f-4412-a556-383e956b2a60");
        assert_eq!(delay, Duration::from_micros(11_889));
    }

    /// Frozen as well; and the numbers of the older purposes do not move when purposes are added.
    #[test]
    fn forks_floats_and_every_purpose_are_golden() {
        let data = draw("GET /sse#0", 1, Purpose::Data);
        let mut forks: Vec<u64> = [0, 1, u64::MAX].map(|i| data.fork(i).below(1_000_000)).into();
        forks.push(data.fork(0).fork(0).below(1_000_000));
        assert_eq!(forks, [649549, 635132, 579389, 868142]);
        let mut floats = data.clone();
        assert_eq!(floats.float(0.0, 1.0), 0.41968445922092024);
        assert_eq!(floats.float(10.0, -2.5), 6.282239526497995);
        let purposes = [
            Purpose::Data,
            Purpose::Timing,
            Purpose::Matching,
            Purpose::Wire,
            Purpose::Faults,
        ];
        let firsts = purposes.map(|p| draw("GET /sse#0", 1, p).below(1_000_000));
        assert_eq!(firsts, [419_684, 47_248, 636_680, 864_983, 856_451]);
    }

    #[test]
    fn a_fork_leaves_its_parent_where_it_is() {
        let mut parent = draw("x", 1, Purpose::Data);
        let mut untouched = parent.clone();
        parent.fork(1);
        assert_eq!(parent.bits(), untouched.bits());
        assert_ne!(parent.fork(1).bits(), untouched.fork(2).bits());
    }

    #[test]
    fn floats_stay_within_their_bounds() {
        let mut d = draw("x", 1, Purpose::Data);
        for (a, b) in [
            (0.0, 1.0),
            (-1.0, 1e-9),
            (f64::MIN, f64::MAX),
            (1.0, 1.0f64.next_up()),
        ] {
            for _ in 0..1000 {
                let x = d.float(a, b);
                assert!(a <= x && x < b, "{a} {x} {b}");
            }
        }
        assert_eq!(d.float(3.5, 3.5), 3.5);
    }

    #[test]
    fn sequences_differ_by_endpoint_attempt_and_purpose() {
        let first = |mut d: Draw| d.bits();
        let all = [
            first(draw("GET /a#0", 1, Purpose::Data)),
            first(draw("GET /b#0", 1, Purpose::Data)),
            first(draw("GET /a#0", 2, Purpose::Data)),
            first(draw("GET /a#0", 1, Purpose::Timing)),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn bounds_are_included_and_extremes_do_not_overflow() {
        let mut d = draw("x", 1, Purpose::Data);
        let seen: std::collections::BTreeSet<_> = (0..200).map(|_| d.between(3, 1)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        d.between(i64::MIN, i64::MAX);
        assert_eq!(d.below(0), 0);
        assert_eq!(
            d.duration(Duration::from_secs(1), Duration::from_secs(1)),
            Duration::from_secs(1)
        );
    }
}
