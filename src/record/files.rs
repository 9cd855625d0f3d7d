//! The two files of a recording.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::RecordError;
use super::tape::Out;

/// Where the scenario and its recording lie.
#[derive(Debug)]
pub struct Places {
    scenario: PathBuf,
    recording: PathBuf,
    /// The recording's name, relative to the scenario.
    pub name: String,
    force: bool,
}

impl Places {
    /// The places for this scenario; nothing is written yet.
    ///
    /// # Errors
    /// No scenario can have this name, or something is there already.
    pub fn new(scenario: &Path, force: bool) -> Result<Places, RecordError> {
        let usage = |why: String| RecordError::Usage(why);
        let shown = scenario.display();
        let stem = scenario.file_stem().and_then(|stem| stem.to_str());
        let ending = scenario.extension().and_then(|ending| ending.to_str());
        let (Some(stem), Some("yaml" | "yml")) = (stem, ending) else {
            return Err(usage(format!("{shown}: a scenario's name ends in .yaml or .yml")));
        };
        let name = format!("{stem}.recording.ndjson");
        let recording = scenario.with_file_name(&name);
        for path in [scenario, &recording] {
            if path.is_dir() {
                return Err(usage(format!("{} is a folder", path.display())));
            }
            if !force && path.exists() {
                return Err(usage(format!(
                    "{} is there already: --force replaces it",
                    path.display()
                )));
            }
        }
        let folder = folder(scenario);
        if !folder.is_dir() {
            return Err(usage(format!("{}: there is no such folder", folder.display())));
        }
        Ok(Places {
            scenario: scenario.to_owned(),
            recording,
            name,
            force,
        })
    }

    /// An empty recording.
    pub fn recording(&self) -> Result<Lines, RecordError> {
        let mut options = OpenOptions::new();
        match self.force {
            true => options.write(true).create(true).truncate(true),
            false => options.write(true).create_new(true),
        };
        match options.open(&self.recording) {
            Ok(file) => Ok(Lines { file, whole: 0 }),
            Err(error) => Err(unwritten(&self.recording, &error)),
        }
    }

    /// Removes a recording that holds nothing.
    pub fn remove_recording(&self) -> Result<(), RecordError> {
        fs::remove_file(&self.recording).map_err(|error| unwritten(&self.recording, &error))
    }

    /// Writes the scenario in one step: whoever reads it sees all of it or what was there before.
    pub fn scenario(&self, yaml: &str) -> Result<(), RecordError> {
        let name = self.scenario.file_name().unwrap_or_default().to_string_lossy();
        // Hidden, so that no server takes it for a scenario of its folder.
        let part = self.scenario.with_file_name(format!(".{name}.part"));
        let written = fs::write(&part, yaml).and_then(|()| fs::rename(&part, &self.scenario));
        written.map_err(|error| unwritten(&self.scenario, &error))
    }
}

fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

pub fn unwritten(path: &Path, error: &io::Error) -> RecordError {
    RecordError::Write(format!("{} cannot be written: {error}", path.display()))
}

/// A recording's file: each line goes to the system at once.
#[derive(Debug)]
pub struct Lines {
    file: File,
    /// Bytes of the lines that are there as a whole.
    whole: u64,
}

impl Out for Lines {
    fn line(&mut self, line: &str) -> io::Result<()> {
        let written = self.file.write_all(line.as_bytes());
        match written {
            Ok(()) => self.whole += line.len() as u64,
            // Half a line could not be read again.
            Err(_) => drop(self.file.set_len(self.whole)),
        }
        written
    }
}
