//! Topics within this process.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::clock::Clock;
use crate::event::Event;
use crate::expr::TopicView;
use crate::text;
use crate::wire::{Frame, Style, encode};

/// Messages a subscriber may be behind before it has to take up from the history.
const QUEUE: usize = 1024;
/// Topics at once; names may come from requests, so there must be a bound.
const MOST_TOPICS: usize = 2_000;

/// A published message, encoded once for everybody.
#[derive(Debug)]
pub struct Message {
    /// Its number in the topic, from 1.
    pub number: u64,
    /// The event.
    pub event: Event,
    /// The event on the wire.
    pub frame: Frame,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// With the next message.
    Live,
    /// With the oldest in the history.
    Earliest,
    /// Strictly behind the message with this id; if it is no longer known, with the oldest.
    After(&'a [u8]),
    /// Behind the message with this number.
    Behind(u64),
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishError {
    /// There are too many topics.
    TooMany,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {MOST_TOPICS} topics already")
    }
}

/// All topics of a session.
#[derive(Debug)]
pub struct Topics {
    clock: Arc<Clock>,
    all: Mutex<HashMap<String, Arc<Topic>>>,
}

#[derive(Debug)]
struct Topic {
    state: Mutex<State>,
    sender: broadcast::Sender<Arc<Message>>,
}

#[derive(Debug, Default)]
struct State {
    history: VecDeque<Arc<Message>>,
    last: Option<Arc<Message>>,
    count: u64,
}

impl Topics {
    /// No topics yet. The clock is told of deliveries under way.
    pub fn new(clock: Arc<Clock>) -> Topics {
        Topics {
            clock,
            all: Mutex::default(),
        }
    }

    /// Publishes an event and keeps at most `history` messages; answers with how many subscribers it
    /// reached. With `counted` the event's id becomes the message's number.
    pub fn publish(
        &self,
        name: &str,
        history: usize,
        mut event: Event,
        counted: bool,
    ) -> Result<usize, PublishError> {
        let topic = self.topic(name)?;
        let mut state = lock(&topic.state);
        state.count += 1;
        if counted {
            event.id = Some(state.count.to_string().into());
        }
        let frame = Frame::new(&encode(&event, &Style::STANDARD));
        let message = Arc::new(Message {
            number: state.count,
            event,
            frame,
        });
        state.last = Some(message.clone());
        state.history.push_back(message.clone());
        let surplus = state.history.len().saturating_sub(history);
        state.history.drain(..surplus);
        // Sent under the lock: history and live messages meet without a gap or an overlap.
        let reached = topic.sender.receiver_count();
        self.clock.begin(reached);
        let _ = topic.sender.send(message);
        Ok(reached)
    }

    /// Subscribes; what is missed from `start` on comes first.
    pub fn subscribe(&self, name: &str, start: Start) -> Result<Subscription, PublishError> {
        let topic = self.topic(name)?;
        let state = lock(&topic.state);
        let (backlog, gap) = match start {
            Start::Live => (VecDeque::new(), false),
            Start::Earliest => (state.history.clone(), false),
            Start::Behind(number) => {
                let rest = state.history.iter().filter(|m| m.number > number);
                let rest: VecDeque<_> = rest.cloned().collect();
                let gap = state.count - number.min(state.count) > rest.len() as u64;
                (rest, gap)
            }
            // Nothing has come since, whatever the history holds.
            Start::After(id)
                if state
                    .last
                    .as_ref()
                    .is_some_and(|m| m.event.id.as_deref() == Some(id)) =>
            {
                (VecDeque::new(), false)
            }
            Start::After(id) => match after(&state.history, id) {
                Some(rest) => (rest, false),
                None => (state.history.clone(), true),
            },
        };
        let receiver = Some(topic.sender.subscribe());
        let last = state.count;
        drop(state);
        let last = backlog.front().map_or(last, |m| m.number - 1);
        Ok(Subscription {
            clock: self.clock.clone(),
            topic,
            backlog,
            receiver,
            last,
            gap,
        })
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>, PublishError> {
        let mut all = lock(&self.all);
        if let Some(topic) = all.get(name) {
            return Ok(topic.clone());
        }
        if all.len() >= MOST_TOPICS {
            // Whoever holds a topic is about to use it.
            let unused = |t: &Arc<Topic>| Arc::strong_count(t) == 1 && t.sender.receiver_count() == 0;
            all.retain(|_, t| !unused(t) || !lock(&t.state).history.is_empty());
            if all.len() >= MOST_TOPICS {
                all.retain(|_, t| !unused(t));
            }
        }
        if all.len() >= MOST_TOPICS {
            return Err(PublishError::TooMany);
        }
        let topic = Arc::new(Topic {
            state: Mutex::default(),
            sender: broadcast::channel(QUEUE).0,
        });
        all.insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    fn look<T: Default>(&self, name: &str, f: impl FnOnce(&Topic) -> T) -> T {
        let topic = lock(&self.all).get(name).cloned();
        topic.map(|t| f(&t)).unwrap_or_default()
    }
}

impl TopicView for Topics {
    fn clients(&self, topic: &str) -> u64 {
        self.look(topic, |t| t.sender.receiver_count() as u64)
    }

    fn count(&self, topic: &str) -> u64 {
        self.look(topic, |t| lock(&t.state).count)
    }

    fn last(&self, topic: &str) -> Option<String> {
        self.look(topic, |t| {
            let last = lock(&t.state).last.clone()?;
            last.event.data.as_ref().map(|data| text::from_bytes(data))
        })
    }
}

fn after(history: &VecDeque<Arc<Message>>, id: &[u8]) -> Option<VecDeque<Arc<Message>>> {
    let at = history.iter().rposition(|m| m.event.id.as_deref() == Some(id))?;
    Some(history.iter().skip(at + 1).cloned().collect())
}

/// One stream's place in a topic.
#[derive(Debug)]
pub struct Subscription {
    clock: Arc<Clock>,
    topic: Arc<Topic>,
    backlog: VecDeque<Arc<Message>>,
    /// Taken only when dropped.
    receiver: Option<broadcast::Receiver<Arc<Message>>>,
    last: u64,
    gap: bool,
}

/// The subscriber was so slow that messages are lost to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow {
    /// How many.
    pub missed: u64,
}

impl Subscription {
    /// Whether the id to resume behind was unknown: messages may be missing.
    pub fn gap(&self) -> bool {
        self.gap
    }

