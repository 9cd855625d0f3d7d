//! The shipped scenarios, each time changed in another way.

use std::path::{Path, PathBuf};

use crate::support::chance::Chance;
use crate::support::repo;

/// What YAML understands in its own way.
const SPECIAL: [&str; 30] = [
    "&a ",
    "*a",
    "<<: *a",
    "? ",
    "| ",
    ">-\n",
    "---\n",
    "...\n",
    "!!binary ",
    "!x ",
    "%YAML 1.1\n",
    "@",
    "`",
    "\t",
    "\0",
    "\u{feff}",
    "\u{2028}",
    "[",
    "]",
    "{",
    "}",
    "~",
    "''",
    "\"",
    "- ",
    ": ",
    "#",
    "{{ ",
    " }}",
    "{% if x %}",
];
/// Longer ones are not made longer.
const LONGEST: usize = 40_000;

pub struct Mutations {
    chance: Chance,
    originals: Vec<Vec<u8>>,
    /// Where the changed ones go.
    pub file: PathBuf,
}

impl Mutations {
    /// Writes into this folder, beside the files that the shipped scenarios need.
    pub fn new(seed: u64, folder: &Path) -> Mutations {
        let scenarios = repo("scenarios");
        let recording = "recorded.recording.ndjson";
        std::fs::copy(scenarios.join(recording), folder.join(recording)).unwrap();
        std::fs::create_dir_all(folder.join("pages")).unwrap();
        let folders = ["", "llm", "wpt"].map(|name| scenarios.join(name));
        let entries = folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
        assert!(files.len() > 15, "{files:?}");
        Mutations {
            chance: Chance::new(seed, 0),
            originals: files.iter().map(|file| std::fs::read(file).unwrap()).collect(),
            file: folder.join("mutated.yaml"),
        }
    }

    /// Saves the next one.
    pub fn write(&mut self) {
        let text = self.next();
        let part = self.file.with_extension("part");
        std::fs::write(&part, &text).unwrap();
        std::fs::rename(part, &self.file).unwrap();
    }

    /// The next one.
    pub fn next(&mut self) -> Vec<u8> {
        // Small ones more often: large ones take long.
        let two = [0; 2].map(|_| self.chance.one(&self.originals));
        let mut text = two
            .into_iter()
            .min_by_key(|text| text.len())
            .cloned()
            .unwrap_or_default();
        // Half of them are changed only a little: those may well be scenarios.
        let most = [1, 8][self.chance.below(2)];
        for _ in 0..=self.chance.below(most) {
            self.change(&mut text);
            text.truncate(LONGEST);
        }
        text
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let chance = &mut self.chance;
        let at = chance.below(text.len() + 1);
        match chance.below(9) {
            0 if at < text.len() => text[at] ^= 1 << chance.below(8),
            1 => drop(text.drain(at..(at + chance.below(40)).min(text.len()))),
            2 => insert(text, at, chance.one(&SPECIAL).as_bytes()),
            3 => {
                let other = chance.one(&self.originals);
                let part = chance.part(other, 80).to_vec();
                insert(text, at, &part);
            }
            4 => self.swap_tokens(text),
            5 => {
                let number = [
                    "0",
                    "-1",
                    "1e400",
                    "18446744073709551616",
                    "100y",
                    "0.0000001",
                    "999GiB",
                ];
                insert(text, at, chance.one(&number).as_bytes());
            }
            _ => self.change_lines(text),
        }
    }

    /// A word of this scenario becomes one of another.
    fn swap_tokens(&mut self, text: &mut Vec<u8>) {
        let own = words(text);
        let other = self.chance.one(&self.originals);
        let from = self.chance.one(&words(other)).clone();
        if own.is_empty() {
            return;
        }
        let place = self.chance.one(&own).clone();
        let word = other[from].to_vec();
        text.splice(place, word);
    }

    fn change_lines(&mut self, text: &mut Vec<u8>) {
        let chance = &mut self.chance;
        let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (one, other) = (chance.below(lines.len()), chance.below(lines.len()));
        match chance.below(5) {
            0 => lines.insert(other, lines[one].clone()),
            1 => drop(lines.remove(one)),
            2 => lines.swap(one, other),
            3 => drop(lines[one].splice(0..0, *b"  ")),
            _ => {
                let spaces = lines[one].iter().take_while(|byte| **byte == b' ').count();
                lines[one].drain(..spaces.min(1 + chance.below(4)));
            }
        }
        *text = lines.join(&b'\n');
    }
}

fn insert(text: &mut Vec<u8>, at: usize, more: &[u8]) {
    text.splice(at..at, more.iter().copied());
}

/// Where words are: letters, digits, and what durations and names are made of.
fn words(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut words = Vec::new();
    let mut from = 0;
    for (at, byte) in text.iter().chain(b" ").enumerate() {
        if !(byte.is_ascii_alphanumeric() || b"_-./".contains(byte)) {
            if at > from {
                words.push(from..at);
            }
            from = at + 1;
        }
    }
    words
}
