//! What whoever serves a request tells the journal.

use std::sync::Arc;
use std::time::Duration;

use super::Journal;
use super::ends::Whose;
use super::entry::{Answered, By, Ended, Entry, How, Matched};

/// An entry to be written on. It may be told things even when the journal has forgotten it.
#[derive(Debug, Clone)]
pub struct Record {
    journal: Arc<Journal>,
    entry: Arc<Entry>,
}

impl Record {
    /// An entry of this journal.
    pub fn new(journal: &Arc<Journal>, entry: &Arc<Entry>) -> Record {
        Record {
            journal: journal.clone(),
            entry: entry.clone(),
        }
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
    pub fn matched(&self, matched: Matched) {
        {
            let mut shelf = self.journal.shelf();
            let last = shelf.last_end(Whose::of(matched.endpoint.shown_key(), &matched.client));
            let gap = last.and_then(|last| self.entry.at().checked_sub(last));
            let more = matched.client.len();
            if !self.entry.is_matched(matched, gap) {
                return;
            }
            shelf.grow(self.number(), more);
        }
        self.journal.changed();
    }

    /// The head is sent, or it is clear that there will be none (`status: None`); `at` on the session's
    /// clock. The first time counts. A plain answer (a status and no stream) ends with that.
    pub fn answered(&self, at: Duration, status: Option<u16>, stream: bool) {
        {
            let mut progress = self.entry.progress();
            if progress.answered().is_some() || progress.ended.is_some() {
                return;
            }
            progress.answer(Answered { at, status, stream });
        }
        if status.is_some() && !stream {
            self.ended(at, Ended::new(How::Close, By::Answer));
            return;
        }
        self.journal.changed();
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
            shelf.finish(self.number(), at, whose(&self.entry));
            shelf.grow(self.number(), more);
            progress.ended = Some(Box::new((at, ended)));
        }
        self.journal.changed();
        true
    }
}

fn whose(entry: &Entry) -> Option<Whose> {
    let matched = entry.known_match()?;
    Some(Whose::of(matched.endpoint.shown_key(), &matched.client))
}
