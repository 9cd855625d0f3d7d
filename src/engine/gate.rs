//! Whether the server listens: a script may close the gate for a while (`offline`).
//!
//! The gate knows no sockets. Whoever listens holds a [`Door`], closes its socket when the gate
//! wants it shut, and says so; a closure is over when its time on the script's clock is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;

/// Says whether new connections are let in.
#[derive(Debug)]
pub struct Gate {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Closures under way: the gate is open when there are none.
    closures: usize,
    /// Doors that let connections in.
    open: usize,
    /// Doors that are shut and have not yet tried to open again.
    shut: usize,
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

/// One closure; it is over when this is dropped.
struct Closure(Arc<Gate>);

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
        self.state.send_modify(|state| state.closures += 1);
        let closure = Closure(self.clone());
        let mut worker = clock.worker();
        let due = clock.now().saturating_add(how_long);
        tokio::spawn(async move {
            worker.sleep_until(due).await;
            let gate = closure.0.clone();
            drop(closure);
            // The clock's advance answers when the doors have been opened, or have tried.
            gate.wait_for(|state| state.shut == 0 || state.closures > 0).await;
        });
        self.wait_for(|state| state.open == 0).await;
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

    async fn wait_for(&self, holds: impl FnMut(&State) -> bool) {
        // It fails only without a sender, and the gate is one.
        let _ = self.state.subscribe().wait_for(holds).await;
    }
}

impl Drop for Closure {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.closures -= 1);
    }
}

impl Door {
    /// Resolves when the door is to be shut. Cancel-safe.
    pub async fn to_be_shut(&mut self) {
        let _ = self.state.wait_for(|state| state.closures > 0).await;
    }

    /// Resolves when the door is to be open. Cancel-safe.
    pub async fn to_be_open(&mut self) {
        let _ = self.state.wait_for(|state| state.closures == 0).await;
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
            if state.closures > 0 {
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
