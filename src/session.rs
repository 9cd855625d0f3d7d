//! One isolated world: what outlives a scenario's reload and is shared by its connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::topic::Topics;

/// A world of attempts, topics and time.
#[derive(Debug)]
pub struct Session {
    /// The time of its scripts.
    pub clock: Arc<Clock>,
    /// Its topics.
    pub topics: Arc<Topics>,
    attempts: Mutex<HashMap<AttemptKey, u64>>,
}

/// An endpoint's key, and what counts as one client.
type AttemptKey = (String, String);

impl Session {
    /// A new world on a clock.
    pub fn new(clock: Arc<Clock>) -> Session {
        Session {
            topics: Arc::new(Topics::new(clock.clone())),
            clock,
            attempts: Mutex::default(),
        }
    }

    /// 1 + the requests of this client that this endpoint has answered.
    pub fn attempt(&self, endpoint: &str, client: &str) -> u64 {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts
            .get(&(endpoint.to_owned(), client.to_owned()))
            .map_or(1, |n| n + 1)
    }

    /// The same, and counts this request as answered; `None`, and nothing counted, if another number
    /// was expected: another request came first.
    pub fn take_attempt(&self, endpoint: &str, client: &str, expected: Option<u64>) -> Option<u64> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = attempts
            .entry((endpoint.to_owned(), client.to_owned()))
            .or_insert(0);
        if expected.is_some_and(|expected| expected != *count + 1) {
            return None;
        }
        *count += 1;
        Some(*count)
    }
}
