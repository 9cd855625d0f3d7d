//! Topics seen from outside: which there are, what they keep, and how they are cleared.

use std::sync::Arc;

use super::{Topic, Topics};
use crate::expr::TopicView;
use crate::text;
use crate::topic::lock;
use crate::topic::message::{Message, TopicState};

impl Topics {
    /// The stamp of the topic's last message.
    pub fn published(&self, name: &str) -> Option<u64> {
        self.look(name, |topic| topic.log.last.as_ref().map(|last| last.stamp))
    }

    /// All topics there are, by name.
    pub fn all(&self) -> Vec<TopicState> {
        let world = lock(&self.shared.world);
        let mut all: Vec<TopicState> = world.topics.values().map(Topic::state).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// A topic as it is now, and what is kept of it and no older than its rules allow.
    pub fn history(&self, name: &str) -> Option<(TopicState, Vec<Arc<Message>>)> {
        let world = lock(&self.shared.world);
        let topic = world.topics.get(name)?;
        let kept = topic.log.kept_at(self.shared.clock.now()).cloned().collect();
        Some((topic.state(), kept))
    }

    /// Forgets what is kept of a topic; its numbers go on. Answers with how many messages that were.
    pub fn clear(&self, name: &str) -> usize {
        let mut world = lock(&self.shared.world);
        let Some(topic) = world.topics.get_mut(name) else {
            return 0;
        };
        let (before, count) = (topic.log.weight(), topic.log.forget_all());
        let after = topic.log.weight();
        world.kept = world.kept - before + after;
        count
    }
}

impl TopicView for Topics {
    fn clients(&self, topic: &str) -> u64 {
        self.look(topic, |t| t.followers.len() as u64)
    }

    fn count(&self, topic: &str) -> u64 {
        self.look(topic, |t| t.log.count)
    }

    fn last(&self, topic: &str) -> Option<String> {
        let last = self.look(topic, |t| t.log.last.clone())?;
        last.event.data.as_ref().map(|data| text::from_bytes(data))
    }
}

impl Topic {
    fn state(&self) -> TopicState {
        TopicState {
            name: self.name.clone(),
            followers: self.followers.len(),
            count: self.log.count,
            kept: self.log.len(),
            last: self.log.last.clone(),
        }
    }
}
