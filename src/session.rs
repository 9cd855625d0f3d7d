//! One isolated world: what outlives a scenario's reload and is shared by its connections.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::board::Board;
use crate::clock::Clock;
use crate::name::short;
use crate::news::News;
use crate::state::State;
use crate::topic::Topics;

/// Attempts remembered, of all keys and clients; clients' names come from requests, so there must be a
/// bound.
const MOST_ATTEMPTS: usize = 100_000;

/// A world of attempts, topics, shared values and time.
#[derive(Debug)]
pub struct Session {
    /// The time of its scripts.
    pub clock: Arc<Clock>,
    /// Its topics.
    pub topics: Arc<Topics>,
    /// Its shared values.
    pub state: Arc<State>,
    /// Where its streams wait for one another.
    pub board: Arc<Board>,
    attempts: Mutex<Attempts>,
}

/// How often each client has come, by what it came for.
#[derive(Debug, Default)]
struct Attempts {
    clients: HashMap<Arc<str>, HashMap<String, u64>>,
    /// In the order in which they first came.
    order: VecDeque<Arc<str>>,
    /// Of all clients.
    count: usize,
}

impl Session {
    /// A new world on a clock.
    pub fn new(clock: Arc<Clock>) -> Session {
        Session::telling(clock, Arc::default())
    }

    /// A new world on a clock that adds to these news.
    pub fn telling(clock: Arc<Clock>, news: Arc<News>) -> Session {
        let board = Arc::new(Board::telling(clock.clone(), news));
        Session {
            topics: Arc::new(Topics::new(clock.clone(), board.clone())),
            state: Arc::default(),
            attempts: Mutex::default(),
            clock,
            board,
        }
    }

    /// 1 + the requests of this client that were counted under this key (an endpoint's, or that of a
    /// list of answers inside it).
    pub fn attempt(&self, key: &str, client: &str) -> u64 {
        self.attempts().next(key, &short(client))
    }

    /// Counts a request of this client under several keys, if under each it is the one expected; if one
    /// is not, as another request came first, nothing is counted and the answer is false.
    ///
    /// At most 100,000 pairs of client and key are remembered: beyond that those of the client that
    /// first came longest ago are forgotten.
    pub fn take_attempts(&self, client: &str, keys: &[(&str, u64)]) -> bool {
        let client = short(client);
        let mut attempts = self.attempts();
        if keys.iter().any(|(key, n)| attempts.next(key, &client) != *n) {
            return false;
        }
        attempts.put(&client, keys);
        true
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    fn next(&self, key: &str, client: &str) -> u64 {
        let counts = self.clients.get(client);
        counts.and_then(|counts| counts.get(key)).map_or(1, |n| n + 1)
    }

    fn put(&mut self, client: &str, keys: &[(&str, u64)]) {
        if keys.is_empty() {
            return;
        }
        if !self.clients.contains_key(client) {
            let client: Arc<str> = client.into();
            self.order.push_back(client.clone());
            self.clients.insert(client, HashMap::new());
        }
        let counts = self.clients.get_mut(client).expect("it is there");
        let before = counts.len();
        counts.extend(keys.iter().map(|(key, n)| ((*key).to_owned(), *n)));
        self.count += counts.len() - before;
        while self.count > MOST_ATTEMPTS && self.forget_oldest(client) {}
    }

    /// Forgets the client that came longest ago, but for the one that is here; false if there is none.
    fn forget_oldest(&mut self, present: &str) -> bool {
        let oldest = match self.order.pop_front() {
            Some(client) if *client == *present => {
                let next = self.order.pop_front();
                self.order.push_front(client);
                next
            }
            other => other,
        };
        let Some(counts) = oldest.and_then(|client| self.clients.remove(&client)) else {
            return false;
        };
        self.count -= counts.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Clock::real())
    }

    #[test]
    fn several_attempts_are_taken_together_or_not_at_all() {
        let session = session();
        assert_eq!(session.attempt("a", "c"), 1);
        assert!(session.take_attempts("c", &[("a", 1), ("b", 1)]));
        assert!(!session.take_attempts("c", &[("a", 2), ("b", 1)]));
        assert_eq!((session.attempt("a", "c"), session.attempt("b", "c")), (2, 2));
        assert!(session.take_attempts("c", &[("a", 2)]));
        assert_eq!((session.attempt("a", "c"), session.attempt("b", "c")), (3, 2));
        assert_eq!(session.attempt("a", "another"), 1);
    }

    #[test]
    fn of_many_at_once_one_takes_an_attempt() {
        let session = session();
        let taken: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (1..=100)
                            .filter(|n| session.take_attempts("c", &[("a", *n), ("b", *n)]))
                            .count()
                    })
                })
                .collect();
            tries.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(session.attempt("a", "c"), taken as u64 + 1);
        assert_eq!(session.attempt("b", "c"), taken as u64 + 1);
    }

    #[test]
    fn the_clients_that_came_first_are_forgotten_first() {
        let session = session();
        let attempt = |client| session.attempt("0", client);
        let keys: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        let keys: Vec<_> = keys.iter().map(|key| (key.as_str(), 1)).collect();
        for n in 0..MOST_ATTEMPTS / keys.len() {
            assert!(session.take_attempts(&n.to_string(), &keys));
        }
        // The oldest comes again, and with something new: the next oldest is forgotten.
        assert!(session.take_attempts("0", &[("0", 2), ("new", 1)]));
        assert_eq!(session.attempts().count, MOST_ATTEMPTS - 99);
        assert_eq!((attempt("0"), attempt("1"), attempt("2")), (3, 1, 2));
        assert!(session.take_attempts("x", &keys));
        assert_eq!((attempt("0"), attempt("2"), attempt("x")), (1, 2, 2));
        let attempts = session.attempts();
        assert_eq!(attempts.order.len(), attempts.clients.len());
        assert_eq!(
            attempts.count,
            attempts.clients.values().map(HashMap::len).sum::<usize>()
        );
    }

    #[test]
    fn a_long_name_is_not_kept() {
        let session = session();
        let long = "x".repeat(100_000);
        assert!(session.take_attempts(&long, &[("a", 1)]));
        assert_eq!((session.attempt("a", &long), session.attempt("a", "x")), (2, 1));
        assert!(session.attempts().order[0].len() < 100);
    }
}
