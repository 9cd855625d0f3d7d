//! Watching scenario files: a changed scenario is loaded beside the old one and swapped in whole.
//!
//! Contents decide, not events: whatever wakes the watcher (the system's notices, a tick, SIGHUP),
//! the files are read again and compared. So an editor's atomic save, a swapped symlink, a replaced
//! folder and a bind mount without notices all come to the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::notices::Notifier;
use crate::engine::sessions::Sessions;
use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::load::{Origin, Seen, load_seen};

#[cfg(feature = "watch")]
mod notices;

/// Without the feature `watch` there are no notices: everything is found by looking.
#[cfg(not(feature = "watch"))]
mod notices {
    use std::path::PathBuf;

    pub(super) struct Notifier;

    impl Notifier {
        /// The sender goes at once: there will be no notice.
        pub(super) fn new(_: super::Watch, _: tokio::sync::mpsc::Sender<()>) -> Notifier {
            Notifier
        }

        pub(super) fn point_at(&mut self, _: Vec<PathBuf>) {}
    }
}

/// How changes are noticed. Without the feature `watch`, [`Auto`](Watch::Auto) is the same as
/// [`Poll`](Watch::Poll).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Watch {
    /// By the system's notices, and by a slow look for what gave none.
    Auto,
    /// By looking at the contents twice a second: for network and bind mounts.
    Poll,
    /// Not at all; SIGHUP still reloads.
    Off,
}

/// What a reload does with open streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OnReload {
    /// They finish the script they began with.
    Keep,
    /// They end cleanly, so that clients come back to the new one.
    Restart,
}

/// What became of a look at the files.
pub enum Reload {
    /// Nothing has changed.
    Same,
    /// A new scenario is served, with these warnings.
    Swapped(Arc<Scenario>, Vec<Diagnostic>),
    /// The files are broken; the last good scenario goes on.
    Broken(Vec<Diagnostic>),
}

/// What a look at the files came to, for whoever asks.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Whether the contents were others than at the look before.
    pub changed: bool,
    /// Whether they are broken: what is in force is older.
    pub broken: bool,
    /// Errors and warnings.
    pub findings: Vec<Diagnostic>,
}

/// What the last load came to, shared with whoever asks.
pub type LastLoad = Arc<Mutex<Last>>;

/// What the last load came to.
#[derive(Debug, Default)]
pub struct Last {
    /// `None`: nothing has been loaded since the start.
    pub loaded: Option<Loaded>,
    /// Whether a command has put another scenario in force since.
    pub put: bool,
}

/// A wish to load again now, and who wants to hear of it.
pub type Wish = Option<oneshot::Sender<Loaded>>;

/// Loads a scenario again and again.
pub struct Reloader {
    last: LastLoad,
    origin: Origin,
    sessions: Arc<Sessions>,
    on_reload: OnReload,
    /// What was read last: the scenario's files, those they include, and those they serve.
    seen: Seen,
}

impl Reloader {
    /// For an origin that has been loaded once already: what was read then is what changes are held
    /// against, so that a save since then is not missed.
    pub fn new(origin: Origin, seen: Seen, sessions: Arc<Sessions>, on_reload: OnReload) -> Reloader {
        Reloader {
            last: LastLoad::default(),
            origin,
            sessions,
            on_reload,
            seen,
        }
    }

    /// Where what the last load came to can be looked up.
    pub fn last(&self) -> LastLoad {
        self.last.clone()
    }

    /// Looks at the files, and swaps in what has changed. `force` loads the same contents again.
    pub fn look(&mut self, force: bool) -> Reload {
        let changed = self.seen.changed();
        if !force && !changed {
            return Reload::Same;
        }
        let (outcome, seen) = load_seen(&self.origin);
        self.seen = seen;
        let (broken, findings) = match &outcome {
            Ok((_, warnings)) => (false, warnings.clone()),
            Err(errors) => (true, errors.clone()),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.put &= broken;
        last.loaded = Some(Loaded {
            changed,
            broken,
            findings,
        });
        drop(last);
        match outcome {
            Ok((scenario, warnings)) => {
                self.sessions.swap(scenario);
                if self.on_reload == OnReload::Restart {
                    self.sessions.restart_streams();
                }
                Reload::Swapped(self.sessions.scenario(), warnings)
            }
            Err(errors) => Reload::Broken(errors),
        }
    }
}

impl Reloader {
    fn came_to(&self) -> Loaded {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.loaded.clone().unwrap_or_default()
    }
}

/// Waits for the end of a save that has begun: further notices within the quiet time belong to it. Whoever
/// wishes for a look meanwhile gets it at once.
async fn saved(notices: &mut mpsc::Receiver<()>, wishes: &mut mpsc::Receiver<Wish>) -> Option<Wish> {
    /// Saves come in several steps: this much quiet ends one.
    const QUIET: Duration = Duration::from_millis(40);
    /// A file beside the scenario that is written all the time leaves no quiet: then this ends it.
    const LONGEST: Duration = Duration::from_millis(250);
    let quiet = async {
        while tokio::time::timeout(QUIET, notices.recv())
            .await
            .is_ok_and(|n| n.is_some())
        {}
    };
    tokio::select! {
        Some(wish) = wishes.recv() => Some(wish),
        _ = tokio::time::timeout(LONGEST, quiet) => None,
    }
}

/// Watches until dropped; `report` is told of every change, `hangup` forces a look, and whoever wished
/// for it hears what it came to.
pub async fn watch(
    mut reloader: Reloader,
    mode: Watch,
    mut hangup: mpsc::Receiver<Wish>,
    mut report: impl FnMut(Reload),
) {
    let tick = match mode {
        Watch::Auto if cfg!(feature = "watch") => Duration::from_secs(2),
        Watch::Auto | Watch::Poll => Duration::from_millis(500),
        Watch::Off => Duration::from_secs(u64::from(u32::MAX)),
    };
    let mut tick = tokio::time::interval(tick);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (notice, mut notices) = mpsc::channel(1);
    let mut notifier = Notifier::new(mode, notice);
    notifier.point_at(reloader.seen.places());
    loop {
        let (mut force, mut asked) = (false, None);
        tokio::select! {
            Some(wish) = hangup.recv() => (force, asked) = (true, wish),
            Some(()) = notices.recv() => {
                if let Some(wish) = saved(&mut notices, &mut hangup).await {
                    (force, asked) = (true, wish);
                }
            }
            _ = tick.tick() => {}
        }
        match reloader.look(force) {
            Reload::Same => {}
            change => report(change),
        }
        if let Some(asked) = asked {
            let _ = asked.send(reloader.came_to());
        }
        notifier.point_at(reloader.seen.places());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_save_ends_with_quiet_or_at_last_and_a_wish_does_not_wait_for_it() {
        let (notice, mut notices) = mpsc::channel(1);
        let (wish, mut wishes) = mpsc::channel(1);
        assert!(saved(&mut notices, &mut wishes).await.is_none());
        wish.send(None).await.unwrap();
        assert!(saved(&mut notices, &mut wishes).await.is_some());
        let busy = async {
            loop {
                let _ = notice.send(()).await;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = saved(&mut notices, &mut wishes) => assert!(ended.is_none()),
            () = busy => unreachable!("it goes on for ever"),
        }
    }
}
