//! The registry of live connections: what is open now, and how to reach it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::bell::Bell;
use super::crowd::Crowd;
use super::parcel::{Parcel, Parcels};
use crate::board::Board;
use crate::event::Event;
use crate::name::short;
use crate::news::Happening;
use crate::scenario::model::End;

/// What a live stream is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The server stops: say farewell and end cleanly.
    Shutdown,
    /// End like this.
    End(End),
}

impl Order {
    /// Whether it leaves no time for anything.
    fn is_abrupt(self) -> bool {
        matches!(self, Order::End(End::Cut { .. } | End::Reset))
    }
}

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
    live: HashMap<u64, Arc<LiveConnection>>,
    /// How many there are of each endpoint that has any.
    crowds: HashMap<Arc<str>, Crowd>,
}

/// One open stream. What is touched at every message stands together in front.
#[derive(Debug)]
#[repr(C)]
pub struct LiveConnection {
    events: AtomicU64,
    bytes: AtomicU64,
    bell: Bell,
    stuck: AtomicBool,
    /// Its number, from 1, in order of arrival.
    pub number: u64,
    /// The client.
    pub peer: SocketAddr,
    /// The endpoint's key.
    pub endpoint: Arc<str>,
    /// When it came, among all messages and signals of the session.
    pub stamp: u64,
    /// When it came, on the session's clock.
    pub since: Duration,
    /// The path that was asked for, without the session's name.
    pub(super) path: OnceLock<Box<str>>,
    /// Since when a write has been going on that the client has not taken.
    writing: Mutex<Option<Instant>>,
    parcels: Parcels,
    order: Mutex<Option<Order>>,
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
    pub fn register(self: &Arc<Self>, peer: SocketAddr, endpoint: &str) -> Registered {
        let live = {
            let mut open = lock(&self.open);
            self.insert(&mut open, peer, endpoint)
        };
        self.enlist(live)
    }

    /// Adds a stream, unless its endpoint has as many open as it may have.
    pub fn register_within(
        self: &Arc<Self>,
        peer: SocketAddr,
        endpoint: &str,
        most: usize,
    ) -> Option<Registered> {
        let live = {
            let mut open = lock(&self.open);
            if open.crowds.get(endpoint).map_or(0, Crowd::now) >= most {
                return None;
            }
            self.insert(&mut open, peer, endpoint)
        };
        Some(self.enlist(live))
    }

    fn insert(&self, open: &mut Open, peer: SocketAddr, endpoint: &str) -> Arc<LiveConnection> {
        let key = open.crowds.get_key_value(endpoint).map(|(key, _)| key.clone());
        let key = key.unwrap_or_else(|| endpoint.into());
        let live = self.connection(peer, key.clone());
        open.crowds.entry(key).or_default().come(live.stamp);
        open.live.insert(live.number, live.clone());
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
            endpoint: live.endpoint.clone(),
            peer: live.peer,
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
            live: self.connection(([0, 0, 0, 0], 0).into(), name.into()),
        }
    }

    fn connection(&self, peer: SocketAddr, endpoint: Arc<str>) -> Arc<LiveConnection> {
        Arc::new(LiveConnection {
            number: self.next.fetch_add(1, Ordering::Relaxed) + 1,
            peer,
            endpoint,
            stamp: self.board.next_stamp(),
            since: self.board.now(),
            path: OnceLock::new(),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            writing: Mutex::new(None),
            stuck: AtomicBool::new(false),
            parcels: Parcels::default(),
            order: Mutex::new(None),
            bell: Bell::default(),
        })
    }

    /// The open streams, in order of arrival.
    pub fn all(&self) -> Vec<Arc<LiveConnection>> {
        let mut all: Vec<_> = lock(&self.open).live.values().cloned().collect();
        all.sort_unstable_by_key(|live| live.number);
        all
    }

    /// The open stream of this number.
    pub fn find(&self, number: u64) -> Option<Arc<LiveConnection>> {
        lock(&self.open).live.get(&number).cloned()
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
        let all: Vec<_> = lock(&self.open).live.values().cloned().collect();
        all.iter()
            .filter(|live| meant(live))
            .for_each(|live| live.order(order));
    }

    fn remove(&self, live: &LiveConnection) {
        let mut open = lock(&self.open);
        if open.live.remove(&live.number).is_none() {
            return;
        }
        if let Some(crowd) = open.crowds.get_mut(&live.endpoint)
            && crowd.leave()
        {
            open.crowds.remove(&live.endpoint);
        }
        drop(open);
        live.parcels.close();
        self.board.changed();
        self.board.tell(|| Happening::Disconnected {
            connection: live.number,
            endpoint: live.endpoint.clone(),
            events: live.events(),
            bytes: live.bytes(),
        });
    }
}

