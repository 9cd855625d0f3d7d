//! What a scenario names beside itself: read at load, never from outside its folder.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::neighbour;
use super::seen::{Looked, Seen};
use crate::scenario::compile::{FileFault, Files};
use crate::scenario::diagnostic::Source;

/// The largest file beside a scenario, in bytes.
pub const LARGEST: u64 = 64 << 20;
/// All files beside a scenario, in bytes.
const LARGEST_SUM: u64 = 256 << 20;
/// Files of one folder.
const MOST_FILES: usize = 10_000;
/// Folders in folders.
const DEEPEST: usize = 64;

/// Where a source stands, and the folder that its names may not leave.
#[derive(Clone)]
struct Home {
    folder: PathBuf,
    root: PathBuf,
}

/// The disk as one load sees it.
#[derive(Default)]
pub(super) struct Disk {
    homes: RefCell<HashMap<String, Home>>,
    /// Scenario files that have been read, by their true paths.
    included: RefCell<Vec<PathBuf>>,
    bytes: RefCell<HashMap<PathBuf, Bytes>>,
    sum: Cell<u64>,
    seen: RefCell<Seen>,
}

/// The folder of a file; empty for one that is named without, so that names stay short.
fn beside(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

fn fault(message: impl Into<String>) -> FileFault {
    FileFault {
        message: message.into(),
        hint: None,
    }
}

fn hinted(message: impl Into<String>, hint: impl Into<String>) -> FileFault {
    FileFault {
        hint: Some(hint.into()),
        ..fault(message)
    }
}

impl Disk {
    /// A scenario file that the user named, and the folder it may read in.
    pub fn given(&self, name: &str, file: &Path, root: &Path) {
        let home = Home {
            folder: beside(file),
            root: root.canonicalize().unwrap_or_else(|_| root.to_owned()),
        };
        self.homes.borrow_mut().insert(name.to_owned(), home);
        self.included.borrow_mut().extend(file.canonicalize());
    }

    /// Remembers that something was looked at.
    pub fn noticed(&self, path: &Path, how: Looked) {
        self.seen.borrow_mut().add(path, how);
    }

    /// Everything that was looked at.
    pub fn into_seen(self) -> Seen {
        self.seen.into_inner()
    }

    /// The path as named from its file, and the true one, which stays in the folder.
    fn find(&self, from: &Source, path: &str) -> Result<(PathBuf, PathBuf), FileFault> {
        let Some(home) = self.homes.borrow().get(&from.name).cloned() else {
            let message = format!("`{path}` cannot be read: this scenario is in no folder");
            return Err(hinted(
                message,
                "files beside a scenario need a scenario that is a file itself",
            ));
        };
        let outside = || {
            let hint =
                "put it beside the scenario, or into a folder there, and name it relative to this file";
            hinted(format!("`{path}` is outside the scenario's folder"), hint)
        };
        if Path::new(path).is_absolute() {
            return Err(outside());
        }
        let named = home.folder.join(path);
        match named.canonicalize() {
            Ok(real) if real.starts_with(&home.root) => Ok((named, real)),
            Ok(_) => Err(outside()),
            Err(error) => {
                self.noticed(&named, Looked::File);
                Err(unreadable(path, &named, &error))
            }
        }
    }

    /// A file's bytes; one that is named several times is read once.
    fn bytes_of(&self, shown: &str, named: &Path, real: &Path, how: Looked) -> Result<Bytes, FileFault> {
        if let Some(bytes) = self.bytes.borrow().get(real) {
            return Ok(bytes.clone());
        }
        self.noticed(named, how);
        let unread = |error: &io::Error| unreadable(shown, named, error);
        // Looked at before it is opened: opening a pipe waits for its other end.
        let meta = fs::metadata(real).map_err(|e| unread(&e))?;
        if meta.is_dir() {
            return Err(hinted(format!("`{shown}` is a folder"), "name a file in it"));
        }
        if !meta.is_file() {
            return Err(hinted(
                format!("`{shown}` is no regular file"),
                "name a file with contents",
            ));
        }
        let file = fs::File::open(real).map_err(|e| unread(&e))?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| unread(&e))?;
        if bytes.len() as u64 > LARGEST {
            let message = format!("`{shown}` is larger than {} MiB", LARGEST >> 20);
            return Err(hinted(
                message,
                "`raw: { fill: 100MiB }` makes large bodies without a file",
            ));
        }
        self.sum.set(self.sum.get() + bytes.len() as u64);
        if self.sum.get() > LARGEST_SUM {
            let message = format!(
                "the files beside this scenario are larger than {} MiB",
                LARGEST_SUM >> 20
            );
            return Err(hinted(message, "serve fewer files, or smaller ones"));
        }
        let bytes = Bytes::from(bytes);
        self.bytes.borrow_mut().insert(real.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Reads the files below a folder; `above` are the folders around it, so that links cannot go round.
    fn walk(
        &self,
        folder: &Folder,
        prefix: &str,
        above: &[PathBuf],
        files: &mut BTreeMap<String, Bytes>,
    ) -> Result<(), FileFault> {
        self.noticed(&folder.named, Looked::Folder);
        let shown = |prefix: &str| format!("{}/{prefix}", folder.shown);
        let unread = |e: &io::Error| unreadable(&shown(prefix), &folder.named, e);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder.named).map_err(|e| unread(&e))? {
            let name = entry.map_err(|e| unread(&e))?.file_name();
            let name = name
                .to_str()
                .ok_or_else(|| fault(format!("`{}` holds a file whose name is no UTF-8", folder.shown)))?;
            if !name.starts_with('.') {
                names.push(name.to_owned());
            }
        }
        names.sort();
        for name in names {
            let path = format!("{prefix}{name}");
            let named = folder.named.join(&name);
            let real = named
                .canonicalize()
                .map_err(|e| unreadable(&shown(&path), &named, &e))?;
            if !real.starts_with(&folder.root) {
                let message = format!("`{}` is outside the scenario's folder", shown(&path));
                return Err(hinted(message, "links may not lead out of it"));
            }
            if !real.is_dir() {
                let bytes = self.bytes_of(&shown(&path), &named, &real, Looked::Served)?;
                files.insert(path, bytes);
                if files.len() > MOST_FILES {
                    return Err(fault(format!(
                        "`{}` holds more than {MOST_FILES} files",
                        folder.shown
                    )));
                }
            } else if !above.contains(&real) && above.len() < DEEPEST {
                let inner = Folder {
                    named,
                    ..folder.clone()
                };
                self.walk(&inner, &format!("{path}/"), &[above, &[real]].concat(), files)?;
            }
        }
        Ok(())
    }
}

/// A folder on a walk: as named, as shown, and the folder not to leave.
#[derive(Clone)]
struct Folder {
    named: PathBuf,
    shown: String,
    root: PathBuf,
}

impl Files for Disk {
    fn include(&self, from: &Source, path: &str) -> Result<Option<Arc<Source>>, FileFault> {
        let (named, real) = self.find(from, path)?;
        if self.included.borrow().contains(&real) {
            return Ok(None);
        }
        self.noticed(&named, Looked::File);
        if real.is_dir() {
            return Err(hinted(
                format!("`{path}` is a folder"),
                "name the files in it, one by one",
            ));
        }
        // Opening a pipe would wait for its other end.
        if !real.is_file() {
            return Err(hinted(
                format!("`{path}` is no regular file"),
                "name a file with contents",
            ));
        }
        self.included.borrow_mut().push(real);
        let source = super::read(&named).map_err(|error| FileFault {
            message: format!("`{path}`: {}", error.message),
            hint: error.hint,
        })?;
        let root = self.homes.borrow()[&from.name].root.clone();
        let folder = beside(&named);
        self.homes
            .borrow_mut()
            .insert(source.name.clone(), Home { folder, root });
        Ok(Some(source))
    }

    fn read(&self, from: &Source, path: &str) -> Result<Bytes, FileFault> {
        let (named, real) = self.find(from, path)?;
        self.bytes_of(path, &named, &real, Looked::File)
    }

    fn folder(&self, from: &Source, path: &str) -> Result<BTreeMap<String, Bytes>, FileFault> {
        let (named, real) = self.find(from, path)?;
        if !real.is_dir() {
            return Err(hinted(
                format!("`{path}` is no folder"),
                "for one file use `file`",
            ));
        }
        let folder = Folder {
            named,
            shown: path.trim_end_matches('/').to_owned(),
            root: self.homes.borrow()[&from.name].root.clone(),
        };
        let mut files = BTreeMap::new();
        self.walk(&folder, "", &[real], &mut files)?;
        Ok(files)
    }
}

fn unreadable(shown: &str, path: &Path, error: &io::Error) -> FileFault {
    match error.kind() {
        io::ErrorKind::NotFound => {
            let near = neighbour(path).and_then(|near| {
                let name = Path::new(&near).file_name()?.to_str()?.to_owned();
                Some(Path::new(shown).with_file_name(name).display().to_string())
            });
            let hint = near.map_or_else(
                || "paths are relative to the file they stand in".into(),
                |near| format!("did you mean `{near}`?"),
            );
            hinted(format!("there is no file or folder `{shown}`"), hint)
        }
        io::ErrorKind::PermissionDenied => fault(format!("`{shown}` may not be read: permission denied")),
        _ => fault(format!("`{shown}` cannot be read: {error}")),
    }
}
