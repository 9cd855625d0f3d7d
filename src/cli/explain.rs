//! `mock-sse explain`: a scenario as it is understood.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::output::{loaded, say, usage};
use crate::scenario::explain::{explain, to_text};
use crate::scenario::load::{Origin, load};
use crate::scenario::pattern::Pattern;
use crate::spelling::suggest;

/// Arguments of `mock-sse explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The scenario: a file or a folder
    #[arg(value_name = "FILE_OR_FOLDER")]
    file: PathBuf,
    /// Only the endpoints that have this path, as the scenario writes it: /chat/{room}
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// How it is printed
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: Format,
}

pub(super) fn run(args: &ExplainArgs) -> u8 {
    let scenario = match loaded(load(&Origin::Paths(vec![args.file.clone()]))) {
        Ok(scenario) => scenario,
        Err(code) => return code,
    };
    let Some(explained) = explain(&scenario, args.path.as_deref()) else {
        let path = args.path.as_deref().unwrap_or("");
        let all = scenario
            .endpoints
            .iter()
            .flat_map(|e| e.paths.iter().map(Pattern::source));
        let mut all: Vec<&str> = all.collect();
        // Several endpoints may have the same path.
        let mut seen = std::collections::HashSet::new();
        all.retain(|path| seen.insert(*path));
        return usage(format!(
            "no endpoint has the path `{path}`: {}",
            suggest(path, &all)
        ));
    };
    let explained = match args.path {
        Some(_) => explained,
        None => crate::expect::explain(&scenario, explained),
    };
    match args.format {
        Format::Json => say(format_args!("{explained:#}")),
        Format::Text => say(to_text(&explained).trim_end()),
    }
    0
}
