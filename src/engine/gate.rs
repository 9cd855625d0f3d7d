//! Whether the server listens: a script may close the gate for a while (`offline`).
//!
//! The gate knows no sockets. Whoever listens holds a [`Door`], closes its socket when the gate
//! wants it shut, and says so; a closure is over when its time on the script's clock is.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::clock::{Clock, Worker};

/// Says whether new connections are let in.
#[derive(Debug)]
pub struct Gate {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Why it is closed: at most once for each clock.
    closed: Vec<Closed>,
    /// Doors that let connections in.
    open: usize,
    /// Doors that are shut and have not yet tried to open again.
    shut: usize,
}

/// A closure under way.
#[derive(Debug)]
struct Closed {
    clock: Arc<Clock>,
    /// On the clock.
    until: Duration,
    /// Opens the gate when the time has come.
    opener: AbortHandle,
}

/// How a door stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Open,
    Shut,
    /// It is to be open, but the address is taken.
    Stuck,
}

/// One listening socket's side of the gate.
#[derive(Debug)]
pub struct Door {
    gate: Arc<Gate>,
    state: watch::Receiver<State>,
    place: Place,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            state: watch::Sender::new(State::default()),
        }
    }
}

impl Gate {
    /// Closes the gate for a time of the clock. Resolves once nobody listens any more, at once if
    /// nobody did; the gate opens again whether or not this is awaited to its end. Closures that
    /// overlap last until the latest end.
    pub async fn close_for(self: &Arc<Gate>, clock: &Arc<Clock>, how_long: Duration) {
        let due = clock.now().saturating_add(how_long);
        self.state.send_modify(|state| match state.closed_by(clock) {
            Some(closed) => closed.until = closed.until.max(due),
            None => {
                let opener = open_later(Arc::downgrade(self), self.state.subscribe(), clock.worker());
                let opener = tokio::spawn(opener).abort_handle();
                state.closed.push(Closed {
                    clock: clock.clone(),
                    until: due,
                    opener,
                });
            }
        });
        let _ = self.state.subscribe().wait_for(|state| state.open == 0).await;
    }

    /// Opens, as far as this clock goes: nobody goes by it any more.
    pub fn forget(&self, clock: &Arc<Clock>) {
        self.state.send_modify(|state| {
            state.closed.retain(|closed| {
                let its = Arc::ptr_eq(&closed.clock, clock);
                if its {
                    closed.opener.abort();
                }
                !its
            });
        });
    }

    /// A door for somebody who listens now.
    pub fn door(self: &Arc<Gate>) -> Door {
        self.state.send_modify(|state| state.open += 1);
        Door {
            gate: self.clone(),
            state: self.state.subscribe(),
            place: Place::Open,
        }
    }

    /// Opens, as far as this clock goes, unless it is to stay closed for longer: until when, then.
    fn open_at(&self, clock: &Arc<Clock>) -> Option<Duration> {
        let now = clock.now();
        let mut later = None;
        self.state.send_modify(|state| {
            later = state.closed_by(clock).map(|closed| closed.until);
            later = later.filter(|until| *until > now);
            if later.is_none() {
                state.closed.retain(|closed| !Arc::ptr_eq(&closed.clock, clock));
            }
        });
        later
    }
}

/// Opens a gate when its time has come; it does not keep the gate.
async fn open_later(gate: Weak<Gate>, mut state: watch::Receiver<State>, mut worker: Worker) {
    while let Some(until) = gate.upgrade().and_then(|gate| gate.open_at(worker.clock())) {
        worker.sleep_until(until).await;
    }
    // The clock's advance answers when the doors have been opened, or have tried. It fails only
    // without a gate.
    let _ = state
        .wait_for(|state| state.shut == 0 || !state.closed.is_empty())
        .await;
}

impl Drop for Gate {
    fn drop(&mut self) {
        let state = self.state.borrow();
        state.closed.iter().for_each(|closed| closed.opener.abort());
    }
}

impl Door {
    /// Resolves when the door is to be shut. Cancel-safe.
    pub async fn to_be_shut(&mut self) {
        let _ = self.state.wait_for(|state| !state.closed.is_empty()).await;
    }

    /// Resolves when the door is to be open. Cancel-safe.
    pub async fn to_be_open(&mut self) {
        let _ = self.state.wait_for(|state| state.closed.is_empty()).await;
    }

    /// The socket is closed.
    pub fn shut(&mut self) {
        let before = std::mem::replace(&mut self.place, Place::Shut);
        self.gate.state.send_modify(|state| {
            state.leave(before);
            state.enter(Place::Shut);
        });
    }

