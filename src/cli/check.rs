//! `mock-sse check`: every mistake in scenario files.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::output::{FAILED, count, say};
use crate::scenario::diagnostic::{Diagnostic, render_all};
use crate::scenario::load::{Origin, load};

/// Arguments of `mock-sse check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Scenario files and folders; together they make one scenario
    #[arg(required = true, value_name = "FILE_OR_FOLDER")]
    paths: Vec<PathBuf>,
    /// How the mistakes are printed
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: Format,
}

pub(super) fn run(args: &CheckArgs) -> u8 {
    let (endpoints, diagnostics) = match load(&Origin::Paths(args.paths.clone())) {
        Ok((scenario, warnings)) => (Some(scenario.endpoints.len()), warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    match args.format {
        Format::Json => print_json(endpoints.is_some(), &diagnostics),
        Format::Text => print_text(endpoints, &diagnostics),
    }
    if endpoints.is_some() { 0 } else { FAILED }
}

fn print_json(ok: bool, diagnostics: &[Diagnostic]) {
    let all: Vec<_> = diagnostics.iter().map(Diagnostic::to_json).collect();
    say(format_args!(
        "{:#}",
        serde_json::json!({ "ok": ok, "diagnostics": all })
    ));
}

fn print_text(endpoints: Option<usize>, diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        say(format_args!(
            "{}\n",
            render_all(diagnostics, io::stdout().is_terminal()).trim_end()
        ));
    }
    let findings = if diagnostics.is_empty() {
        String::new()
    } else {
        format!(" ({})", count(diagnostics))
    };
    match endpoints {
        Some(n) => say(format_args!(
            "ok: {n} endpoint{}{findings}",
            if n == 1 { "" } else { "s" }
        )),
        None => say(count(diagnostics)),
    }
}
