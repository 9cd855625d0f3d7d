//! One topic's history.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::message::Message;
use crate::scenario::model::History;

/// What a history holds at most where its rules don't say, in bytes on the wire.
const USUAL_BYTES: u64 = 64 << 20;

/// What has been published to a topic, as far as it is kept.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: VecDeque<Arc<Message>>,
    /// Of what is kept, on the wire.
    bytes: u64,
    /// The stamp of the last message that is no longer kept.
    forgotten: u64,
    /// The bound that held at the last publishing.
    age: Option<Duration>,
    /// The last message, even if no history is kept.
    pub last: Option<Arc<Message>>,
    /// How many there have been.
    pub count: u64,
}

impl Log {
    /// Adds a message, and forgets what goes beyond the bounds.
    pub fn add(&mut self, message: Arc<Message>, bounds: &History) {
        let now = message.at;
        self.age = bounds.age;
        self.count = message.number;
        self.bytes += message.frame.len() as u64;
        self.kept.push_back(message.clone());
        self.last = Some(message);
        let most = bounds.bytes.unwrap_or(USUAL_BYTES);
        while self.kept.len() > bounds.count || self.bytes > most {
            self.forget_oldest();
        }
        for _ in 0..self.first_fresh(bounds.age, now) {
            self.forget_oldest();
        }
    }

    /// What it holds, the last message included, in bytes on the wire.
    pub fn weight(&self) -> u64 {
        let last = self.last.as_ref().filter(|_| self.kept.is_empty());
        self.bytes + last.map_or(0, |last| last.frame.len() as u64)
    }

    /// Forgets the oldest message that is kept.
    pub fn forget_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.bytes -= oldest.frame.len() as u64;
            self.forgotten = oldest.stamp;
        }
    }

    /// Forgets all that is kept, and the last message; answers with how many were kept.
    pub fn forget_all(&mut self) -> usize {
        let count = self.kept.len();
        while !self.kept.is_empty() {
            self.forget_oldest();
        }
        if let Some(last) = self.last.take() {
            self.forgotten = self.forgotten.max(last.stamp);
        }
        count
    }

    /// How many messages are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// What is kept and was not too old by the rules of the last publishing.
    pub fn kept_at(&self, now: Duration) -> impl Iterator<Item = &Arc<Message>> {
        self.fresh(self.age, now)
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Where those begin that are not too old. A message that is too old counts as forgotten, even
    /// though it stands there until the next one comes.
    fn first_fresh(&self, age: Option<Duration>, now: Duration) -> usize {
        age.map_or(0, |age| {
            self.kept
                .partition_point(|message| now.saturating_sub(message.at) > age)
        })
    }

    /// What is kept and no older than `age`.
    pub fn fresh(&self, age: Option<Duration>, now: Duration) -> impl Iterator<Item = &Arc<Message>> {
        self.kept.range(self.first_fresh(age, now)..)
    }

    /// The stamp of the last message that is forgotten or older than `age`.
    pub fn forgotten(&self, age: Option<Duration>, now: Duration) -> u64 {
        match self.first_fresh(age, now) {
            0 => self.forgotten,
            fresh => self.kept[fresh - 1].stamp,
        }
    }

    /// Adds the messages behind number `last` to `to`; answers with how many of them are lost.
    pub fn behind(&self, last: u64, now: Duration, to: &mut Vec<Arc<Message>>) -> u64 {
        let fresh = self.fresh(self.age, now).filter(|message| message.number > last);
        let before = to.len();
        to.extend(fresh.cloned());
        (self.count - last.min(self.count)) - (to.len() - before) as u64
    }
}
