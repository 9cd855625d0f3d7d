//! Posts the messages, one after the other on a kept-alive HTTP/1.1 connection. What belongs
//! here: the schedule of sending and the answers to it. One connection, because several would
//! let messages overtake each other before the server has seen them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::board::{Board, count_text};
use super::error::LoadError;
use super::http1::skip_body;
use super::settings::{LoadSettings, Publish};
use crate::client::connect::{Connector, Wire};
use crate::client::http1::{exchange, request};

/// Publishing stops after so many failures in a row: each may take the whole time-out.
const MOST_FAILURES: u32 = 5;

/// What became of the messages.
#[derive(Debug, Default)]
pub struct Published {
    /// Answered with 2xx or 3xx.
    pub accepted: u64,
    /// Refused, unanswered or not sent.
    pub failed: u64,
    pub reasons: BTreeMap<String, u64>,
    /// From the first message to the last answer.
    pub took: Duration,
}

/// Posts messages to one address.
pub struct Publisher {
    connector: Connector,
    settings: Publish,
    head: Vec<u8>,
    patience: Duration,
    limit: Duration,
    wire: Option<Box<dyn Wire>>,
}

impl Publisher {
    /// Gets ready; nothing is connected before the first message.
    pub async fn new(publish: &Publish, settings: &LoadSettings) -> Result<Self, LoadError> {
        let own = [("content-type", "application/json"), ("accept", "*/*")];
        Ok(Self {
            connector: Connector::new(&publish.url, &settings.access(&publish.url)?, false).await?,
            head: request("POST", &publish.url, &own, &settings.headers),
            settings: publish.clone(),
            patience: settings.timeout,
            limit: settings.limit,
            wire: None,
        })
    }

    /// Posts `count` warm-up messages.
    pub async fn warm_up(&mut self, board: &Board, count: u64) -> Published {
        self.series(board, count, None, |_| 0).await
    }

    /// Posts the measured messages on schedule.
    pub async fn publish(&mut self, board: &Board) -> Published {
        let Publish { messages, rate, .. } = self.settings;
        self.series(board, messages, rate, |index| index + 1).await
    }

    async fn series(
        &mut self,
        board: &Board,
        count: u64,
        rate: Option<f64>,
        number: impl Fn(u64) -> u64,
    ) -> Published {
        let mut published = Published::default();
        let mut failures = 0;
        let start = Instant::now();
        for index in 0..count {
            if let Some(rate) = rate {
                // From the start, not from the last message: a late one must not delay the rest.
                sleep_until(start + Duration::from_secs_f64(index as f64 / rate)).await;
            }
            match self.post(board, number(index)).await {
                Ok(()) => {
                    published.accepted += 1;
                    failures = 0;
                }
                Err(reason) => {
                    count_text(&mut published.reasons, reason);
                    failures += 1;
                }
            }
            if failures == MOST_FAILURES || start.elapsed() >= self.limit {
                break;
            }
        }
        published.failed = count - published.accepted;
        published.took = start.elapsed();
        published
    }

    async fn post(&mut self, board: &Board, number: u64) -> Result<(), String> {
        let patience = self.patience;
        // A failed connection is not used again; the message is not sent again either, since
        // the server may have had it.
        let wire = self.wire.take();
        let posting = async {
            let mut wire = match wire {
                Some(wire) => wire,
                None => self.connector.connect().await?,
            };
            let body = self.settings.body.render(number, board.announce(number));
            let mut bytes = self.head.clone();
            let length = format!("content-length: {}\r\n\r\n", body.len());
            bytes.extend_from_slice(length.as_bytes());
            bytes.extend_from_slice(body.as_bytes());
            let answer = exchange(&mut *wire, &bytes).await?;
            let status = answer.head.status;
            let reusable = skip_body(&mut *wire, answer).await?;
            Ok::<_, String>((status, reusable.then_some(wire)))
        };
        let (status, wire) = timeout(patience, posting)
            .await
            .map_err(|_| "no answer in time")??;
        self.wire = wire;
        match status {
            200..400 => Ok(()),
            _ => Err(format!("the server answered {status}")),
        }
    }
}