    /// Makes the socket listen again, unless the gate has been closed meanwhile (`None`). After a
    /// failure it is to be tried again.
    pub fn open<T, E>(&mut self, listen: impl FnOnce() -> Result<T, E>) -> Option<Result<T, E>> {
        let before = self.place;
        let mut result = None;
        // Under the lock: a closure that begins meanwhile finds the door open, and waits for it.
        self.gate.state.send_modify(|state| {
            if !state.closed.is_empty() {
                return;
            }
            let listening = listen();
            self.place = match listening {
                Ok(_) => Place::Open,
                Err(_) => Place::Stuck,
            };
            state.leave(before);
            state.enter(self.place);
            result = Some(listening);
        });
        result
    }
}

impl State {
    fn closed_by(&mut self, clock: &Arc<Clock>) -> Option<&mut Closed> {
        self.closed
            .iter_mut()
            .find(|closed| Arc::ptr_eq(&closed.clock, clock))
    }

    fn counter(&mut self, place: Place) -> Option<&mut usize> {
        match place {
            Place::Open => Some(&mut self.open),
            Place::Shut => Some(&mut self.shut),
            Place::Stuck => None,
        }
    }

    fn enter(&mut self, place: Place) {
        self.counter(place).into_iter().for_each(|n| *n += 1);
    }

    fn leave(&mut self, place: Place) {
        self.counter(place).into_iter().for_each(|n| *n -= 1);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.gate.state.send_modify(|state| state.leave(self.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Somebody who listens, and follows the gate.
    fn listener(gate: &Arc<Gate>) -> tokio::task::JoinHandle<()> {
        let mut door = gate.door();
        tokio::spawn(async move {
            loop {
                door.to_be_shut().await;
                door.shut();
                door.to_be_open().await;
                door.open(|| Ok::<_, ()>(()));
            }
        })
    }

    fn open(gate: &Gate) -> usize {
        gate.state.borrow().open
    }

    #[tokio::test]
    async fn closures_that_overlap_last_until_the_latest_end() {
        let (gate, clock) = (Arc::<Gate>::default(), Clock::manual());
        let listeners = [listener(&gate), listener(&gate)];
        gate.close_for(&clock, second(5)).await;
        assert_eq!(open(&gate), 0);
        clock.advance(second(2)).await;
        gate.close_for(&clock, second(2)).await;
        clock.advance(second(2)).await;
        assert_eq!(open(&gate), 0);
        clock.advance(second(1)).await;
        assert_eq!(open(&gate), 2);
        gate.close_for(&clock, second(1)).await;
        listeners.iter().for_each(|task| task.abort());
        clock.advance(second(1)).await;
    }

    #[tokio::test]
    async fn every_clock_closes_for_itself() {
        let (gate, one, other) = (Arc::<Gate>::default(), Clock::manual(), Clock::manual());
        let listening = listener(&gate);
        gate.close_for(&one, second(1)).await;
        gate.close_for(&other, second(5)).await;
        one.advance(second(9)).await;
        assert_eq!(open(&gate), 0);
        other.advance(second(5)).await;
        assert_eq!(open(&gate), 1);
        listening.abort();
    }

    #[tokio::test]
    async fn however_often_it_is_closed_one_task_opens_it() {
        let (gate, clock) = (Arc::<Gate>::default(), Clock::manual());
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        for n in 1..=100 {
            gate.close_for(&clock, second(n)).await;
        }
        assert_eq!(tasks(), 1);
        clock.advance(second(99)).await;
        assert!(!gate.state.borrow().closed.is_empty());
        // Nobody opens a gate that is no more.
        drop(gate);
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((clock.busy(), clock.next_due().await), (0, None));
    }

    #[tokio::test]
    async fn nobody_listens_and_nothing_is_waited_for() {
        let (gate, clock) = (Arc::<Gate>::default(), Clock::manual());
        gate.close_for(&clock, second(5)).await;
        assert_eq!(clock.next_due().await, Some(second(5)));
        clock.advance(second(5)).await;
        let mut door = gate.door();
        door.to_be_open().await;
    }

    #[tokio::test]
    async fn a_door_that_is_stuck_holds_the_clock_up_no_longer() {
        let (gate, clock) = (Arc::<Gate>::default(), Clock::manual());
        let mut door = gate.door();
        let stuck = tokio::spawn(async move {
            door.to_be_shut().await;
            door.shut();
            door.to_be_open().await;
            assert_eq!(door.open(|| Err::<(), _>("taken")), Some(Err("taken")));
            door
        });
        gate.close_for(&clock, second(1)).await;
        clock.advance(second(1)).await;
        let mut door = stuck.await.unwrap();
        assert_eq!(open(&gate), 0);
        assert_eq!(door.open(|| Ok::<_, ()>(())), Some(Ok(())));
        assert_eq!(open(&gate), 1);
    }
}
