//! What of several histories a new follower gets.

use std::sync::Arc;
use std::time::Duration;

use super::log::Log;
use super::message::{Message, Start};
use crate::scenario::model::{Gap, TopicRules};

/// The topics followed, as they are now.
pub(super) struct Resume<'a> {
    pub logs: Vec<(&'a Log, TopicRules)>,
    /// The rule when the topics followed have none yet.
    pub otherwise: Gap,
    pub now: Duration,
}

/// The messages a follower begins with, in order of stamps, and the rule that was applied if messages
/// may be missing before them.
pub(super) type Beginning = (Vec<Arc<Message>>, Option<Gap>);

impl Resume<'_> {
    pub fn begin(&self, start: Start) -> Beginning {
        match start {
            Start::Live => (Vec::new(), None),
            Start::Earliest => (self.behind(0), None),
            Start::Behind(stamp) => self.rest(stamp),
            Start::After(id) => match self.known(id) {
                Some(stamp) => self.rest(stamp),
                None => {
                    let rules = self.logs.iter().map(|(_, rules)| rules.gap);
                    self.leap(0, strictest(rules).unwrap_or(self.otherwise))
                }
            },
        }
    }

    /// The stamp of the latest message with this id. That of a topic's last message is known whatever
    /// the history holds: nothing has come since.
    fn known(&self, id: &[u8]) -> Option<u64> {
        let messages = self.logs.iter().flat_map(|(log, rules)| {
            let fresh = log.fresh(rules.history.age, self.now);
            fresh.chain(&log.last)
        });
        messages
            .filter(|message| message.event.id.as_deref() == Some(id))
            .map(|message| message.stamp)
            .max()
    }

    /// What has come behind a stamp; if some of it is forgotten, as those topics' rules say.
    fn rest(&self, stamp: u64) -> Beginning {
        let lost = self
            .logs
            .iter()
            .filter(|(log, rules)| log.forgotten(rules.history.age, self.now) > stamp);
        match strictest(lost.map(|(_, rules)| rules.gap)) {
            Some(gap) => self.leap(stamp, gap),
            None => (self.behind(stamp), None),
        }
    }

    fn leap(&self, stamp: u64, gap: Gap) -> Beginning {
        let backlog = match gap {
            Gap::Replay => self.behind(stamp),
            Gap::Live | Gap::Error => Vec::new(),
        };
        (backlog, Some(gap))
    }

    fn behind(&self, stamp: u64) -> Vec<Arc<Message>> {
        let fresh = self
            .logs
            .iter()
            .flat_map(|(log, rules)| log.fresh(rules.history.age, self.now));
        let mut messages: Vec<_> = fresh.filter(|m| m.stamp > stamp).cloned().collect();
        messages.sort_unstable_by_key(|message| message.stamp);
        messages
    }
}

fn strictest(gaps: impl Iterator<Item = Gap>) -> Option<Gap> {
    gaps.max_by_key(|gap| match gap {
        Gap::Replay => 0,
        Gap::Live => 1,
        Gap::Error => 2,
    })
}
