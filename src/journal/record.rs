//! What whoever serves a request tells the journal.

use std::sync::Arc;
use std::time::Duration;

use super::Journal;
use super::ends::Whose;
use super::entry::{Answered, By, Ended, Entry, How, Matched, Progress};
use crate::wire::Digest;

/// An entry to be written on. It may be told things even when the journal has forgotten it.
#[derive(Debug, Clone)]
pub struct Record {
    journal: Arc<Journal>,
    entry: Arc<Entry>,
}

impl Record {
    pub(super) fn new(journal: Arc<Journal>, entry: Arc<Entry>) -> Record {
        Record { journal, entry }
    }

    /// The entry's number.
    pub fn number(&self) -> u64 {
        self.entry.number
    }

    /// The entry, to be read.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// What answers the request is known. The first time counts.
    pub fn matched(&self, matched: &Matched) {
        {
            let mut shelf = self.journal.shelf();
            let mut progress = self.entry.progress();
            if progress.matched.is_some() {
                return;
            }
            let last = shelf.last_end(Whose::of(&matched.endpoint, &matched.client));
            progress.gap = last.and_then(|last| self.entry.at.checked_sub(last));
            progress.matched = Some(Box::new(matched.clone()));
            shelf.grow(self.number(), matched.size());
        }
        self.journal.changed();
    }

    /// The head is sent, or it is clear that there will be none (`status: None`); `at` on the session's
    /// clock. The first time counts. A plain answer (a status and no stream) ends with that.
    pub fn answered(&self, at: Duration, status: Option<u16>, stream: bool) {
        {
            let mut progress = self.entry.progress();
            if progress.answered.is_some() || progress.ended.is_some() {
                return;
            }
            progress.answered = Some(Answered { at, status, stream });
        }
        if status.is_some() && !stream {
            self.ended(at, Ended::new(How::Close, By::Answer));
            return;
        }
        self.journal.changed();
    }

    /// Bytes of a stream's body were written, in order, as they are before any content coding. What
    /// comes after the end does not count. Takes no lock but the entry's own.
    ///
    /// `event`: when, on the session's clock, if an event ends in them.
    pub fn wrote(&self, bytes: &[u8], event: Option<Duration>) {
        let mut progress = self.entry.progress();
        progress.last_event = event.or(progress.last_event);
        if progress.ended.is_none() {
            progress.tally.feed(bytes);
        }
    }

    /// The same for events of which it is known what they are.
    pub fn wrote_digested<'p>(
        &self,
        pieces: impl Iterator<Item = (&'p [u8], Option<&'p Digest>)>,
        now: Duration,
    ) {
        let mut progress = self.entry.progress();
        progress.last_event = Some(now);
        if progress.ended.is_none() {
            pieces.for_each(|(bytes, digest)| progress.tally.feed_digested(bytes, digest));
        }
    }

    /// The connection, or the answer on it, has ended; `at` on the session's clock. The first time
    /// counts: whether it was this one.
    pub fn ended(&self, at: Duration, ended: Ended) -> bool {
        {
            let mut shelf = self.journal.shelf();
            let mut progress = self.entry.progress();
            if progress.ended.is_some() {
                return false;
            }
            let more = progress.tally.finish() + ended.why.as_ref().map_or(0, String::len);
            shelf.finish(self.number(), at, whose(&progress));
            shelf.grow(self.number(), more);
            progress.ended = Some(Box::new((at, ended)));
        }
        self.journal.changed();
        true
    }
}

fn whose(progress: &Progress) -> Option<Whose> {
    let matched = progress.matched.as_ref()?;
    Some(Whose::of(&matched.endpoint, &matched.client))
}
