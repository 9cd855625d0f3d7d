//! The registry of live connections: what is open now, and how to reach it.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::crowd::Crowd;
pub use super::live::{LiveConnection, Order};
use crate::board::Board;
use crate::news::Happening;
use crate::scenario::model::End;

/// All open streams.
#[derive(Debug)]
pub struct Connections {
    board: Arc<Board>,
    next: AtomicU64,
    closing: AtomicBool,
    /// The session is over: whoever is here, or still comes, is to leave.
    over: watch::Sender<bool>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// In order of arrival.
    live: VecDeque<Arc<LiveConnection>>,
    /// How many there are of each endpoint that has any.
    crowds: HashMap<Arc<str>, Crowd>,
}

impl Open {
    /// Where a stream is.
    fn place(&self, number: u64) -> Option<usize> {
        self.live.binary_search_by_key(&number, |live| live.number).ok()
    }
}

/// Keeps a stream in the registry for as long as it lives.
#[derive(Debug)]
pub struct Registered {
    connections: Arc<Connections>,
    live: Arc<LiveConnection>,
}

impl Connections {
    /// No streams yet; the board hears of those that come and go.
    pub fn new(board: Arc<Board>) -> Connections {
        Connections {
            board,
            next: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            over: watch::Sender::new(false),
            open: Mutex::default(),
        }
    }

    /// Adds a stream.
    pub fn register(self: &Arc<Self>, peer: SocketAddr, endpoint: &str, path: &str) -> Registered {
        let live = {
            let mut open = lock(&self.open);
            self.insert(&mut open, peer, endpoint, path)
        };
        self.enlist(live)
    }

    /// Adds a stream, unless its endpoint has as many open as it may have.
    pub fn register_within(
        self: &Arc<Self>,
        peer: SocketAddr,
        endpoint: &str,
        path: &str,
        most: usize,
    ) -> Option<Registered> {
        let live = {
            let mut open = lock(&self.open);
            if open.crowds.get(endpoint).map_or(0, Crowd::now) >= most {
                return None;
            }
            self.insert(&mut open, peer, endpoint, path)
        };
        Some(self.enlist(live))
    }

    fn insert(&self, open: &mut Open, peer: SocketAddr, endpoint: &str, path: &str) -> Arc<LiveConnection> {
        let key = open.crowds.get_key_value(endpoint).map(|(key, _)| key.clone());
        let key = key.unwrap_or_else(|| endpoint.into());
        let live = self.connection(peer, key.clone(), path);
        open.crowds.entry(key).or_default().come(live.stamp());
        open.live.push_back(live.clone());
        live
    }

    fn enlist(self: &Arc<Self>, live: Arc<LiveConnection>) -> Registered {
        // Looked at after the insertion: a shutdown in between reaches it one way or the other.
        if self.closing() {
            live.order(Order::Shutdown);
        }
        if self.is_over() {
            live.order(Order::End(End::Close));
        }
        self.board.changed();
        self.board.tell(|| Happening::Connected {
            connection: live.number,
            endpoint: live.endpoint().clone(),
            peer: live.peer(),
        });
        Registered {
            connections: self.clone(),
            live,
        }
    }

    /// Something that plays without being anybody's stream: a feed.
    pub fn unlisted(self: &Arc<Self>, name: &str) -> Registered {
        Registered {
            connections: self.clone(),
            live: self.connection(([0, 0, 0, 0], 0).into(), name.into(), ""),
        }
    }

    fn connection(&self, peer: SocketAddr, endpoint: Arc<str>, path: &str) -> Arc<LiveConnection> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (stamp, since) = (self.board.next_stamp(), self.board.now());
        Arc::new(LiveConnection::new(number, peer, endpoint, path, stamp, since))
    }

    /// The open streams, in order of arrival.
    pub fn all(&self) -> Vec<Arc<LiveConnection>> {
        lock(&self.open).live.iter().cloned().collect()
    }

    /// The open stream of this number.
    pub fn find(&self, number: u64) -> Option<Arc<LiveConnection>> {
        let open = lock(&self.open);
        open.place(number).map(|place| open.live[place].clone())
    }

    /// How many streams are open.
    pub fn count(&self) -> usize {
        lock(&self.open).live.len()
    }

    /// How many streams of an endpoint are open.
    pub fn count_of(&self, endpoint: &str) -> usize {
        lock(&self.open).crowds.get(endpoint).map_or(0, Crowd::now)
    }

    /// The most streams of an endpoint that have been open at the same time since a stamp.
    pub fn most_since(&self, endpoint: &str, stamp: u64) -> usize {
        let open = lock(&self.open);
        open.crowds
            .get(endpoint)
            .map_or(0, |crowd| crowd.most_since(stamp))
    }

    /// Tells every stream, those to come included, that the server stops.
    pub fn shut_down(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.order_all(Order::Shutdown);
    }

    /// Whether the server stops.
    pub fn closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The session is over: ends every stream, those to come included.
    pub fn end(&self) {
        self.over.send_replace(true);
        self.order_all(Order::End(End::Close));
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until the session is over.
    pub async fn ended(&self) {
        // It fails only without connections.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// Tells every stream that is open now.
    pub fn order_all(&self, order: Order) {
        self.order_where(order, |_| true);
    }

    /// Tells those of the open streams that are meant.
    pub fn order_where(&self, order: Order, meant: impl Fn(&LiveConnection) -> bool) {
        self.all()
            .iter()
            .filter(|live| meant(live))
            .for_each(|live| live.order(order));
    }

    fn remove(&self, live: &LiveConnection) {
        let mut open = lock(&self.open);
        let Some(place) = open.place(live.number) else {
            return;
        };
        open.live.remove(place);
        if open.live.is_empty() {
            open.live = VecDeque::new();
        }
        if let Some(crowd) = open.crowds.get_mut(live.endpoint())
            && crowd.leave()
        {
            open.crowds.remove(live.endpoint());
        }
        drop(open);
        live.leaves();
        self.board.changed();
        self.board.tell(|| Happening::Disconnected {
            connection: live.number,
            endpoint: live.endpoint().clone(),
            events: live.events(),
            bytes: live.bytes(),
        });
    }
}

impl Registered {
    /// The stream, for whoever looks at it from outside.
    pub fn shared(&self) -> Arc<LiveConnection> {
        self.live.clone()
    }
}

impl std::ops::Deref for Registered {
    type Target = LiveConnection;

    fn deref(&self) -> &LiveConnection {
        &self.live
    }
}

impl Registered {
    /// Whether the server stops.
    pub fn closing(&self) -> bool {
        self.connections.closing()
    }

    /// Takes the stream out of the registry before its time.
    pub fn leave(&self) {
        self.connections.remove(&self.live);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.leave();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
