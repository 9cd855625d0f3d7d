//! What a scenario asks of the disk. Compiling is pure: whoever loads brings the answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::Compiler;
use crate::packed::packed;
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Diagnostic, Source, Span};

/// Why a file or folder could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Files beside a scenario, by paths relative to the file that names them.
pub trait Files {
    /// Another file of the same scenario; `None` if it has been read already.
    fn include(&self, from: &Source, path: &str) -> Result<Option<Arc<Source>>, FileFault>;
    /// A file's bytes.
    fn read(&self, from: &Source, path: &str) -> Result<Bytes, FileFault>;
    /// All files below a folder by their paths from there, parts separated by `/`.
    fn folder(&self, from: &Source, path: &str) -> Result<BTreeMap<String, Bytes>, FileFault>;
}

/// For scenarios that are nowhere on the disk.
pub struct NoFiles;

fn nowhere(path: &str) -> FileFault {
    FileFault {
        message: format!("`{path}` cannot be read: this scenario is in no folder"),
        hint: Some("files beside a scenario need a scenario that is a file itself".into()),
    }
}

impl Files for NoFiles {
    fn include(&self, _: &Source, path: &str) -> Result<Option<Arc<Source>>, FileFault> {
        Err(nowhere(path))
    }
    fn read(&self, _: &Source, path: &str) -> Result<Bytes, FileFault> {
        Err(nowhere(path))
    }
    fn folder(&self, _: &Source, path: &str) -> Result<BTreeMap<String, Bytes>, FileFault> {
        Err(nowhere(path))
    }
}

pub(super) fn at(span: &Span, fault: FileFault) -> Diagnostic {
    Diagnostic::error(span, fault.message).maybe_hint(fault.hint)
}

impl Compiler<'_> {
    /// A file's bytes, or an error where it is named.
    pub(super) fn read_file(&mut self, span: &Span, path: &str) -> Option<Bytes> {
        match self.files.read(&span.source, path) {
            Ok(bytes) => Some(bytes),
            Err(fault) => {
                self.errors.push(at(span, fault));
                None
            }
        }
    }

    /// All files below a folder with their media types.
    pub(super) fn read_folder(&mut self, folder: &At<String>) -> Option<BTreeMap<String, (Bytes, String)>> {
        match self.files.folder(&folder.span.source, &folder.value) {
            Ok(files) => Some(
                files
                    .into_iter()
                    .map(|(path, bytes)| {
                        let media = media_type(&path);
                        (path, (bytes, media))
                    })
                    .collect(),
            ),
            Err(fault) => {
                self.errors.push(at(&folder.span, fault));
                None
            }
        }
    }
}

/// What files of this name usually are.
fn guessed(path: &str) -> Option<&'static str> {
    static TYPES: LazyLock<String> = LazyLock::new(|| packed!("media-types"));
    static LINES: LazyLock<Vec<(&str, &str)>> =
        LazyLock::new(|| TYPES.lines().filter_map(|line| line.split_once(' ')).collect());
    let extension = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    let at = LINES.binary_search_by_key(&extension.as_str(), |(known, _)| *known);
    at.ok().map(|at| LINES[at].1)
}

/// A file's media type by its name; texts are UTF-8.
pub(super) fn media_type(path: &str) -> String {
    match guessed(path).unwrap_or("application/octet-stream") {
        "application/javascript" | "text/javascript" => "text/javascript; charset=utf-8".into(),
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::media_type;
    use crate::scenario::diagnostic::Source;

    #[test]
    fn a_scenario_in_memory_has_no_files_beside_it() {
        for yaml in [
            "include: b.yaml\nendpoints: []",
            "endpoints: [ { path: /a, file: a.txt } ]",
            "endpoints: [ { path: '/{rest...}', files: site } ]",
            "endpoints: [ { path: /a, stream: [ { raw: { file: a.bin } } ] } ]",
        ] {
            let errors = crate::scenario::compile(&[Arc::new(Source::new("memory", yaml))]).unwrap_err();
            let said: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
            assert!(
                said.len() == 1 && said[0].ends_with("this scenario is in no folder"),
                "{said:?}"
            );
        }
    }

    #[test]
    fn media_types_go_by_the_name() {
        for (name, expected) in [
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a/b.HTML", "text/html; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.png", "image/png"),
            ("a.tar.gz", "application/gzip"),
            ("a.7z", "application/x-7z-compressed"),
            ("a.7zz", "application/octet-stream"),
            ("a.", "application/octet-stream"),
            (".css", "application/octet-stream"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(media_type(name), expected, "{name}");
        }
    }
}
