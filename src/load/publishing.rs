//! All messages of a run, dealt out to the publishers. What belongs here: the schedule, and what
//! became of the messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::board::{Board, count_text};
use super::error::LoadError;
use super::publisher::{Outlet, Publisher};
use super::settings::{LoadSettings, Publish};

/// A publisher stops after so many failures in a row: each may take the whole time-out.
const MOST_FAILURES: u32 = 5;

/// What became of the messages.
#[derive(Debug, Default)]
pub struct Published {
    /// Answered with 2xx or 3xx; of a command: it succeeded.
    pub accepted: u64,
    /// Refused, unanswered or not sent.
    pub failed: u64,
    pub reasons: BTreeMap<String, u64>,
    /// From the first message to the last answer.
    pub took: Duration,
}

/// Those who publish. Message `n` is sent by publisher `n % count`, so that each one's messages
/// have an order, and a receiver can tell it.
pub struct Publishing {
    publishers: Vec<Publisher>,
    messages: u64,
    rate: Option<f64>,
    warm_up: u64,
    limit: Duration,
}

/// The messages of one publisher: numbers from `first` in steps of `step`.
#[derive(Debug, Clone, Copy)]
struct Share {
    first: u64,
    step: u64,
    count: u64,
    /// The same in all messages: warm-up.
    unnumbered: bool,
    start: Instant,
    rate: Option<f64>,
    limit: Duration,
}

impl Publishing {
    /// Gets ready; nothing is connected yet.
    pub async fn new(publish: &Publish, settings: &LoadSettings) -> Result<Self, LoadError> {
        let outlet = Arc::new(Outlet::new(publish, settings).await?);
        Ok(Self {
            publishers: (0..publish.publishers).map(|_| Publisher::new(&outlet)).collect(),
            messages: publish.messages,
            rate: publish.rate,
            warm_up: publish.warm_up,
            limit: settings.limit,
        })
    }

    /// How many messages warm up at first.
    pub fn warm_up_count(&self) -> u64 {
        self.warm_up
    }

    /// Opens the connections of all publishers, as many at once as streams are.
    pub async fn connect(&mut self, at_once: usize) {
        let mut waiting = std::mem::take(&mut self.publishers).into_iter();
        let mut connecting = JoinSet::new();
        let connect = |mut publisher: Publisher| async move {
            publisher.connect().await;
            publisher
        };
        for publisher in waiting.by_ref().take(at_once) {
            connecting.spawn(connect(publisher));
        }
        while let Some(connected) = connecting.join_next().await {
            self.publishers.extend(connected);
            if let Some(publisher) = waiting.next() {
                connecting.spawn(connect(publisher));
            }
        }
    }

    /// Sends `count` warm-up messages, all by one publisher.
    pub async fn warm_up(&mut self, board: &Arc<Board>, count: u64) -> Published {
        let share = Share {
            first: 0,
            step: 1,
            count,
            unnumbered: true,
            start: Instant::now(),
            rate: None,
            limit: self.limit,
        };
        match self.publishers.first_mut() {
            Some(publisher) => share.send(publisher, board).await,
            None => Published::default(),
        }
    }

    /// Sends the measured messages on schedule.
    pub async fn publish(&mut self, board: &Arc<Board>) -> Published {
        let start = Instant::now();
        let step = self.publishers.len() as u64;
        let mut sending = JoinSet::new();
        for (mut publisher, first) in std::mem::take(&mut self.publishers).into_iter().zip(0..) {
            let share = Share {
                first,
                step,
                count: self.messages.saturating_sub(first).div_ceil(step),
                unnumbered: false,
                start,
                rate: self.rate,
                limit: self.limit,
            };
            let board = board.clone();
            sending.spawn(async move { share.send(&mut publisher, &board).await });
        }
        let mut all = Published::default();
        while let Some(part) = sending.join_next().await {
            if let Ok(part) = part {
                all.accepted += part.accepted;
                for (reason, count) in part.reasons {
                    count_text(&mut all.reasons, reason, count);
                }
            }
        }
        all.failed = self.messages - all.accepted;
        all.took = start.elapsed();
        all
    }
}

impl Share {
    async fn send(self, publisher: &mut Publisher, board: &Board) -> Published {
        let mut published = Published::default();
        let mut failures = 0;
        for at in 0..self.count {
            let index = self.first + at * self.step;
            if let Some(rate) = self.rate {
                // From the start, not from the last message: a late one must not delay the rest.
                sleep_until(self.start + Duration::from_secs_f64(index as f64 / rate)).await;
            }
            let number = if self.unnumbered { 0 } else { index + 1 };
            match publisher.send(board, number).await {
                Ok(()) => {
                    published.accepted += 1;
                    failures = 0;
                }
                Err(reason) => {
                    count_text(&mut published.reasons, reason, 1);
                    failures += 1;
                }
            }
            if !self.unnumbered {
                board.sent();
            }
            if failures == MOST_FAILURES || self.start.elapsed() >= self.limit {
                break;
            }
        }
        published.failed = self.count - published.accepted;
        published.took = self.start.elapsed();
        published
    }
}
