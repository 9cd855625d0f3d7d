//! What can be commanded while a server runs, without HTTP: plain requests in, plain answers out.
//!
//! - `clock`, `connections`, `topics`, `world` (signals, state), `scenario`, `sessions`: what there is
//! - `journal`, `verify`: what clients did, and whether that was right
//! - `event`: an event as it is commanded; `time`: spans of time in requests and answers
//! - `failure`: why a command was not carried out
//!
//! All of it acts on one session, whose engine is given, or on all of them ([`Control`]).

pub mod clock;
pub mod connections;
pub mod event;
mod failure;
pub mod journal;
pub mod scenario;
pub mod sessions;
mod time;
pub mod topics;
pub mod verify;
pub mod world;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use failure::{Failure, Finding};
pub use time::{Time, ms as milliseconds};

use crate::board::Board;
use crate::engine::sessions::Sessions;
use crate::scenario::load::Origin;
use crate::watch::{LastLoad, Wish};

/// How long (in real time) a command waits for clients to take what is written, unless it says so.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Commands to a running server.
#[derive(Debug)]
pub struct Control {
    /// Its sessions.
    pub sessions: Arc<Sessions>,
    origin: Origin,
    wishes: mpsc::Sender<Wish>,
    last: LastLoad,
}

impl Control {
    /// For a server whose scenario comes from `origin`; `wishes` makes it load again, `last` says what
    /// that came to.
    pub fn new(
        sessions: Arc<Sessions>,
        origin: Origin,
        wishes: mpsc::Sender<Wish>,
        last: LastLoad,
    ) -> Control {
        Control {
            sessions,
            origin,
            wishes,
            last,
        }
    }
}

/// Waits (in real time) until something holds that the board hears of; false if it took too long.
async fn until(board: &Board, patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    if holds() {
        return true;
    }
    in_time(patience, board.until(holds)).await.is_some()
}

/// What a future gives within so much real time.
async fn in_time<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(patience, future).await.ok()
}
