//! What the journal keeps, within its bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Bounds;
use super::ends::{Ends, Whose};
use super::entry::Entry;

/// Clients whose last end is remembered.
const MOST_CLIENTS: usize = 10_000;

#[derive(Debug)]
pub(super) struct Shelf {
    bounds: Bounds,
    /// The number of the last arrival.
    last: u64,
    /// The last number that was cleared away: what happens to it and to those before counts no more.
    cleared: u64,
    dropped: u64,
    /// What they take.
    pub(super) bytes: usize,
    /// With what each takes.
    entries: BTreeMap<u64, (Arc<Entry>, usize)>,
    /// Those of the entries that have ended.
    finished: BTreeSet<u64>,
    ends: Ends,
}

impl Shelf {
    pub(super) fn new(bounds: Bounds) -> Shelf {
        Shelf {
            bounds,
            last: 0,
            cleared: 0,
            dropped: 0,
            bytes: 0,
            entries: BTreeMap::new(),
            finished: BTreeSet::new(),
            ends: Ends::new(MOST_CLIENTS),
        }
    }

    /// Gives the entry its number and keeps it.
    pub(super) fn add(&mut self, mut entry: Entry) -> Arc<Entry> {
        self.last += 1;
        entry.number = self.last;
        let size = entry.size();
        let entry = Arc::new(entry);
        self.entries.insert(self.last, (entry.clone(), size));
        self.bytes += size;
        self.make_room();
        entry
    }

    /// An entry takes more than before.
    pub(super) fn grow(&mut self, number: u64, by: usize) {
        if let Some((_, size)) = self.entries.get_mut(&number) {
            *size += by;
            self.bytes += by;
            self.make_room();
        }
    }

    /// An entry has ended.
    pub(super) fn finish(&mut self, number: u64, at: Duration, whose: Option<Whose>) {
        if number <= self.cleared {
            return;
        }
        if let Some(whose) = whose {
            self.ends.ended(whose, at);
        }
        if self.entries.contains_key(&number) {
            self.finished.insert(number);
        }
    }

    /// When the last connection of a client ended.
    pub(super) fn last_end(&self, whose: Whose) -> Option<Duration> {
        self.ends.last(whose)
    }

    /// The oldest that have ended go first, those that are open last.
    fn make_room(&mut self) {
        while self.entries.len() > self.bounds.entries || self.bytes > self.bounds.bytes {
            let oldest = self.finished.pop_first();
            let Some(number) = oldest.or_else(|| self.entries.keys().next().copied()) else {
                return;
            };
            if let Some((_, size)) = self.entries.remove(&number) {
                self.bytes -= size;
                self.dropped += 1;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.finished.clear();
        self.ends.clear();
        self.bytes = 0;
        self.cleared = self.last;
    }

    pub(super) fn arrivals(&self) -> u64 {
        self.last
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<Entry>> {
        self.entries.get(&number).map(|(entry, _)| entry.clone())
    }

    /// Those with a higher number, in order.
    pub(super) fn after(&self, number: u64) -> Vec<Arc<Entry>> {
        let Some(first) = number.checked_add(1) else {
            return Vec::new();
        };
        self.entries
            .range(first..)
            .map(|(_, (entry, _))| entry.clone())
            .collect()
    }
}
