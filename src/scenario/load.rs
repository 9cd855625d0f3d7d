//! Files and folders → scenarios. The only room of the scenario that touches the disk: `disk` reads what
//! a scenario names, `seen` remembers what was read.

mod disk;
mod seen;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Source, Span};
use super::model::Scenario;
use super::{compile_with, yaml};
use disk::Disk;
pub use disk::LARGEST;
use seen::Looked;
pub use seen::Seen;

/// Name under which the built-in scenario shows in messages.
pub const BUILT_IN: &str = "scenarios/alphabet.yaml";
/// The built-in scenario.
pub const BUILT_IN_TEXT: &str = include_str!("../../scenarios/alphabet.yaml");

/// What a scenario is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The alphabet scenario in the binary.
    BuiltIn,
    /// Files and folders, in the order given; folders are read in name order.
    Paths(Vec<PathBuf>),
    /// YAML from memory.
    Text(String),
}

/// A scenario with its warnings, or everything that is wrong.
pub type Outcome = Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Loads and compiles: the scenario with its warnings, or everything that is wrong.
pub fn load(origin: &Origin) -> Outcome {
    load_seen(origin).0
}

/// The same, and what it was read from: included files, data files and served folders as well.
pub fn load_seen(origin: &Origin) -> (Outcome, Seen) {
    let disk = Disk::default();
    let outcome = match sources(origin, &disk) {
        Ok(sources) => compile_with(&sources, &disk),
        Err(errors) => Err(errors),
    };
    (outcome, disk.into_seen())
}

/// Reads the files of an origin that are named by it.
fn sources(origin: &Origin, disk: &Disk) -> Result<Vec<Arc<Source>>, Vec<Diagnostic>> {
    let text = |name: &str, text: &str| vec![Arc::new(Source::new(name, text))];
    let paths = match origin {
        Origin::BuiltIn => return Ok(text(BUILT_IN, BUILT_IN_TEXT)),
        Origin::Text(yaml) => return Ok(text("scenario.yaml", yaml)),
        Origin::Paths(paths) => paths,
    };
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        disk.noticed(path, Looked::Scenarios);
        match files_of(path) {
            Err(error) => errors.push(*error),
            Ok(files) => {
                let root = if path.is_dir() {
                    path.as_path()
                } else {
                    parent(path)
                };
                for file in files {
                    disk.noticed(&file, Looked::File);
                    match read(&file) {
                        Ok(source) => {
                            disk.given(&source.name, &file, root);
                            sources.push(source);
                        }
                        Err(error) => errors.push(*error),
                    }
                }
            }
        }
    }
    if errors.is_empty() {
        Ok(sources)
    } else {
        Err(errors)
    }
}

/// The folder a path stands in.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// The files that a path stands for: itself, or a folder's `.yaml` and `.yml` files in name order.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let meta = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !meta.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| is_scenario(p))
        .collect();
    files.sort();
    if files.is_empty() {
        let error = at_file(path, "there is no scenario in this folder");
        return Err(Box::new(
            error.hint("put a file that ends in .yaml or .yml into it"),
        ));
    }
    Ok(files)
}

fn is_scenario(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    yaml && !hidden && path.is_file()
}

fn read(path: &Path) -> Result<Arc<Source>, Box<Diagnostic>> {
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, also where the size is not known.
    file.take(yaml::MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > yaml::MAX_FILE {
        let message = format!(
            "the file is larger than {} MiB, which no scenario needs",
            yaml::MAX_FILE >> 20
        );
        return Err(Box::new(at_file(path, message).hint("is it really a scenario?")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text);
            Ok(Arc::new(Source::new(path.display().to_string(), text)))
        }
        Err(error) => Err(Box::new(not_utf8(path, error))),
    }
}

fn not_utf8(path: &Path, error: std::string::FromUtf8Error) -> Diagnostic {
    let at = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let byte = error.as_bytes()[at];
    let source = Arc::new(Source::new(path.display().to_string(), text));
    let message = format!("the file is not UTF-8: byte {at} is 0x{byte:02x}");
    Diagnostic::error(
        &Span {
            source,
            range: at..at,
        },
        message,
    )
    .hint("save it as UTF-8")
}

fn unreadable(path: &Path, error: &io::Error) -> Box<Diagnostic> {
    let message = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "the file may not be read: permission denied".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    };
    let diagnostic = at_file(path, message);
    let found = (error.kind() == io::ErrorKind::NotFound)
        .then(|| neighbour(path))
        .flatten();
    Box::new(diagnostic.maybe_hint(found.map(|name| format!("did you mean `{name}`?"))))
}

fn neighbour(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let names: Vec<String> = fs::read_dir(parent(path))
        .ok()?
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .collect();
    let near = crate::spelling::nearest(&name, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

fn at_file(path: &Path, message: impl Into<String>) -> Diagnostic {
    let source = Arc::new(Source::new(path.display().to_string(), String::new()));
    Diagnostic::error(&Span { source, range: 0..0 }, message)
}
