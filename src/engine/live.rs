//! One open stream, for whoever looks at it or commands it from outside.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::connections::lock;
use super::parcel::{Parcel, Parcels};
use crate::event::Event;
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

impl LiveConnection {
    pub(super) fn new(
        number: u64,
        peer: SocketAddr,
        endpoint: Arc<str>,
        stamp: u64,
        since: Duration,
    ) -> LiveConnection {
        LiveConnection {
            number,
            peer,
            endpoint,
            stamp,
            since,
            path: OnceLock::new(),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            writing: Mutex::new(None),
            stuck: AtomicBool::new(false),
            parcels: Parcels::default(),
            order: Mutex::new(None),
            bell: Bell::default(),
        }
    }

    /// It has left the registry: nothing more can be handed in.
    pub(super) fn leaves(&self) {
        self.parcels.close();
    }

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
