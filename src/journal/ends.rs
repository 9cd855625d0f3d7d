//! When clients' connections ended last, so that the gap to the next one is known.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// Whose connection it was: a client at an endpoint. A digest, as keys of clients may be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whose([u8; 32]);

impl Whose {
    pub(super) fn of(endpoint: &str, client: &str) -> Whose {
        let mut digest = Sha256::new();
        digest.update((endpoint.len() as u64).to_le_bytes());
        digest.update(endpoint);
        digest.update(client);
        Whose(digest.finalize().into())
    }
}

/// The last ends of so many; who has not come for the longest time is forgotten.
#[derive(Debug)]
pub(super) struct Ends {
    most: usize,
    next: u64,
    last: BTreeMap<Whose, (Duration, u64)>,
    order: BTreeMap<u64, Whose>,
}

impl Ends {
    pub(super) fn new(most: usize) -> Ends {
        Ends {
            most,
            next: 0,
            last: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// A connection has ended.
    pub(super) fn ended(&mut self, whose: Whose, at: Duration) {
        let turn = self.next;
        self.next += 1;
        if let Some((_, before)) = self.last.insert(whose, (at, turn)) {
            self.order.remove(&before);
        }
        self.order.insert(turn, whose);
        while self.last.len() > self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.last.remove(&oldest);
        }
    }

    /// When the last one ended.
    pub(super) fn last(&self, whose: Whose) -> Option<Duration> {
        self.last.get(&whose).map(|(at, _)| *at)
    }

    pub(super) fn clear(&mut self) {
        self.last.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_come_for_longest_is_forgotten() {
        let mut ends = Ends::new(2);
        let [a, b, c] = ["a", "b", "c"].map(|client| Whose::of("GET /", client));
        for (whose, at) in [(a, 1), (b, 2), (a, 3), (c, 4)] {
            ends.ended(whose, Duration::from_secs(at));
        }
        let last = [a, b, c].map(|whose| ends.last(whose).map(|at| at.as_secs()));
        assert_eq!(last, [Some(3), None, Some(4)]);
        assert_eq!((ends.last.len(), ends.order.len()), (2, 2));
    }

    #[test]
    fn endpoint_and_client_are_told_apart() {
        assert_ne!(Whose::of("GET /a", "b"), Whose::of("GET /", "ab"));
        assert_eq!(Whose::of("GET /a", "b"), Whose::of("GET /a", "b"));
    }
}
