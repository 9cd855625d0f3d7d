//! What the commands print: diagnostics, errors, log lines.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::fmt::format::debug_fn;

use super::{Format, LogArgs};
use crate::name::printable;
use crate::scenario::Scenario;
use crate::scenario::diagnostic::{Diagnostic, Severity, render_all};
use crate::scenario::load::Outcome;

/// Exit code for a failed check or expectation.
pub(super) const FAILED: u8 = 1;
/// Exit code for wrong usage.
pub(super) const USAGE: u8 = 2;

/// Sets up log lines on standard error.
pub(super) fn init_log(args: &LogArgs) {
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(args.log_level)
        // A log that cannot be written is no reason to fail.
        .log_internal_errors(false);
    // A second server in one process keeps the first one's log.
    let _ = match args.log_format {
        // Without the module's name, whose key `target` the request's own has, too.
        Format::Json => builder.json().flatten_event(true).with_target(false).try_init(),
        Format::Text => {
            // The fields are for machines; the message says the same for people.
            let message = debug_fn(|writer, field, value| match field.name() {
                "message" => Tame(writer).write_fmt(format_args!("{value:?}")),
                _ => Ok(()),
            });
            builder
                .with_target(false)
                .with_ansi(io::stderr().is_terminal())
                .fmt_fields(message)
                .try_init()
        }
    };
}

/// Whatever a message quotes, it does not command the terminal. It may have several lines.
struct Tame<'a, 'b>(&'a mut tracing_subscriber::fmt::format::Writer<'b>);

impl fmt::Write for Tame<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.0.write_char('\n')?;
            }
            self.0.write_str(&printable(line))?;
        }
        Ok(())
    }
}

/// Prints to standard output. Whoever reads it may stop early (`| head`): no reason to fail.
pub(super) fn say(text: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints to standard error, be it open or not.
pub(super) fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints diagnostics to standard error, with a count.
pub(super) fn print_diagnostics(diagnostics: &[Diagnostic]) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{}", render_all(diagnostics, io::stderr().is_terminal()));
    let _ = writeln!(err, "{}", count(diagnostics));
}

/// The scenario, its warnings printed; the exit code, its errors printed.
pub(super) fn loaded(outcome: Outcome) -> Result<Scenario, u8> {
    let (loaded, findings) = match outcome {
        Ok((scenario, warnings)) => (Ok(scenario), warnings),
        Err(diagnostics) => (Err(FAILED), diagnostics),
    };
    if !findings.is_empty() {
        print_diagnostics(&findings);
    }
    loaded
}

/// `2 errors, 1 warning`.
pub(super) fn count(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .count();
    let warnings = diagnostics.len() - errors;
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// Prints an error and what to do about it; answers with the exit code for wrong usage.
pub(super) fn usage(message: impl std::fmt::Display) -> u8 {
    complain(format_args!("error: {message}"));
    USAGE
}

/// Runs a future on a runtime of its own.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime needs nothing but threads")
        .block_on(future)
}
