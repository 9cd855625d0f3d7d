//! Which connections are open: counted against the limit, and reachable for a shutdown.
//!
//! One entry is one TCP connection and the one task that owns it at the moment. Nothing here knows
//! what a connection does.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{sync::Notify, task::AbortHandle};

/// Connections beyond the limit that are still let in to be told so.
const OVERFLOW: usize = 256;

#[derive(Default)]
struct Entries {
    next: u64,
    closed: bool,
    tasks: HashMap<u64, Owner>,
}

/// The task that owns a connection.
#[derive(Default)]
struct Owner {
    /// How many owners the connection has had.
    turn: u64,
    task: Option<AbortHandle>,
}

/// All open connections of a server.
#[derive(Default)]
pub(crate) struct Live {
    entries: Mutex<Entries>,
    emptied: Notify,
}

/// The right to have one connection open; dropping it gives it back.
pub(crate) struct Permit {
    live: Arc<Live>,
    id: u64,
}

/// What a new connection gets.
pub(crate) enum Admission {
    /// It is served.
    Served(Permit),
    /// It is over the limit: to be told so, then closed.
    Refused(Permit),
    /// Far over the limit: dropped without a word.
    Dropped,
}

impl Live {
    pub(crate) fn new() -> Arc<Live> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Admits a connection under a limit of `max`.
    pub(crate) fn admit(self: &Arc<Live>, max: usize) -> Admission {
        let mut entries = self.lock();
        let open = entries.tasks.len();
        if open >= max.saturating_add(OVERFLOW) {
            return Admission::Dropped;
        }
        let id = entries.next;
        entries.next += 1;
        entries.tasks.insert(id, Owner::default());
        let permit = Permit {
            live: self.clone(),
            id,
        };
        if open < max {
            Admission::Served(permit)
        } else {
            Admission::Refused(permit)
        }
    }

    /// Resolves as soon as no connection is open.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().tasks.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Announces a new owner of a connection; `None` if none can be started any more.
    fn next_turn(&self, id: u64) -> Option<u64> {
        let mut entries = self.lock();
        if entries.closed {
            return None;
        }
        let owner = entries.tasks.entry(id).or_default();
        owner.turn += 1;
        Some(owner.turn)
    }

    /// Remembers the owner that was announced, unless it has ended or handed over already; false if it
    /// came too late to be dropped with the others.
    fn own(&self, id: u64, turn: u64, task: &AbortHandle) -> bool {
        let mut entries = self.lock();
        if let Some(owner) = entries.tasks.get_mut(&id)
            && owner.turn == turn
        {
            owner.task = Some(task.clone());
        }
        !entries.closed
    }

    /// Drops every connection where it stands; none can be started after this.
    pub(crate) fn abort_all(&self) {
        let tasks: Vec<_> = {
            let mut entries = self.lock();
            entries.closed = true;
            let tasks = entries.tasks.values_mut();
            tasks.filter_map(|owner| owner.task.take()).collect()
        };
        tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Permit {
    /// Spawns the task that owns the connection from now on; it must own the permit too.
    pub(crate) fn run<F>(self, make: impl FnOnce(Permit) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (live, id) = (self.live.clone(), self.id);
        let task = make(self);
        let Some(turn) = live.next_turn(id) else {
            return; // drops the task, and with it the permit
        };
        // Not under the lock: a runtime that is stopping drops the task at once, and the permit with it.
        let handle = tokio::spawn(task).abort_handle();
        if !live.own(id, turn, &handle) {
            handle.abort();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut entries = self.live.lock();
        entries.tasks.remove(&self.id);
        if entries.tasks.is_empty() {
            entries.tasks.shrink_to_fit();
            self.live.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_over_the_limit_is_told_and_gives_its_place_back() {
        let live = Live::new();
        let Admission::Served(first) = live.admit(1) else {
            panic!("first is served")
        };
        assert!(matches!(live.admit(1), Admission::Refused(_)));
        drop(first);
        assert!(matches!(live.admit(1), Admission::Served(_)));
    }

    #[tokio::test]
    async fn a_stopping_runtime_gets_its_connections_back() {
        let live = Live::new();
        let stopping = tokio::runtime::Runtime::new().unwrap();
        let handle = stopping.handle().clone();
        stopping.shutdown_background();
        let Admission::Served(permit) = live.admit(1) else {
            panic!("first is served")
        };
        let started = std::thread::spawn(move || {
            let _inside = handle.enter();
            permit.run(async |permit| drop(permit));
        });
        started.join().unwrap();
        live.empty().await;
    }
}
