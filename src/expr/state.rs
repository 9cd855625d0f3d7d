//! `state` as expressions see it: what a session remembers under names.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

/// What expressions may ask of a session's state. Each question is answered as of now.
pub trait StateView: Send + Sync {
    /// What was last set under a name.
    fn get(&self, key: &str) -> Option<Value>;
    /// The names under which something is set.
    fn keys(&self) -> Vec<String>;
}

/// A state with nothing in it.
pub struct NoState;

impl StateView for NoState {
    fn get(&self, _: &str) -> Option<Value> {
        None
    }

    fn keys(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The object behind the name `state`.
pub(super) struct State(pub(super) Arc<dyn StateView>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl Object for State {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(key) => self.0.get(key),
            // `state[7]` is what `set: { 7: … }` has set; a missing key is no name at all.
            None if key.is_number() => self.0.get(&key.to_string()),
            None => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().into_iter().map(Value::from).collect())
    }
}
