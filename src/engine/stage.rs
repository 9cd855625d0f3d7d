//! What players may reach: the narrow handles of a session, and what is outside of any stream.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use super::connections::Connections;
use super::gate::Gate;
use crate::board::Board;
use crate::clock::Clock;
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
    pub(super) connections: Arc<Connections>,
    pub(super) gate: Arc<Gate>,
    /// What streams are sent when the server stops.
    pub(super) farewell: Option<Frame>,
    /// The seed from which feeds draw unless their scenario says one.
    pub(super) seed: super::Seed,
    feeds: Mutex<Feeds>,
}

/// The feeds that have been started, by the names of their topics.
#[derive(Debug, Default)]
struct Feeds {
    started: HashSet<String>,
    running: Vec<AbortHandle>,
}

impl Stage {
    pub(super) fn new(
        session: &crate::session::Session,
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
            connections,
            gate,
            farewell,
            seed,
            feeds: Mutex::default(),
        }
    }

    /// Starts the feed of a topic, unless that was done before; an error if there are too many.
    pub(super) fn start_feed<F>(&self, topic: &str, feed: impl FnOnce() -> F) -> Result<(), String>
    where
        F: std::future::Future<Output = ()> + Send + 'static,
    {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if feeds.started.contains(topic) {
            return Ok(());
        }
        if feeds.started.len() >= MOST_FEEDS {
            return Err(format!(
                "the feeds of {MOST_FEEDS} topics have been started already, that of `{topic}` is one too many"
            ));
        }
        feeds.started.insert(topic.to_owned());
        feeds.running.retain(|task| !task.is_finished());
        feeds.running.push(tokio::spawn(feed()).abort_handle());
        Ok(())
    }
}

impl Stage {
    /// Ends all feeds: nobody follows any more.
    pub(super) fn stop_feeds(&self) {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.running.iter().for_each(AbortHandle::abort);
    }
}
