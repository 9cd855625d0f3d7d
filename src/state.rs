//! A session's shared values, which `set` changes and expressions see as `state`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use minijinja::Value;

use crate::expr::StateView;
use minijinja::value::Serde;
use serde_json::Value as Json;

/// Keys at once; they may come from requests, so there must be a bound.
const MOST_KEYS: usize = 100_000;
/// Keys and values together, in bytes; values as compact JSON.
const MOST_BYTES: usize = 64 << 20;
/// Lists and mappings inside one another: what a script nests a little deeper every time would
/// otherwise exhaust the stack.
const MOST_DEPTH: usize = 128;

/// What a session's scripts share.
#[derive(Debug, Default)]
pub struct State {
    /// Held while a change is worked out; what is in force can be read meanwhile.
    changing: Mutex<()>,
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<String, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    bytes: usize,
}

/// Why a change was not made. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyError<E> {
    /// It could not be worked out.
    Change(E),
    /// It would be too many keys.
    TooManyKeys,
    /// It would be too much in all.
    TooLarge,
    /// The value for this key is nested too deeply.
    TooDeep(String),
    /// The value for this key cannot be written as JSON, and why.
    NoJson(String, String),
}

impl<E: fmt::Display> fmt::Display for ApplyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::Change(error) => error.fmt(f),
            ApplyError::TooManyKeys => write!(
                f,
                "`set`: the shared state would have more than {MOST_KEYS} keys; delete some with `~`"
            ),
            ApplyError::TooLarge => write!(
                f,
                "`set`: the shared state would be larger than {} MiB; delete some keys with `~`",
                MOST_BYTES >> 20
            ),
            ApplyError::TooDeep(key) => write!(
                f,
                "`set`: the value for `{key}` holds lists or mappings more than {MOST_DEPTH} deep; keep it flatter"
            ),
            ApplyError::NoJson(key, why) => {
                write!(f, "`set`: the value for `{key}` cannot be written as JSON: {why}")
            }
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for ApplyError<E> {}

impl State {
    /// Nothing yet.
    pub fn new() -> State {
        State::default()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.read().entries.get(key).map(|entry| entry.value.clone())
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.read().entries.keys().cloned().collect()
    }

