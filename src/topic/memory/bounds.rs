//! How many topics there may be, and how much all of them keep together.

use super::{MOST_TOPICS, World};
use crate::scenario::model::History;
use crate::topic::message::PublishError;

impl World {
    pub(super) fn make_room(&mut self) -> Result<(), PublishError> {
        match self.topics.len() < MOST_TOPICS || self.forget_topic(None) {
            true => Ok(()),
            false => Err(PublishError::TooMany),
        }
    }

    /// Forgets the topic that is least useful and that nobody follows by name, but not the one to be
    /// `spared`; answers with whether there was one.
    fn forget_topic(&mut self, spared: Option<&str>) -> bool {
        let unpinned = self.topics.values().filter(|topic| topic.pins == 0);
        let others = unpinned.filter(|topic| spared != Some(&*topic.name));
        let least_useful = others.min_by_key(|topic| (topic.declared, !topic.log.is_empty(), topic.used));
        let Some(name) = least_useful.map(|topic| topic.name.clone()) else {
            return false;
        };
        if let Some(forgotten) = self.topics.remove(&name) {
            self.kept -= forgotten.log.weight();
            forgotten.detach_all();
        }
        true
    }

    /// Keeps all histories together within their bound, at the cost of the topic that was published to
    /// last.
    pub(super) fn lighten(&mut self, name: &str) {
        while self.kept > History::MOST_BYTES {
            let log = self.topics.get_mut(name).map(|topic| &mut topic.log);
            let lighter = match log.filter(|log| !log.is_empty()) {
                Some(log) => {
                    let before = log.weight();
                    log.forget_oldest();
                    self.kept = self.kept - before + log.weight();
                    true
                }
                None => self.forget_topic(Some(name)),
            };
            if !lighter {
                break;
            }
        }
    }
}
