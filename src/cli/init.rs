//! `mock-sse init`: a scenario to start from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{FAILED, complain, say, usage};
use crate::gallery::{ALL, BUILT_IN, Exhibit, find};
use crate::scenario::schema::json_schema;

/// What the schema is called beside a scenario.
const SCHEMA: &str = "scenario.schema.json";

/// Arguments of `mock-sse init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Which scenario; --list shows them
    #[arg(value_name = "NAME", default_value = BUILT_IN)]
    name: String,
    /// Show the scenarios there are, and what each is for
    #[arg(long, conflicts_with_all = ["name", "output", "schema", "force"])]
    list: bool,
    /// The file to write, or - for standard output; else NAME.yaml in this folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the JSON Schema beside it, for editors, which the file's first line then names
    #[arg(long)]
    schema: bool,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &InitArgs) -> u8 {
    if args.list {
        list();
        return 0;
    }
    let exhibit = match find(&args.name) {
        Ok(exhibit) => exhibit,
        Err(hint) => return usage(format_args!("there is no scenario `{}`: {hint}", args.name)),
    };
    let output = args.output.clone().unwrap_or_else(|| exhibit.file_name().into());
    if output == Path::new("-") {
        return print(exhibit, args.schema);
    }
    if !matches!(
        output.extension().and_then(|ending| ending.to_str()),
        Some("yaml" | "yml")
    ) {
        let shown = output.display();
        return usage(format_args!("{shown}: a scenario's name ends in .yaml or .yml"));
    }
    let mut files = files(exhibit, &output, args.schema);
    // A schema or a recording may lie there from the last time.
    files.retain(|(path, bytes)| *path == output || fs::read(path).ok().as_ref() != Some(bytes));
    if let Some((path, _)) = files.iter().find(|(path, _)| !args.force && path.exists()) {
        let shown = path.display();
        return usage(format_args!("{shown} is there already: --force replaces it"));
    }
    for (path, bytes) in &files {
        if let Err(error) = write(path, bytes, args.force) {
            complain(format_args!(
                "error: {} cannot be written: {error}",
                path.display()
            ));
            return FAILED;
        }
        say(format_args!("wrote {}", path.display()));
    }
    say(format_args!(
        "serve it with: mock-sse --scenario {}",
        output.display()
    ));
    0
}

fn list() {
    let width = ALL.iter().map(|exhibit| exhibit.name.len()).max().unwrap_or(0);
    for exhibit in ALL {
        say(format_args!("{:width$}  {}", exhibit.name, exhibit.purpose()));
    }
}

/// Prints the scenario alone.
fn print(exhibit: &Exhibit, schema: bool) -> u8 {
    if schema {
        return usage("--schema needs a file to lie beside: `mock-sse schema` prints it");
    }
    let mut out = io::stdout().lock();
    let written = out
        .write_all(exhibit.copy(None).as_bytes())
        .and_then(|()| out.flush());
    // Whoever reads it may stop early.
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        complain(format_args!("standard output: {error}"));
        return FAILED;
    }
    for (name, _) in exhibit.beside {
        complain(format_args!(
            "note: it needs {name} beside it, which --output FILE writes, too"
        ));
    }
    0
}

/// What is written where; the scenario last, so that it never stands there without what it needs.
fn files(exhibit: &Exhibit, output: &Path, schema: bool) -> Vec<(PathBuf, Vec<u8>)> {
    let beside = exhibit.beside.iter();
    let mut files: Vec<_> = beside
        .map(|(name, bytes)| (output.with_file_name(name), bytes.to_vec()))
        .collect();
    if schema {
        files.push((output.with_file_name(SCHEMA), json_schema().into_bytes()));
    }
    let text = exhibit.copy(schema.then_some(SCHEMA));
    files.push((output.to_owned(), text.into_bytes()));
    files
}

fn write(path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    if force {
        return fs::write(path, bytes);
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?
        .write_all(bytes)
}