    /// Works a change out and makes it: new values by key, `None` deletes; of a key's several values the
    /// last counts. No other change comes in between. Inside `change` the state can be read, as it was
    /// before, but not changed: that would wait for itself.
    ///
    /// # Errors
    ///
    /// What `change` says, or the change would go beyond a bound (100,000 keys; 64 MiB for keys and
    /// values as compact JSON; 128 levels of nesting). Then nothing of it is made.
    pub fn apply<E>(
        &self,
        change: impl FnOnce() -> Result<Vec<(String, Option<Value>)>, E>,
    ) -> Result<(), ApplyError<E>> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = BTreeMap::new();
        for (key, value) in change().map_err(ApplyError::Change)? {
            let entry = value.map(|value| Entry::new(&key, &value)).transpose()?;
            changes.insert(key, entry);
        }
        let bytes = self.read().check(&changes)?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.bytes = bytes;
        for (key, entry) in changes {
            match entry {
                Some(entry) => inner.entries.insert(key, entry),
                None => inner.entries.remove(&key),
            };
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateView for State {
    fn get(&self, key: &str) -> Option<Value> {
        State::get(self, key)
    }

    fn keys(&self) -> Vec<String> {
        State::keys(self)
    }
}

impl Inner {
    /// How many bytes there are after the changes.
    fn check<E>(&self, changes: &BTreeMap<String, Option<Entry>>) -> Result<usize, ApplyError<E>> {
        let (mut keys, mut bytes) = (self.entries.len(), self.bytes);
        for (key, entry) in changes {
            if let Some(old) = self.entries.get(key) {
                keys -= 1;
                bytes -= old.bytes;
            }
            if let Some(new) = entry {
                keys += 1;
                bytes = bytes.saturating_add(new.bytes);
            }
        }
        match (keys > MOST_KEYS, bytes > MOST_BYTES) {
            (true, _) => Err(ApplyError::TooManyKeys),
            (_, true) => Err(ApplyError::TooLarge),
            _ => Ok(bytes),
        }
    }
}

impl Entry {
    /// Values are kept plain: an object (the request, say) may hold more than it shows, or change.
    fn new<E>(key: &str, value: &Value) -> Result<Entry, ApplyError<E>> {
        let no_json = |error: serde_json::Error| ApplyError::NoJson(key.to_owned(), error.to_string());
        let json = serde_json::to_value(value).map_err(no_json)?;
        if !is_within(&json, MOST_DEPTH) {
            return Err(ApplyError::TooDeep(key.to_owned()));
        }
        let mut length = Length(0);
        serde_json::to_writer(&mut length, &json).map_err(no_json)?;
        Ok(Entry {
            value: Value::from(Serde(json)),
            bytes: key.len() + length.0,
        })
    }
}

fn is_within(json: &Json, depth: usize) -> bool {
    match json {
        Json::Array(items) => depth > 0 && items.iter().all(|item| is_within(item, depth - 1)),
        Json::Object(members) => depth > 0 && members.values().all(|member| is_within(member, depth - 1)),
        _ => true,
    }
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    type Change = Result<Vec<(String, Option<Value>)>, String>;

    fn set(key: &str, value: impl Into<Value>) -> (String, Option<Value>) {
        (key.to_owned(), Some(value.into()))
    }

    fn apply(state: &State, changes: Vec<(String, Option<Value>)>) -> Result<(), ApplyError<String>> {
        state.apply(|| Ok(changes))
    }

    #[test]
    fn a_change_is_made_whole_or_not_at_all() {
        let state = State::new();
        apply(&state, vec![set("b", 1), set("a", "x"), set("b", 2)]).unwrap();
        assert_eq!(
            (state.get("a"), state.get("b")),
            (Some("x".into()), Some(2.into()))
        );
        assert_eq!(state.keys(), ["a", "b"]);
        let failed: Result<_, ApplyError<String>> = state.apply(|| Change::Err("no".into()));
        assert_eq!(failed.unwrap_err().to_string(), "no");
        apply(&state, vec![("a".into(), None), ("none".into(), None)]).unwrap();
        assert_eq!((state.get("a"), state.keys()), (None, vec!["b".to_owned()]));
    }

    #[test]
    fn changes_see_one_another_and_readers_see_what_was_before() {
        let state = State::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let counted = state.apply(|| {
                            let n = state.get("n").map_or(0, |n| i64::try_from(n).unwrap());
                            Change::Ok(vec![set("n", n + 1)])
                        });
                        counted.unwrap();
                    }
                });
            }
        });
        assert_eq!(state.get("n"), Some(4000.into()));
    }

    #[test]
    fn others_read_while_a_change_is_worked_out() {
        let state = State::new();
        apply(&state, vec![set("n", 1)]).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (read, was_read) = mpsc::channel();
        std::thread::scope(|scope| {
            let state = &state;
            scope.spawn(move || {
                let changed = state.apply(|| {
                    begun.send(()).unwrap();
                    was_read.recv().unwrap();
                    Change::Ok(vec![set("n", 2)])
                });
                changed.unwrap();
            });
            has_begun.recv().unwrap();
            assert_eq!((state.get("n"), state.keys().len()), (Some(1.into()), 1));
            read.send(()).unwrap();
        });
        assert_eq!(state.get("n"), Some(2.into()));
    }

    #[test]
    fn too_many_keys_are_refused() {
        let state = State::new();
        apply(&state, (0..MOST_KEYS).map(|n| set(&n.to_string(), n)).collect()).unwrap();
        let refused = apply(&state, vec![set("0", "changed"), set("one more", 1)]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`set`: the shared state would have more than 100000 keys; delete some with `~`"
        );
        assert_eq!(state.get("0"), Some(0.into()));
        apply(&state, vec![("0".into(), None), set("one more", 1)]).unwrap();
    }

    #[test]
    fn too_large_values_are_refused() {
        let state = State::new();
        // As if there were others that leave room for this one, which has a key, two quotes and a letter.
        state.inner.write().unwrap().bytes = MOST_BYTES - 4;
        apply(&state, vec![set("k", "x")]).unwrap();
        assert_eq!(state.read().bytes, MOST_BYTES);
        let refused = apply(&state, vec![set("a", 1)]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`set`: the shared state would be larger than 64 MiB; delete some keys with `~`"
        );
        assert_eq!(state.get("a"), None);
        apply(&state, vec![("k".into(), None), set("a", 1)]).unwrap();
        assert_eq!(state.read().bytes, MOST_BYTES - 2);
    }

    #[test]
    fn values_that_grow_deeper_and_deeper_are_refused() {
        let state = State::new();
        let deeper = || {
            let inner = state.get("x").unwrap_or_default();
            Change::Ok(vec![set("x", vec![inner])])
        };
        for _ in 0..MOST_DEPTH {
            state.apply(deeper).unwrap();
        }
        assert_eq!(state.apply(deeper), Err(ApplyError::TooDeep("x".into())));
    }
}
