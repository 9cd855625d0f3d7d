//! What players may reach: the narrow handles of a session, and what is outside of any stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::AbortHandle;

use super::catalog::Catalog;
use super::connections::Connections;
use super::gate::Gate;
use crate::board::Board;
use crate::clock::Clock;
use crate::expr::TopicView;
use crate::scenario::Scenario;
use crate::state::State;
use crate::topic::Topics;
use crate::wire::Frame;

/// Feeds of a session; their topics' names may come from requests, so there must be a bound.
const MOST_FEEDS: usize = 10_000;

/// The handles that all players of a session share.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) clock: Arc<Clock>,
    pub(super) topics: Arc<Topics>,
    pub(super) state: Arc<State>,
    pub(super) board: Arc<Board>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) connections: Arc<Connections>,
    pub(super) gate: Arc<Gate>,
    /// What streams are sent when the server stops.
    pub(super) farewell: Option<Frame>,
    /// The seed from which feeds draw unless their scenario says one.
    pub(super) seed: super::Seed,
    feeds: Mutex<Feeds>,
}

/// A feed that is wanted.
pub(super) struct Wanted<'a> {
    /// The name of its topic.
    pub(super) topic: &'a str,
    /// Where it is declared.
    pub(super) scenario: &'a Arc<Scenario>,
    /// Whether the topic's name is captured, not declared.
    pub(super) captured: bool,
}

/// The feeds that have been started, by the names of their topics.
#[derive(Debug, Default)]
pub(super) struct Feeds(HashMap<String, Started>);

#[derive(Debug)]
struct Started {
    /// Where it was last seen as it is; compared, not used.
    scenario: Weak<Scenario>,
    /// What it is: it stays the same if a reload changes something else.
    fingerprint: u64,
    captured: bool,
    task: AbortHandle,
}

impl Stage {
    pub(super) fn new(
        session: &crate::session::Session,
        catalog: Arc<Catalog>,
        connections: Arc<Connections>,
        gate: Arc<Gate>,
        seed: super::Seed,
        farewell: Option<Frame>,
    ) -> Stage {
        Stage {
            clock: session.clock.clone(),
            topics: session.topics.clone(),
            state: session.state.clone(),
            board: session.board.clone(),
            catalog,
            connections,
            gate,
            farewell,
            seed,
            feeds: Mutex::default(),
        }
    }

    /// The feeds that have been started. They may be asked for while topics are followed, not the
    /// other way round.
    pub(super) fn feeds(&self) -> MutexGuard<'_, Feeds> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all feeds: nobody follows any more.
    pub(super) fn stop_feeds(&self) {
        self.feeds().0.drain().for_each(|(_, feed)| feed.task.abort());
    }
}

impl Feeds {
    /// Starts the feed of a topic, unless that was done before; one that has changed since ends the
    /// one before. An error if there are too many.
    pub(super) fn start<F>(
        &mut self,
        wanted: &Wanted,
        topics: &Topics,
        fingerprint: impl FnOnce() -> u64,
        feed: impl FnOnce() -> F,
    ) -> Result<(), String>
    where
        F: std::future::Future<Output = ()> + Send + 'static,
    {
        let seen = Arc::downgrade(wanted.scenario);
        let started = self.0.get_mut(wanted.topic);
        if started.as_ref().is_some_and(|feed| feed.scenario.ptr_eq(&seen)) {
            return Ok(());
        }
        let fingerprint = fingerprint();
        if let Some(same) = started.filter(|feed| feed.fingerprint == fingerprint) {
            same.scenario = seen;
            return Ok(());
        }
        self.end(wanted.topic);
        self.make_room(wanted.topic, topics)?;
        let feed = Started {
            scenario: seen,
            fingerprint,
            captured: wanted.captured,
            task: tokio::spawn(feed()).abort_handle(),
        };
        self.0.insert(wanted.topic.to_owned(), feed);
        Ok(())
    }

    /// Ends a topic's feed, if it has been started.
    pub(super) fn end(&mut self, topic: &str) {
        if let Some(feed) = self.0.remove(topic) {
            feed.task.abort();
        }
    }

    /// When there are too many, feeds of captured names end that nobody follows.
    fn make_room(&mut self, topic: &str, topics: &Topics) -> Result<(), String> {
        if self.0.len() < MOST_FEEDS {
            return Ok(());
        }
        let unused = |name: &String, feed: &mut Started| feed.captured && topics.clients(name) == 0;
        for (_, feed) in self.0.extract_if(unused) {
            feed.task.abort();
        }
        match self.0.len() < MOST_FEEDS {
            true => Ok(()),
            false => Err(format!(
                "the feeds of {MOST_FEEDS} topics have been started already, that of `{topic}` is one too many"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::compile::compile;
    use crate::scenario::diagnostic::Source;
    use crate::scenario::model::{Selector, TopicRules};
    use crate::session::Session;
    use crate::topic::Start;

    #[tokio::test]
    async fn feeds_of_captured_names_end_when_there_are_too_many_and_nobody_follows() {
        let source = Source::new("s.yaml", "endpoints: [{ path: /, body: x }]");
        let scenario = Arc::new(compile(&[Arc::new(source)]).unwrap().0);
        let topics = Session::new(Clock::real()).topics;
        let mut feeds = Feeds::default();
        let mut start = |topic: &str, captured| {
            let wanted = Wanted {
                topic,
                scenario: &scenario,
                captured,
            };
            feeds.start(&wanted, &topics, || 0, std::future::pending::<()>)?;
            Ok::<_, String>(feeds.0.len())
        };
        let which = [Selector::Name("0".into())];
        let followed = topics
            .subscribe(&which, Start::Live, &|_| TopicRules::default())
            .unwrap();
        assert_eq!(start("declared", false), Ok(1));
        for n in 0..MOST_FEEDS - 1 {
            assert_eq!(start(&n.to_string(), true), Ok(n + 2));
        }
        assert_eq!(start("1", true), Ok(MOST_FEEDS));
        // What is left: the one that is declared, the one that is followed, and the new one.
        assert_eq!(start("one more", true), Ok(3));
        assert_eq!((start("0", true), start("declared", false)), (Ok(3), Ok(3)));
        drop(followed);
        for n in 0..MOST_FEEDS - 3 {
            assert_eq!(start(&format!("declared {n}"), false), Ok(n + 4));
        }
        assert_eq!(start("a", false), Ok(MOST_FEEDS - 1));
        assert_eq!(start("b", false), Ok(MOST_FEEDS));
        assert!(start("c", false).is_err());
        let tasks = tokio::runtime::Handle::current().metrics();
        while tasks.num_alive_tasks() > MOST_FEEDS {
            tokio::task::yield_now().await;
        }
    }
}
