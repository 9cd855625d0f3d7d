//! One of those who publish: it sends its messages one after the other, to an address on a
//! kept-alive HTTP/1.1 connection, or to a command. What belongs here: one message and the answer
//! to it; who sends which one when is in `publishing`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::board::Board;
use super::command;
use super::error::LoadError;
use super::http1::skip_body;
use super::settings::{LoadSettings, Publish, Template, Way};
use crate::client::connect::{Connector, Wire};
use crate::client::http1::{exchange, read, request};

/// What all publishers of a run have in common.
pub struct Outlet {
    way: Open,
    body: Template,
    patience: Duration,
}

enum Open {
    Post { connector: Connector, head: Vec<u8> },
    Command(String),
}

impl Outlet {
    /// Gets ready; nothing is connected yet.
    pub async fn new(publish: &Publish, settings: &LoadSettings) -> Result<Self, LoadError> {
        let way = match &publish.way {
            Way::Post(url) => {
                let own = [("content-type", "application/json"), ("accept", "*/*")];
                Open::Post {
                    connector: Connector::new(url, &settings.access(url)?, false).await?,
                    head: request("POST", url, &own, &settings.headers),
                }
            }
            Way::Command(line) => Open::Command(line.clone()),
        };
        Ok(Self {
            way,
            body: publish.body.clone(),
            patience: settings.timeout,
        })
    }
}

/// Sends messages one at a time, so that they cannot overtake each other.
pub struct Publisher {
    outlet: Arc<Outlet>,
    wire: Option<Box<dyn Wire>>,
}

impl Publisher {
    pub fn new(outlet: &Arc<Outlet>) -> Self {
        Self {
            outlet: outlet.clone(),
            wire: None,
        }
    }

    /// Connects ahead of the first message, so that it does not wait for that. What fails here
    /// fails again with the message, and counts there.
    pub async fn connect(&mut self) {
        if let Open::Post { connector, .. } = &self.outlet.way
            && self.wire.is_none()
            && let Ok(Ok(wire)) = timeout(self.outlet.patience, connector.connect()).await
        {
            self.wire = Some(wire);
        }
    }

    /// Sends a message; an error text unless it was accepted.
    pub async fn send(&mut self, board: &Board, number: u64) -> Result<(), String> {
        let outlet = self.outlet.clone();
        match &outlet.way {
            Open::Command(line) => {
                let message = outlet.body.render(number, board.announce(number));
                command::run(line, &message, outlet.patience).await
            }
            Open::Post { connector, head } => {
                let posting = self.post(connector, head, board, number);
                timeout(outlet.patience, posting)
                    .await
                    .map_err(|_| "no answer in time")?
            }
        }
    }

    async fn post(
        &mut self,
        connector: &Connector,
        head: &[u8],
        board: &Board,
        number: u64,
    ) -> Result<(), String> {
        // A failed connection is not used again; the message is not sent again either, since
        // the server may have had it. One that the server has closed meanwhile carries none.
        let mut wire = match self.wire.take().and_then(usable) {
            Some(wire) => wire,
            None => connector.connect().await?,
        };
        let body = self.outlet.body.render(number, board.announce(number));
        let mut bytes = head.to_vec();
        let length = format!("content-length: {}\r\n\r\n", body.len());
        bytes.extend_from_slice(length.as_bytes());
        bytes.extend_from_slice(body.as_bytes());
        let answer = exchange(&mut *wire, &bytes).await?;
        let status = answer.head.status;
        let reusable = skip_body(&mut *wire, answer).await?;
        self.wire = reusable.then_some(wire);
        match status {
            200..400 => Ok(()),
            _ => Err(format!("the server answered {status}")),
        }
    }
}

/// The connection, unless the server has closed it or has something to say that nobody asked for.
fn usable(mut wire: Box<dyn Wire>) -> Option<Box<dyn Wire>> {
    let silent = read(&mut *wire, |_| ()).now_or_never().is_none();
    silent.then_some(wire)
}
