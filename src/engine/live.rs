//! One open stream, for whoever looks at it or commands it from outside.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use super::bell::Bell;
use super::connections::lock;
use super::parcel::{Parcel, Parcels};
use crate::clock::uptime;
use crate::event::Event;
use crate::name::short;
use crate::request::packed::Peer;
use crate::scenario::model::End;
use crate::tick::Tick;

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
    pub(super) fn is_abrupt(self) -> bool {
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
    /// Since when a write has been going on that the client has not taken, in nanoseconds of the
    /// process's time; 0: there is none.
    stuck: AtomicU64,
    /// Its number, from 1, in order of arrival.
    pub number: u64,
    /// Looked at seldom: it lies apart.
    rest: Box<Rest>,
}

/// Who asked for what, and when; and what it was told.
#[derive(Debug)]
struct Rest {
    peer: Peer,
    endpoint: Arc<str>,
    /// The path that was asked for, if it is not the endpoint's own.
    path: Option<Box<str>>,
    stamp: u64,
    since: Tick,
    told: Mutex<Told>,
}

/// What a stream was told from outside and has not dealt with. Most are told nothing.
#[derive(Debug, Default)]
struct Told {
    order: Option<Order>,
    parcels: Parcels,
}

/// The path in an endpoint's key (`GET /sse#0`).
fn path_in(key: &str) -> &str {
    let plain = key.rsplit_once('#').map_or(key, |(plain, _)| plain);
    plain.split_once(' ').map_or("", |(_, path)| path)
}

impl LiveConnection {
    pub(super) fn new(
        number: u64,
        peer: SocketAddr,
        endpoint: Arc<str>,
        path: &str,
        stamp: u64,
        since: Duration,
    ) -> LiveConnection {
        let path = short(path);
        LiveConnection {
            number,
            rest: Box::new(Rest {
                peer: peer.into(),
                path: (path != path_in(&endpoint)).then(|| path.into()),
                endpoint,
                stamp,
                since: since.into(),
                told: Mutex::default(),
            }),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            bell: Bell::default(),
        }
    }

    /// The client.
    pub fn peer(&self) -> SocketAddr {
        self.rest.peer.address()
    }

    /// The endpoint's key.
    pub fn endpoint(&self) -> &Arc<str> {
        &self.rest.endpoint
    }

    /// When it came, among all messages and signals of the session.
    pub fn stamp(&self) -> u64 {
        self.rest.stamp
    }

    /// When it came, on the session's clock.
    pub fn since(&self) -> Duration {
        self.rest.since.into()
    }

    /// It has left the registry: nothing more can be handed in.
    pub(super) fn leaves(&self) {
        lock(&self.rest.told).parcels.close();
    }

    /// Gives an order; the first one stands, but for an abrupt end after one that may take its time.
    pub fn order(&self, order: Order) {
        let mut told = lock(&self.rest.told);
        if told
            .order
            .is_none_or(|given| !given.is_abrupt() && order.is_abrupt())
        {
            told.order = Some(order);
        }
        drop(told);
        self.bell.ring();
    }

    /// An order that does not wait for a write to be done, or a promise to wake.
    pub(super) fn poll_cut_short(&self, cx: &Context<'_>) -> Poll<Order> {
        self.bell
            .poll(cx, || self.given().filter(|order| order.is_abrupt()))
    }

    /// Nothing is sent any more: what is handed in is refused.
    pub fn falls_silent(&self) {
        lock(&self.rest.told).parcels.close();
    }

    /// The order, if there is one.
    pub fn given(&self) -> Option<Order> {
        lock(&self.rest.told).order
    }

    /// Whether there is an order, or something was handed in; if not, the task is woken once there is.
    pub(super) fn is_called(&self, cx: &Context<'_>) -> bool {
        let called = || {
            let told = lock(&self.rest.told);
            (told.order.is_some() || !told.parcels.is_empty()).then_some(())
        };
        self.bell.poll(cx, called).is_ready()
    }

    /// Waits for an order. Cancel-safe.
    pub async fn ordered(&self) -> Order {
        poll_fn(|cx| self.bell.poll(cx, || self.given())).await
    }

    /// Hands in events to be sent between those of the script; what became of them comes when they have
    /// been written. `None`: the stream has ended.
    pub fn hand_in(&self, events: Vec<Event>) -> Option<tokio::sync::oneshot::Receiver<Result<(), String>>> {
        let answer = lock(&self.rest.told).parcels.put(events)?;
        self.bell.ring();
        Some(answer)
    }

    /// Waits for events that are handed in. Cancel-safe.
    pub(super) async fn handed_in(&self) -> Parcel {
        poll_fn(|cx| self.bell.poll(cx, || self.take_parcel())).await
    }

    /// Whether nothing has been handed in.
    pub(super) fn has_parcels(&self) -> bool {
        !lock(&self.rest.told).parcels.is_empty()
    }

    /// The path that was asked for, without the session's name.
    pub fn path(&self) -> &str {
        let Rest { path, endpoint, .. } = &*self.rest;
        path.as_deref().unwrap_or_else(|| path_in(endpoint))
    }

    /// Events that were handed in.
    pub(super) fn take_parcel(&self) -> Option<Parcel> {
        lock(&self.rest.told).parcels.take()
    }

    /// Whether the client has not taken all that is being written to it.
    pub(super) fn is_stuck(&self, now: bool) {
        // Most writes are over at once, and nobody else writes this.
        if now == (self.stuck.load(Ordering::Relaxed) > 0) {
            return;
        }
        let since = match now {
            true => (uptime().time().as_nanos() as u64).max(1),
            false => 0,
        };
        self.stuck.store(since, Ordering::Relaxed);
    }

    /// How long (in real time) the client has not taken what is being written to it.
    pub fn stuck_for(&self) -> Option<Duration> {
        let since = self.stuck.load(Ordering::Relaxed);
        (since > 0).then(|| uptime().time().saturating_sub(Duration::from_nanos(since)))
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
