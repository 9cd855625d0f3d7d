//! What a scenario was read from, and whether it is still the same.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::{files_of, parent};

/// Up to this size contents are compared each time; above, only when the file's times or length differ.
const COMPARED: u64 = 1 << 20;

/// Nothing larger is served, so more need not be read to tell a change.
const MOST_READ: u64 = 65 << 20;

/// How something was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// For its contents.
    File,
    /// For its contents, as one of many in a folder.
    Served,
    /// For the names in it.
    Folder,
    /// For the scenarios in it, or as one.
    Scenarios,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Names(Vec<PathBuf>),
    Contents {
        stamp: (u64, Option<SystemTime>),
        hash: Vec<u8>,
    },
    Failed(io::ErrorKind),
}

/// Files and folders with what was in them.
#[derive(Debug, Clone, Default)]
pub struct Seen(Vec<(PathBuf, Looked, State)>);

impl Seen {
    /// Remembers what is at a path now.
    pub(super) fn add(&mut self, path: &Path, how: Looked) {
        self.0.push((path.to_owned(), how, state(path, how)));
    }

    /// Whether anything is different by now.
    pub fn changed(&self) -> bool {
        self.0.iter().any(|(path, how, then)| match then {
            State::Contents { stamp, .. } if stamp.0 > COMPARED => {
                stamp_of(path).ok() != Some(*stamp) && state(path, *how) != *then
            }
            _ => state(path, *how) != *then,
        })
    }

    /// The files and folders whose changes matter, for notices of the system. A file is lost when it is
    /// replaced, so the folder it is named in and the one a link leads to belong to it.
    pub fn places(&self) -> Vec<PathBuf> {
        let mut places: Vec<PathBuf> = Vec::new();
        for (path, how, _) in &self.0 {
            let target = path.canonicalize().ok();
            let around = [Some(parent(path)), target.as_deref().map(parent)];
            places.extend(around.into_iter().flatten().map(Path::to_owned));
            if *how != Looked::Served {
                places.push(path.clone());
            }
        }
        places.sort();
        places.dedup();
        places
    }
}

fn state(path: &Path, how: Looked) -> State {
    let found = match how {
        Looked::File | Looked::Served => contents(path),
        Looked::Folder => names(path),
        Looked::Scenarios => Ok(State::Names(files_of(path).unwrap_or_default())),
    };
    found.unwrap_or_else(|error| State::Failed(error.kind()))
}

fn names(path: &Path) -> io::Result<State> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            names.push(PathBuf::from(name));
        }
    }
    names.sort();
    Ok(State::Names(names))
}

fn stamp_of(path: &Path) -> io::Result<(u64, Option<SystemTime>)> {
    let meta = fs::metadata(path)?;
    Ok((meta.len(), meta.modified().ok()))
}

fn contents(path: &Path) -> io::Result<State> {
    // What is no regular file (a pipe) can be read once only, and that is not here.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // The time before the contents: a change in between is seen next time.
    let stamp = stamp_of(path)?;
    let mut file = fs::File::open(path)?.take(MOST_READ);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(State::Contents {
        stamp: if stamp.0 > COMPARED {
            stamp
        } else {
            (stamp.0, None)
        },
        hash: hash.finalize().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, load_seen};
    use super::*;

    #[test]
    fn everything_that_a_scenario_reads_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "a.yaml",
            "include: parts/b.yaml\nendpoints: [ { path: /a, file: a.txt } ]\n",
        );
        write(
            "parts/b.yaml",
            "endpoints: [ { path: '/b/{rest...}', files: site } ]\n",
        );
        write("parts/site/deep/x.txt", "x");
        write("a.txt", "a");
        let origin = Origin::Paths(vec![folder.path().join("a.yaml")]);
        for (name, before) in [
            (
                "a.yaml",
                fs::read_to_string(folder.path().join("a.yaml")).unwrap(),
            ),
            (
                "parts/b.yaml",
                fs::read_to_string(folder.path().join("parts/b.yaml")).unwrap(),
            ),
            ("parts/site/deep/x.txt", "x".into()),
            ("a.txt", "a".into()),
        ] {
            let (outcome, seen) = load_seen(&origin);
            assert!(outcome.is_ok() && !seen.changed(), "{name}");
            write(name, &format!("{before}# "));
            assert!(seen.changed(), "{name} has changed");
            write(name, &before);
        }
        let (_, seen) = load_seen(&origin);
        write("parts/site/new.txt", "");
        assert!(seen.changed(), "a file has come to a served folder");
        fs::remove_file(folder.path().join("a.txt")).unwrap();
        let (outcome, seen) = load_seen(&origin);
        assert!(outcome.is_err());
        write("a.txt", "back");
        assert!(seen.changed(), "what was missing has come");
    }

    #[test]
    fn contents_and_names_decide_whether_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        let mut seen = Seen::default();
        seen.add(&file, Looked::File);
        assert!(!seen.changed());
        fs::write(&file, "1").unwrap();
        assert!(seen.changed(), "a file has come");
        let mut seen = Seen::default();
        seen.add(&file, Looked::File);
        seen.add(folder.path(), Looked::Folder);
        fs::write(&file, "1").unwrap();
        fs::write(folder.path().join(".hidden"), "").unwrap();
        assert!(!seen.changed(), "written, but the same");
        fs::write(&file, "2").unwrap();
        assert!(seen.changed(), "other contents");
        fs::write(&file, "1").unwrap();
        fs::write(folder.path().join("b.txt"), "").unwrap();
        assert!(seen.changed(), "a new name");
        let places = seen.places();
        assert!(places.contains(&file) && places.contains(&folder.path().to_owned()));
    }
}