    /// A message that was there at once, from the history.
    pub fn backlog(&mut self) -> Option<Arc<Message>> {
        let message = self.backlog.pop_front()?;
        self.last = message.number;
        Some(message)
    }

    /// The next live message. Cancel-safe. Call `taken` once it has been dealt with.
    pub async fn live(&mut self) -> Result<Arc<Message>, TooSlow> {
        loop {
            let Some(receiver) = &mut self.receiver else {
                return std::future::pending().await;
            };
            match receiver.recv().await {
                Ok(message) => {
                    self.last = message.number;
                    return Ok(message);
                }
                Err(RecvError::Lagged(missed)) => {
                    self.clock.done(missed as usize);
                    self.catch_up()?;
                    if let Some(message) = self.backlog() {
                        // It counts as taken up from the queue, where it may still stand.
                        self.clock.begin(1);
                        return Ok(message);
                    }
                }
                // The sender lives as long as this subscription holds the topic.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// The message that `live` gave has been dealt with.
    pub fn taken(&self) {
        self.clock.done(1);
    }

    /// Behind by more than the queue: the history fills the hole if it is long enough.
    fn catch_up(&mut self) -> Result<(), TooSlow> {
        let state = lock(&self.topic.state);
        let oldest = state.history.front().map_or(state.count + 1, |m| m.number);
        if oldest > self.last + 1 {
            return Err(TooSlow {
                missed: oldest - self.last - 1,
            });
        }
        let missing = state.history.iter().filter(|m| m.number > self.last);
        self.backlog.extend(missing.cloned());
        let waiting = self.receiver.as_ref().map_or(0, broadcast::Receiver::len);
        self.receiver = Some(self.topic.sender.subscribe());
        self.clock.done(waiting);
        Ok(())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Under the lock no message can come between the count and the end of the receiver.
        let _state = lock(&self.topic.state);
        if let Some(receiver) = self.receiver.take() {
            self.clock.done(receiver.len());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics::new(Clock::real())
    }

    fn publish(topics: &Topics, history: usize, id: &str) -> usize {
        let event = Event {
            id: Some(id.to_owned().into()),
            data: Some("x".into()),
            ..Event::default()
        };
        topics.publish("t", history, event, false).unwrap()
    }

    fn ids(subscription: &mut Subscription) -> Vec<String> {
        let id = |m: Arc<Message>| String::from_utf8(m.event.id.clone().unwrap().to_vec()).unwrap();
        std::iter::from_fn(|| subscription.backlog()).map(id).collect()
    }

    #[tokio::test]
    async fn resuming_starts_strictly_behind_the_id() {
        let topics = topics();
        for id in ["1", "2", "3", "4"] {
            publish(&topics, 3, id);
        }
        for (start, expected, gap) in [
            (Start::Live, vec![], false),
            (Start::Earliest, vec!["2", "3", "4"], false),
            (Start::After(b"3"), vec!["4"], false),
            (Start::After(b"4"), vec![], false),
            (Start::After(b"1"), vec!["2", "3", "4"], true),
        ] {
            let mut subscription = topics.subscribe("t", start).unwrap();
            assert_eq!(
                (ids(&mut subscription), subscription.gap()),
                (expected.into_iter().map(String::from).collect(), gap)
            );
        }
    }

    #[tokio::test]
    async fn everyone_gets_the_same_message() {
        let topics = topics();
        let mut a = topics.subscribe("t", Start::Live).unwrap();
        let mut b = topics.subscribe("t", Start::Live).unwrap();
        assert_eq!(publish(&topics, 0, "1"), 2);
        assert!(Arc::ptr_eq(&a.live().await.unwrap(), &b.live().await.unwrap()));
        assert_eq!(
            (
                topics.clients("t"),
                topics.count("t"),
                topics.last("t").as_deref()
            ),
            (2, 1, Some("x"))
        );
    }

    #[tokio::test]
    async fn a_slow_subscriber_catches_up_from_the_history_or_is_told() {
        for (history, complete) in [(5000, true), (10, false)] {
            let topics = topics();
            let mut slow = topics.subscribe("t", Start::Live).unwrap();
            for n in 1..=3000 {
                publish(&topics, history, &n.to_string());
            }
            let mut got = Vec::new();
            let outcome = loop {
                let next = match slow.backlog() {
                    Some(message) => Ok(message),
                    None => slow.live().await,
                };
                match next {
                    Ok(message) => got.push(message.number),
                    Err(error) => break Err(error),
                }
                if got.len() == 3000 {
                    break Ok(());
                }
            };
            assert_eq!(outcome.is_ok(), complete);
            assert!(
                got.iter().enumerate().all(|(i, n)| *n == i as u64 + 1),
                "in order, none missing"
            );
        }
    }
}
