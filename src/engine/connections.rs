//! The registry of live connections: what is open now, and how to reach it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::scenario::model::End;

/// What a live stream is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The server stops: say farewell and end cleanly.
    Shutdown,
    /// End like this.
    End(End),
}

/// All open streams.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicU64,
    closing: AtomicBool,
    live: Mutex<HashMap<u64, Arc<LiveConnection>>>,
    left: Notify,
}

/// One open stream.
#[derive(Debug)]
pub struct LiveConnection {
    /// Its number, from 1, in order of arrival.
    pub number: u64,
    /// The client.
    pub peer: SocketAddr,
    events: AtomicU64,
    bytes: AtomicU64,
    order: Mutex<Option<Order>>,
    ordered: Notify,
}

/// Keeps a stream in the registry for as long as it lives.
#[derive(Debug)]
pub struct Registered {
    connections: Arc<Connections>,
    live: Arc<LiveConnection>,
}

impl Connections {
    /// Adds a stream.
    pub fn register(self: &Arc<Self>, peer: SocketAddr) -> Registered {
        let live = Arc::new(LiveConnection {
            number: self.next.fetch_add(1, Ordering::Relaxed) + 1,
            peer,
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            order: Mutex::new(None),
            ordered: Notify::new(),
        });
        lock(&self.live).insert(live.number, live.clone());
        // Looked at after the insertion: a shutdown in between reaches it one way or the other.
        if self.closing() {
            live.order(Order::Shutdown);
        }
        Registered {
            connections: self.clone(),
            live,
        }
    }

    /// How many streams are open.
    pub fn count(&self) -> usize {
        lock(&self.live).len()
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

    /// Tells every stream that is open now.
    pub fn order_all(&self, order: Order) {
        let all: Vec<_> = lock(&self.live).values().cloned().collect();
        all.iter().for_each(|live| live.order(order));
    }
}

impl LiveConnection {
    /// Gives an order; the first one stands.
    pub fn order(&self, order: Order) {
        lock(&self.order).get_or_insert(order);
        self.ordered.notify_one();
    }

    /// The order, if there is one.
    pub fn given(&self) -> Option<Order> {
        *lock(&self.order)
    }

    /// Waits for an order. Cancel-safe.
    pub async fn ordered(&self) -> Order {
        loop {
            if let Some(order) = self.given() {
                return order;
            }
            self.ordered.notified().await;
        }
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

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.connections.live).remove(&self.live.number);
        self.connections.left.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
