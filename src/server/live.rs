//! Which connections are open: counted against the limit, and reachable for a shutdown.
//!
//! One entry is one TCP connection and the one task that owns it. Nothing here knows
//! what a connection does.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{sync::Notify, task::AbortHandle};

/// Connections beyond the limit that are still let in to be told so.
const OVERFLOW: usize = 256;

#[derive(Default)]
struct Entries {
    closed: bool,
    /// How many connections there have been.
    count: u64,
    /// How many are open.
    open: usize,
    places: Vec<Owner>,
    /// The places that nobody has.
    free: Vec<u32>,
}

/// A connection, and the task that owns it.
#[derive(Default)]
struct Owner {
    number: u64,
    task: Option<AbortHandle>,
}

/// All open connections of a server.
#[derive(Default)]
pub(crate) struct Live {
    entries: Mutex<Entries>,
    emptied: Notify,
}

/// The right to have one connection open; dropping it gives it back. It leads to what all connections of
/// the server share.
pub(crate) struct Permit<H: AsRef<Live>> {
    shared: Arc<H>,
    place: u32,
}

/// What a new connection gets.
pub(crate) enum Admission<H: AsRef<Live>> {
    /// It is served.
    Served(Permit<H>),
    /// It is over the limit: to be told so, then closed.
    Refused(Permit<H>),
    /// Far over the limit: dropped without a word.
    Dropped,
}

/// Admits a connection under a limit of `max`.
pub(crate) fn admit<H: AsRef<Live>>(shared: &Arc<H>, max: usize) -> Admission<H> {
    let live = H::as_ref(shared);
    let mut entries = live.lock();
    let open = entries.open;
    if open >= max.saturating_add(OVERFLOW) {
        return Admission::Dropped;
    }
    let permit = Permit {
        shared: shared.clone(),
        place: entries.take_place(),
    };
    if open < max {
        Admission::Served(permit)
    } else {
        Admission::Refused(permit)
    }
}

impl Entries {
    fn take_place(&mut self) -> u32 {
        self.open += 1;
        self.count += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Owner::default());
            self.places.len() as u32 - 1
        });
        self.places[place as usize].number = self.count;
        place
    }

    fn give_back(&mut self, place: u32) {
        self.places[place as usize] = Owner::default();
        self.open -= 1;
        self.free.push(place);
        if self.open == 0 {
            self.places = Vec::new();
            self.free = Vec::new();
        }
    }
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Resolves as soon as no connection is open.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().open == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// The number of the connection in a place; `None` if none can be started any more.
    fn number(&self, place: u32) -> Option<u64> {
        let entries = self.lock();
        (!entries.closed).then(|| entries.places[place as usize].number)
    }

    /// Remembers a connection's task, unless it has ended already; false if it came too late to be dropped
    /// with the others.
    fn own(&self, place: u32, number: u64, task: AbortHandle) -> bool {
        let mut entries = self.lock();
        if entries.closed {
            return false;
        }
        if let Some(owner) = entries.places.get_mut(place as usize)
            && owner.number == number
        {
            owner.task = Some(task);
        }
        true
    }

    /// Drops every connection where it stands; none can be started after this.
    pub(crate) fn abort_all(&self) {
        let tasks: Vec<_> = {
            let mut entries = self.lock();
            entries.closed = true;
            let places = entries.places.iter_mut();
            places.filter_map(|owner| owner.task.take()).collect()
        };
        tasks.iter().for_each(AbortHandle::abort);
    }
}

impl<H: AsRef<Live>> Permit<H> {
    /// What all connections of the server share.
    pub(crate) fn shared(&self) -> &Arc<H> {
        &self.shared
    }

    /// Spawns the task that owns the connection; it must own the permit too.
    pub(crate) fn run<F>(self, make: impl FnOnce(Permit<H>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (shared, place) = (self.shared.clone(), self.place);
        let live = H::as_ref(&shared);
        let task = make(self);
        let Some(number) = live.number(place) else {
            return; // drops the task, and with it the permit
        };
        // Not under the lock: a runtime that is stopping drops the task at once, and the permit with it.
        let task = tokio::spawn(task);
        if !live.own(place, number, task.abort_handle()) {
            task.abort();
        }
    }
}

impl<H: AsRef<Live>> Drop for Permit<H> {
    fn drop(&mut self) {
        let live = H::as_ref(&self.shared);
        let mut entries = live.lock();
        entries.give_back(self.place);
        if entries.open == 0 {
            live.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl AsRef<Live> for Live {
        fn as_ref(&self) -> &Live {
            self
        }
    }

    #[test]
    fn a_connection_over_the_limit_is_told_and_gives_its_place_back() {
        let live = Arc::<Live>::default();
        let Admission::Served(first) = admit(&live, 1) else {
            panic!("first is served")
        };
        assert!(matches!(admit(&live, 1), Admission::Refused(_)));
        drop(first);
        assert!(matches!(admit(&live, 1), Admission::Served(_)));
    }

    #[tokio::test]
    async fn a_stopping_runtime_gets_its_connections_back() {
        let live = Arc::<Live>::default();
        let stopping = tokio::runtime::Runtime::new().unwrap();
        let handle = stopping.handle().clone();
        stopping.shutdown_background();
        let Admission::Served(permit) = admit(&live, 1) else {
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
