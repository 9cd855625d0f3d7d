//! Watching scenario files: a changed scenario is loaded beside the old one and swapped in whole.
//!
//! Contents decide, not events: whatever wakes the watcher (the system's notices, a tick, SIGHUP),
//! the files are read again and compared. So an editor's atomic save, a swapped symlink, a replaced
//! folder and a bind mount without notices all come to the same.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::{mpsc, oneshot};

use crate::engine::connections::Order;
use crate::engine::sessions::Sessions;
use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::load::{Origin, Seen, load_seen};
use crate::scenario::model::End;

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Watch {
    /// By the system's notices, and by a slow look for what gave none.
    Auto,
    /// By looking at the contents twice a second: for network and bind mounts.
    Poll,
    /// Not at all; SIGHUP still reloads.
    Off,
}

/// What a reload does with open streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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
                    self.sessions.order_all(Order::End(End::Close));
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

/// Watches until dropped; `report` is told of every change, `hangup` forces a look, and whoever wished
/// for it hears what it came to.
pub async fn watch(
    mut reloader: Reloader,
    mode: Watch,
    mut hangup: mpsc::Receiver<Wish>,
    mut report: impl FnMut(Reload),
) {
    /// Saves come in several steps: this much quiet ends one.
    const QUIET: Duration = Duration::from_millis(40);
    /// A file beside the scenario that is written all the time leaves no quiet: then this ends it.
    const LONGEST: Duration = Duration::from_millis(250);
    let tick = match mode {
        Watch::Auto => Duration::from_secs(2),
        Watch::Poll => Duration::from_millis(500),
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
                // Further notices within the quiet time belong to the same save.
                let quiet = async {
                    while tokio::time::timeout(QUIET, notices.recv()).await.is_ok_and(|n| n.is_some()) {}
                };
                let _ = tokio::time::timeout(LONGEST, quiet).await;
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

/// The system's notices of changes. Files are watched besides the folders around them: one that is
/// mounted alone into a container gives no notice in its folder.
struct Notifier {
    watcher: Option<notify::RecommendedWatcher>,
    watched: Vec<PathBuf>,
}

impl Notifier {
    fn new(mode: Watch, notice: mpsc::Sender<()>) -> Notifier {
        let send = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel holds a notice already.
                let _ = notice.try_send(());
            }
        };
        let watcher = (mode == Watch::Auto).then(|| notify::recommended_watcher(send));
        let watcher = watcher.and_then(|watcher| match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!("changes are looked for every 2 s only: {error}");
                None
            }
        });
        Notifier {
            watcher,
            watched: Vec::new(),
        }
    }

    /// Watches these files and folders as they are now.
    fn point_at(&mut self, places: Vec<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for old in self.watched.iter().filter(|f| !places.contains(f)) {
            let _ = watcher.unwatch(old);
        }
        // Watched again each time: what was replaced under its name is a new file or folder.
        self.watched = places
            .into_iter()
            .filter(|f| watcher.watch(f, RecursiveMode::NonRecursive).is_ok())
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A write by another name of the file gives no notice in the folder that is watched, just as one
    /// from outside a container to a file mounted alone.
    #[tokio::test]
    async fn a_write_by_another_name_is_noticed_before_the_next_tick() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (file, other) = (inside.path().join("a.yaml"), outside.path().join("b.yaml"));
        std::fs::write(&file, "endpoints: []").unwrap();
        std::fs::hard_link(&file, &other).unwrap();
        for origin in [file, inside.path().to_owned()] {
            let (notice, mut notices) = mpsc::channel(1);
            let mut notifier = Notifier::new(Watch::Auto, notice);
            notifier.point_at(load_seen(&Origin::Paths(vec![origin])).1.places());
            let began = Instant::now();
            std::fs::write(&other, "endpoints: [] # changed").unwrap();
            let noticed = tokio::time::timeout(Duration::from_secs(10), notices.recv()).await;
            assert_eq!(noticed, Ok(Some(())), "no notice after {:?}", began.elapsed());
        }
    }
}
