//! The current scenario as an immutable snapshot; a reload swaps it whole.

use std::sync::{Arc, PoisonError, RwLock};

use crate::scenario::Scenario;

/// Holds what is served now. An open connection keeps the snapshot it began with.
#[derive(Debug)]
pub struct Catalog {
    current: RwLock<Arc<Scenario>>,
}

impl Catalog {
    /// With a first scenario.
    pub fn new(scenario: Arc<Scenario>) -> Catalog {
        Catalog {
            current: RwLock::new(scenario),
        }
    }

    /// The scenario in force.
    pub fn current(&self) -> Arc<Scenario> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts another in force.
    pub fn swap(&self, scenario: Arc<Scenario>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = scenario;
    }
}
