//! What came, what it was answered, and how it ended: the requests of a session, oldest first.
//!
//! A [`Journal`] hands out a [`Record`] for each arrival; whoever serves the request tells the record
//! what happens. Others read [`Entry`]s, or [`watch`](Journal::watch) for changes. Times come in from
//! outside, on the session's clock. What belongs here: keeping within [`Bounds`], counting what streams
//! send, and showing it ([`json`](Entry::json), [`ndjson`], with secrets [`mask`]ed). No sockets, no files.

mod ends;
mod entry;
mod json;
pub mod mask;
mod record;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::request::Request;
use crate::scenario::model::Named;
pub use crate::wire::Sent;
pub use entry::{Answered, By, Ended, Entry, How, Matched};
pub use json::ndjson;
pub use mask::Mask;
pub use record::Record;
use shelf::Shelf;

/// How much a journal keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many entries.
    pub entries: usize,
    /// How many bytes of memory, about: heads, bodies, and what entries take besides.
    pub bytes: usize,
    /// How many bytes of each request's body.
    pub body: usize,
}

impl Default for Bounds {
    /// 10 000 entries, 64 MiB, 64 KiB of a body.
    fn default() -> Bounds {
        Bounds {
            entries: 10_000,
            bytes: 64 << 20,
            body: 64 << 10,
        }
    }
}

/// Which entries are wanted; all by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'a> {
    /// With a higher number than this.
    pub after: Option<u64>,
    /// Answered by this endpoint: its key (`GET /sse`), with or without its number, its path or its name.
    pub endpoint: Option<&'a str>,
    /// Of this client, by its key.
    pub client: Option<&'a str>,
    /// So many of them at most, the oldest.
    pub limit: Option<usize>,
    /// Only those that have not ended, or only those that have.
    pub open: Option<bool>,
}

/// The requests of a session.
#[derive(Debug)]
pub struct Journal {
    most_body: usize,
    /// An entry's own lock may be taken while this is held, never the other way round.
    shelf: Mutex<Shelf>,
    changes: watch::Sender<u64>,
}

impl Journal {
    /// An empty journal that keeps so much. When a bound is reached the oldest entries that have ended
    /// go first, then the oldest that are open.
    pub fn new(bounds: Bounds) -> Arc<Journal> {
        Arc::new(Journal {
            most_body: bounds.body,
            shelf: Mutex::new(Shelf::new(bounds)),
            changes: watch::Sender::new(0),
        })
    }

    /// A request has come: `at` on the session's clock, `wall_ms` milliseconds since the Unix epoch. It is
    /// open until its record is told otherwise.
    pub fn arrived(self: &Arc<Self>, request: &Request, at: Duration, wall_ms: u64) -> Record {
        let entry = Entry::new(request, at, wall_ms, self.most_body);
        let entry = self.shelf().add(entry);
        self.changed();
        Record::new(self, &entry)
    }

    /// The entries that are kept and wanted, in order of arrival. They go on changing while they are open.
    pub fn entries(&self, query: &Query) -> Vec<Arc<Entry>> {
        let kept = self.shelf().after(query.after.unwrap_or(0));
        let wanted = kept.into_iter().filter(|entry| query.wants(entry));
        wanted.take(query.limit.unwrap_or(usize::MAX)).collect()
    }

    /// The entry with a number, if it is kept.
    pub fn entry(&self, number: u64) -> Option<Arc<Entry>> {
        self.shelf().get(number)
    }

    /// How many requests have come, whatever is kept of them.
    pub fn arrivals(&self) -> u64 {
        self.shelf().arrivals()
    }

    /// How many entries were forgotten because of the bounds.
    pub fn dropped(&self) -> u64 {
        self.shelf().dropped()
    }

    /// Forgets all entries, those that are open too, and when clients' connections ended. Numbers go on.
    pub fn clear(&self) {
        self.shelf().clear();
        self.changed();
    }

    /// Counts changes: arrivals, what answers them, answers, ends, and clearing; not what is written.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when nothing is locked any more: who waits for it looks at once.
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Whether an endpoint's key (`GET /sse`, `GET /sse#1`) is meant by itself, with or without its number, or by its path.
pub fn is_meant(key: &str, wanted: &str) -> bool {
    let plain = key.rsplit_once('#').map_or(key, |(plain, _)| plain);
    let path = plain.split_once(' ').map_or(plain, |(_, path)| path);
    let first = key == plain && wanted.strip_suffix("#0") == Some(key);
    first || [key, plain, path].contains(&wanted)
}

impl Query<'_> {
    fn wants(&self, entry: &Entry) -> bool {
        let matched = entry.known_match();
        let endpoint = |wanted| {
            matched.is_some_and(|m| {
                let Named { name, .. } = &*m.endpoint;
                is_meant(m.endpoint.shown_key(), wanted) || name.as_deref() == Some(wanted)
            })
        };
        let client = |wanted: &str| matched.is_some_and(|m| *m.client == *wanted);
        self.endpoint.is_none_or(endpoint)
            && self.client.is_none_or(client)
            && self.open.is_none_or(|open| open == entry.is_open())
    }
}

#[cfg(test)]
mod tests;