impl LiveConnection {
    /// Gives an order; the first one stands, but for an abrupt end after one that may take its time.
    pub fn order(&self, order: Order) {
        let mut given = lock(&self.order);
        if given.is_none_or(|given| !given.is_abrupt() && order.is_abrupt()) {
            *given = Some(order);
        }
        drop(given);
        self.bell.ring();
    }

    /// An order that does not wait for a write to be done, or a promise to wake.
    pub(super) fn poll_cut_short(&self, cx: &Context<'_>) -> Poll<Order> {
        self.bell
            .poll(cx, || self.given().filter(|order| order.is_abrupt()))
    }

    /// Nothing is sent any more: what is handed in is refused.
    pub fn falls_silent(&self) {
        self.parcels.close();
    }

    /// The order, if there is one.
    pub fn given(&self) -> Option<Order> {
        *lock(&self.order)
    }

    /// Whether there is an order, or something was handed in; if not, the task is woken once there is.
    pub(super) fn is_called(&self, cx: &Context<'_>) -> bool {
        let called = || (self.given().is_some() || self.has_parcels()).then_some(());
        self.bell.poll(cx, called).is_ready()
    }

    /// Waits for an order. Cancel-safe.
    pub async fn ordered(&self) -> Order {
        poll_fn(|cx| self.bell.poll(cx, || self.given())).await
    }

    /// Hands in events to be sent between those of the script; what became of them comes when they have
    /// been written. `None`: the stream has ended.
    pub fn hand_in(&self, events: Vec<Event>) -> Option<tokio::sync::oneshot::Receiver<Result<(), String>>> {
        let answer = self.parcels.put(events)?;
        self.bell.ring();
        Some(answer)
    }

    /// Waits for events that are handed in. Cancel-safe.
    pub(super) async fn handed_in(&self) -> Parcel {
        poll_fn(|cx| self.bell.poll(cx, || self.parcels.take())).await
    }

    /// Whether nothing has been handed in.
    pub(super) fn has_parcels(&self) -> bool {
        !self.parcels.is_empty()
    }

    /// The path that was asked for.
    pub fn path(&self) -> &str {
        self.path.get().map_or("", |path| path)
    }

    /// Events that were handed in.
    pub(super) fn take_parcel(&self) -> Option<Parcel> {
        self.parcels.take()
    }

    /// Whether the client has not taken all that is being written to it.
    pub(super) fn is_stuck(&self, now: bool) {
        // Most writes are over at once, and nobody else writes this.
        if now == self.stuck.load(Ordering::Relaxed) {
            return;
        }
        *lock(&self.writing) = now.then(Instant::now);
        self.stuck.store(now, Ordering::Relaxed);
    }

    /// How long (in real time) the client has not taken what is being written to it.
    pub fn stuck_for(&self) -> Option<Duration> {
        lock(&self.writing).map(|began| began.elapsed())
    }

    /// Events sent so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes of the body sent so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts what has been written.
    pub fn wrote(&self, events: u64, bytes: u64) {
        self.events.fetch_add(events, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
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
    /// Remembers the path that was asked for.
    pub(super) fn asked_for(self, path: &str) -> Registered {
        let _ = self.live.path.set(short(path).into());
        self
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
