//! What the journal keeps, within its bounds.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
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
    /// In order of arrival.
    entries: VecDeque<Arc<Entry>>,
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
            entries: VecDeque::new(),
            finished: BTreeSet::new(),
            ends: Ends::new(MOST_CLIENTS),
        }
    }

    /// Gives the entry its number and keeps it.
    pub(super) fn add(&mut self, mut entry: Entry) -> Arc<Entry> {
        self.last += 1;
        entry.number = self.last;
        if let Some(before) = self.entries.back() {
            entry.share(before);
        }
        self.bytes += entry.size.load(Relaxed);
        let entry = Arc::new(entry);
        self.entries.push_back(entry.clone());
        self.make_room();
        entry
    }

    /// Where an entry is.
    fn place(&self, number: u64) -> Option<usize> {
        self.entries
            .binary_search_by_key(&number, |entry| entry.number)
            .ok()
    }

    /// An entry takes more than before.
    pub(super) fn grow(&mut self, number: u64, by: usize) {
        if let Some(place) = self.place(number) {
            self.entries[place].size.fetch_add(by, Relaxed);
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
        if self.place(number).is_some() {
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
            let place = oldest.map_or(Some(0), |number| self.place(number));
            let Some(entry) = place.and_then(|place| self.entries.remove(place)) else {
                return;
            };
            self.bytes -= entry.size.load(Relaxed);
            self.dropped += 1;
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries = VecDeque::new();
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
        self.place(number).map(|place| self.entries[place].clone())
    }

    /// Those with a higher number, in order.
    pub(super) fn after(&self, number: u64) -> Vec<Arc<Entry>> {
        let first = self.entries.partition_point(|entry| entry.number <= number);
        self.entries.range(first..).cloned().collect()
    }
}
