//! The command line: flags and variables → settings → the library → an exit code.
//!
//! 0: fine; 1: the check or the expectation failed; 2: wrong usage.

mod banner;
mod check;
mod commands;
mod explain;
mod init;
mod output;
mod play;
mod record;
mod request_args;
mod serve;
mod serve_args;
mod verify;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use serve_args::ServeArgs;

/// A scriptable mock server for Server-Sent Events.
///
/// Without a subcommand it serves: the built-in alphabet scenario, or the files given with --scenario.
#[derive(Debug, Parser)]
#[command(name = "mock-sse", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a scenario (what happens without a subcommand, too)
    Serve(Box<ServeArgs>),
    /// Copy a scenario out of the binary, to start from
    Init(init::InitArgs),
    /// Check scenario files and show every mistake in them
    Check(check::CheckArgs),
    /// Print what a scenario does, with everything that is inherited, defaulted and run written out
    Explain(explain::ExplainArgs),
    /// Print what a client would receive, at once
    Play(Box<play::PlayArgs>),
    /// Record the answer of a server as a scenario that replays it
    Record(Box<record::RecordArgs>),
    /// Print the JSON Schema of scenario files
    Schema,
    /// Make the local certificate authority and certificate, and explain how to trust it
    Cert(commands::CertArgs),
    /// Ask a running server whether it is well (for health checks)
    Health(commands::HealthArgs),
    /// Open many streams and measure what arrives
    Load(Box<crate::load::LoadArgs>),
}

/// How something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For machines
    Json,
}

/// How log lines look, and which are written.
#[derive(Debug, Clone, Args)]
struct LogArgs {
    /// How log lines look
    #[arg(
        long,
        env = "MOCK_SSE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    log_format: Format,
    /// Which log lines are written: error, warn, info, debug, trace
    #[arg(
        long,
        env = "MOCK_SSE_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    log_level: tracing::level_filters::LevelFilter,
}

/// Parses the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = match cli.command {
        None => serve::run(cli.serve),
        Some(Command::Serve(args)) => serve::run(*args),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Play(args)) => play::run(*args),
        Some(Command::Record(args)) => record::run(&args),
        Some(Command::Schema) => commands::schema(),
        Some(Command::Cert(args)) => commands::cert(&args),
        Some(Command::Health(args)) => commands::health(&args),
        Some(Command::Load(args)) => commands::load(*args),
    };
    ExitCode::from(code)
}

/// The command line's definition, for tests and documentation.
pub fn command() -> clap::Command {
    use clap::CommandFactory;
    Cli::command()
}
