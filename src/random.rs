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

    /// A duration between two bounds, both included, in whole microseconds.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let width = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(self.below(width.saturating_add(1)))
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
