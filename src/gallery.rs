//! The shipped scenarios, carried in the binary for people to start from.

use crate::packed::{packed_bytes, unpacked};

/// A scenario that can be copied out of the binary.
#[derive(Debug, Clone, Copy)]
pub struct Exhibit {
    /// What it is asked for by: its path below `scenarios/`, without `.yaml`.
    pub name: &'static str,
    packed: &'static [u8],
    /// The files it needs beside it: their names and contents.
    pub beside: &'static [(&'static str, &'static [u8])],
}

/// Entries from names, and the files beside each.
macro_rules! exhibits {
    ($($name:literal $([$($file:literal),+])?),* $(,)?) => {
        &[
            $(Exhibit {
                name: $name,
                packed: packed_bytes!("scenarios/", $name, ".yaml"),
                beside: &[$($(($file, include_bytes!(concat!("../scenarios/", $file)))),+)?],
            }),*
        ]
    };
}

/// The name of the scenario that is served, and copied, if none is named.
pub const BUILT_IN: &str = "alphabet";

/// All of them, in the order in which they are listed.
pub const ALL: &[Exhibit] = exhibits![
    "alphabet",
    "ticker",
    "ticker-state",
    "chat",
    "notifications",
    "auth",
    "rate-limit",
    "reconnect",
    "reconnect-storm",
    "one-shot",
    "flaky-proxy",
    "faults",
    "chunks",
    "memory",
    "recorded"["recorded.recording.ndjson"],
    "llm/openai-chat",
    "llm/openai-responses",
    "llm/anthropic",
    "llm/gemini",
    "llm/mcp-2025-11-25",
];

/// The line that tells editors where the schema lies begins so.
const SCHEMA_LINE: &str = "# yaml-language-server: $schema=";

/// The scenario of this name; else what to try instead.
///
/// # Errors
/// There is none of this name.
pub fn find(name: &str) -> Result<&'static Exhibit, String> {
    let bare = name.strip_suffix(".yaml").unwrap_or(name);
    let named = |exhibit: &&Exhibit| exhibit.name == bare || exhibit.name.ends_with(&format!("/{bare}"));
    ALL.iter().find(named).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|exhibit| exhibit.name).collect();
        crate::spelling::suggest(bare, &names)
    })
}

impl Exhibit {
    /// The file, as it stands in the repository.
    pub fn text(&self) -> String {
        unpacked(self.packed)
    }

    /// What the file is called that it is copied to.
    pub fn file_name(&self) -> String {
        let last = self.name.rsplit('/').next().unwrap_or(self.name);
        format!("{last}.yaml")
    }

    /// What it is for: the first sentence of its comment.
    pub fn purpose(&self) -> String {
        let text = self.text();
        let comment = text.lines().skip(1).map_while(|line| line.strip_prefix('#'));
        let words = comment.map(str::trim).skip_while(|line| line.is_empty());
        let words: Vec<&str> = words.take_while(|line| !line.is_empty()).collect();
        let words = words.join(" ");
        let end = words.find(". ").unwrap_or(words.len());
        words[..end].trim_end_matches(['.', ':']).to_owned()
    }

    /// The text with the line for editors naming a schema beside it; without a schema, without the line.
    pub fn copy(&self, schema: Option<&str>) -> String {
        let text = self.text();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        match schema {
            _ if !first.starts_with(SCHEMA_LINE) => text.clone(),
            Some(schema) => format!("{SCHEMA_LINE}{schema}\n{rest}"),
            // An empty comment line stands between it and the text.
            None => rest.strip_prefix("#\n").unwrap_or(rest).to_owned(),
        }
    }
}
