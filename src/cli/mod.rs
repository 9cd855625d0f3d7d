//! The command line: flags and variables → settings → the library → an exit code.
//!
//! 0: fine; 1: the check or the expectation failed; 2: wrong usage.

mod banner;
mod check;
mod commands;
mod explain;
mod init;
mod man;
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

/// Shown behind the options; `man` makes a section of each part.
const EXAMPLES: &str = "\
Examples:
  mock-sse                                           the built-in scenario, on port 4043
  mock-sse --scenario chat.yaml                      your own; what you save takes effect at once
  mock-sse --scenario chat.yaml --clock manual       time stands until a test advances it
  mock-sse --scenario chat.yaml --until-verified     says whether the client did what is expected

Exit codes:
  0  fine
  1  the check or the expectation failed
  2  wrong usage";

const INIT_EXAMPLES: &str = "\
Examples:
  mock-sse init --list
  mock-sse init chat
  mock-sse init openai-chat --schema";

const CHECK_EXAMPLES: &str = "\
Examples:
  mock-sse check chat.yaml
  mock-sse check --format json scenarios";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  mock-sse explain chat.yaml
  mock-sse explain chat.yaml /chat/{room}";

const PLAY_EXAMPLES: &str = "\
Examples:
  mock-sse play chat.yaml /clock                     the bytes of the body
  mock-sse play chat.yaml /clock --timeline          what comes when, and in which write
  mock-sse play chat.yaml '/orders?client=me' --attempt 3 --last-event-id 2";

const RECORD_EXAMPLES: &str = "\
Examples:
  mock-sse record https://api.example.com/stream --output stream.yaml
  mock-sse record http://localhost:8000/chat -d @question.json -H 'content-type: application/json' -o chat.yaml";

const LOAD_EXAMPLES: &str = "\
Examples:
  mock-sse load http://localhost:4043/sse --streams 500 --for 20s
  mock-sse load http://localhost:4043/post --publish http://localhost:4043/post --rate 100 --messages 1000
  mock-sse load http://localhost:4043/sub --publish http://localhost:4043/pub --publishers 100 --svg load.svg";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(mock-sse completions bash)                for this shell; in ~/.bashrc for all
  mock-sse completions zsh > ~/.zfunc/_mock-sse      with ~/.zfunc in fpath
  mock-sse completions fish > ~/.config/fish/completions/mock-sse.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  mock-sse man | man -l -                            to read it
  mock-sse man > ~/.local/share/man/man1/mock-sse.1  to install it";

/// A scriptable mock server for Server-Sent Events.
///
/// Without a command it serves: the built-in alphabet scenario, or the files given with --scenario. A client of
/// Server-Sent Events (curl, a browser's EventSource, an SDK under test) then asks it instead of the real server.
#[derive(Debug, Parser)]
#[command(
    name = "mock-sse",
    version,
    args_conflicts_with_subcommands = true,
    override_usage = "mock-sse [OPTIONS]\n       mock-sse <COMMAND>",
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a scenario (what happens without a command, too)
    #[command(after_help = EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Copy a scenario out of the binary, to start from
    #[command(after_help = INIT_EXAMPLES)]
    Init(init::InitArgs),
    /// Check scenario files and show every mistake in them, with what to write instead
    #[command(after_help = CHECK_EXAMPLES)]
    Check(check::CheckArgs),
    /// Print a scenario as it is understood, with everything written out that is inherited or filled in
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(explain::ExplainArgs),
    /// Print what a client would receive, at once and without a server
    #[command(after_help = PLAY_EXAMPLES)]
    Play(Box<play::PlayArgs>),
    /// Record the answer of a real server as a scenario that replays it
    #[command(after_help = RECORD_EXAMPLES)]
    Record(Box<record::RecordArgs>),
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// Make the local certificate authority and certificate, and explain how to trust it
    Cert(commands::CertArgs),
    /// Ask a running server whether it is well (for health checks)
    Health(commands::HealthArgs),
    /// Open many streams of a server and measure what arrives, and when
    #[command(after_help = LOAD_EXAMPLES)]
    Load(Box<crate::load::LoadArgs>),
    /// Print what makes a shell complete commands and options
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(commands::CompletionsArgs),
    /// Print the manual page
    #[command(after_help = MAN_EXAMPLES)]
    Man,
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
#[command(next_help_heading = "Log")]
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
        Some(Command::Completions(args)) => commands::completions(&args),
        Some(Command::Man) => man::run(),
    };
    ExitCode::from(code)
}

/// The command line's definition, for tests and documentation.
pub fn command() -> clap::Command {
    use clap::CommandFactory;
    Cli::command()
}
