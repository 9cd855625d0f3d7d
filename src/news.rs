//! What happens in a session, told to whoever listens.
//!
//! Nothing is kept before somebody has listened for the first time: until then, telling costs one look
//! at a flag. From then on the latest happenings are kept, so that a listener who comes back misses
//! nothing that is not too old.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::Notify;

/// Happenings kept.
const MOST: usize = 1_000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Happening {
    /// A request came.
    Request {
        /// Its method.
        method: String,
        /// Path and query.
        target: String,
        /// The client.
        peer: SocketAddr,
    },
    /// A request was answered.
    Answered {
        /// The request's method.
        method: String,
        /// Path and query.
        target: String,
        /// The status; 0 if there is no answer.
        status: u16,
    },
    /// A stream was opened.
    Connected {
        /// Its number.
        connection: u64,
        /// The endpoint's key.
        #[serde(serialize_with = "as_text")]
        endpoint: Arc<str>,
        /// The client.
        peer: SocketAddr,
    },
    /// A stream is no longer open.
    Disconnected {
        /// Its number.
        connection: u64,
        /// The endpoint's key.
        #[serde(serialize_with = "as_text")]
        endpoint: Arc<str>,
        /// Events it was sent.
        events: u64,
        /// Bytes it was sent.
        bytes: u64,
    },
    /// A message was published.
    Published {
        /// The topic's name.
        #[serde(serialize_with = "as_text")]
        topic: Arc<str>,
        /// The message's number in the topic.
        number: u64,
        /// The event's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How many followers it reached.
        reached: usize,
    },
    /// A signal was given.
    Signalled {
        /// Its name.
        signal: String,
    },
    /// Another scenario is in force.
    Reloaded {
        /// How many endpoints it has.
        endpoints: usize,
    },
    /// The session begins anew.
    Reset {},
    /// The clock was moved on.
    Advanced {
        /// By so much, in milliseconds.
        by_ms: f64,
    },
    /// A listener came back too late, or was too slow: so many happenings are lost to it.
    Missed {
        /// How many.
        count: u64,
    },
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl Happening {
    /// The type of the event that tells it.
    pub fn name(&self) -> &'static str {
        match self {
            Happening::Request { .. } => "request",
            Happening::Answered { .. } => "answered",
            Happening::Connected { .. } => "connected",
            Happening::Disconnected { .. } => "disconnected",
            Happening::Published { .. } => "published",
            Happening::Signalled { .. } => "signalled",
            Happening::Reloaded { .. } => "reloaded",
            Happening::Reset {} => "reset",
            Happening::Advanced { .. } => "advanced",
            Happening::Missed { .. } => "missed",
        }
    }
}

/// One happening with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its number, from 1.
    pub number: u64,
    /// When, on the session's clock.
    pub at: Duration,
    /// What.
    pub what: Happening,
}

/// A session's news.
#[derive(Debug, Default)]
pub struct News {
    heard: AtomicBool,
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the last.
    last: u64,
    items: VecDeque<Arc<Item>>,
    closed: bool,
}

impl News {
    /// Tells what happens now; it is worked out only if anybody has ever listened.
    pub fn tell(&self, at: impl FnOnce() -> Duration, what: impl FnOnce() -> Happening) {
        if !self.heard.load(Ordering::Relaxed) {
            return;
        }
        let (at, what) = (at(), what());
        let mut kept = self.lock();
        kept.last += 1;
        let number = kept.last;
        kept.items.push_back(Arc::new(Item { number, at, what }));
        if kept.items.len() > MOST {
            kept.items.pop_front();
        }
        drop(kept);
        self.changed.notify_waiters();
    }

    /// There will be no more: the session ends.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Listens behind the happening of this number; without one, or with one that was never told, to
    /// what comes next.
    pub fn listen(self: &Arc<Self>, after: Option<u64>) -> Listener {
        self.heard.store(true, Ordering::Relaxed);
        let last = self.lock().last;
        Listener {
            last: after.map_or(last, |after| after.min(last)),
            news: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who listens.
#[derive(Debug)]
pub struct Listener {
    news: Arc<News>,
    /// The number of the last that was heard.
    last: u64,
}

impl Listener {
    /// The next happening; `None` once the session has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<Item>> {
        let news = self.news.clone();
        loop {
            let changed = news.changed.notified();
            tokio::pin!(changed);
            // Before the look: a change in between is not missed.
            changed.as_mut().enable();
            if let Some(found) = self.take() {
                return found;
            }
            changed.await;
        }
    }

    fn take(&mut self) -> Option<Option<Arc<Item>>> {
        let kept = self.news.lock();
        if kept.last == self.last {
            return kept.closed.then_some(None);
        }
        let oldest = kept.items.front()?;
        if oldest.number > self.last + 1 {
            let count = oldest.number - self.last - 1;
            let (number, at) = (oldest.number - 1, oldest.at);
            self.last = number;
            let what = Happening::Missed { count };
            return Some(Some(Arc::new(Item { number, at, what })));
        }
        let item = kept.items[(self.last + 1 - oldest.number) as usize].clone();
        self.last = item.number;
        Some(Some(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(news: &News, name: &str) {
        let signal = name.to_owned();
        news.tell(|| Duration::ZERO, || Happening::Signalled { signal });
    }

    #[tokio::test]
    async fn a_listener_hears_what_comes_and_what_it_missed_a_moment_ago() {
        let news = Arc::new(News::default());
        signal(&news, "nobody listens");
        let mut first = news.listen(None);
        signal(&news, "a");
        signal(&news, "b");
        assert_eq!(first.next().await.unwrap().number, 1);
        assert_eq!(news.listen(Some(1)).next().await.unwrap().number, 2);
        let mut ahead = news.listen(Some(99));
        signal(&news, "c");
        assert_eq!(ahead.next().await.unwrap().number, 3);
        for n in 0..MOST + 10 {
            signal(&news, &n.to_string());
        }
        let missed = first.next().await.unwrap();
        assert_eq!((missed.number, missed.what.name()), (13, "missed"));
        assert_eq!(missed.what, Happening::Missed { count: 12 });
        assert_eq!(first.next().await.unwrap().number, 14);
        news.close();
        let mut late = news.listen(None);
        assert_eq!(late.next().await, None);
    }
}
