//! What the system tells of changed files.

use std::path::PathBuf;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::Watch;

/// The system's notices of changes. Files are watched besides the folders around them: one that is
/// mounted alone into a container gives no notice in its folder.
pub(super) struct Notifier {
    watcher: Option<notify::RecommendedWatcher>,
    watched: Vec<PathBuf>,
}

impl Notifier {
    pub(super) fn new(mode: Watch, notice: mpsc::Sender<()>) -> Notifier {
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
    pub(super) fn point_at(&mut self, places: Vec<PathBuf>) {
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
    use std::time::{Duration, Instant};

    use super::*;
    use crate::scenario::load::{Origin, load_seen};

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
