//! `mock-sse record`: an answer of a real server, as a scenario.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::{HeaderName, HeaderValue, Method};
use tokio::signal::unix::{SignalKind, signal};

use super::output::{FAILED, block_on, complain, say, usage};
use super::request_args::RequestArgs;
use crate::record::{Access, Asked, Ending, Progress, RecordError, Recorded, Settings, Trust};
use crate::scenario::duration;

/// Arguments of `mock-sse record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// What to ask for: http(s)://HOST:PORT/PATH
    #[arg(value_name = "URL")]
    url: String,
    /// The scenario to write; the recording lies beside it, as FILE.recording.ndjson
    #[arg(short, long, value_name = "FILE.yaml")]
    output: PathBuf,
    #[command(flatten)]
    request: RequestArgs,
    /// Stop behind this many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Stop after this much time, since the head
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    time: Option<Duration>,
    /// The longest wait for the connection, and for the answer's head
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    timeout: Duration,
    /// Trust the CA in this PEM file, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(short = 'k', long, conflicts_with = "ca")]
    insecure: bool,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Keep response headers that may hold secrets, such as set-cookie
    #[arg(long)]
    with_secrets: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: &RecordArgs) -> u8 {
    let settings = match settings(args) {
        Ok(settings) => settings,
        Err(why) => return usage(why),
    };
    let shows = !args.quiet && io::stderr().is_terminal();
    let recorded = block_on(async {
        let stop = match interrupted() {
            Ok(stop) => stop,
            Err(error) => return Err(RecordError::Usage(error.to_string())),
        };
        let show = |progress: &Progress| {
            if shows {
                let _ = write!(io::stderr(), "\r{}\x1b[K", counts(progress));
            }
        };
        crate::record::record(&settings, stop, show).await
    });
    if shows {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    match recorded {
        Ok(recorded) => report(args, &recorded),
        Err(RecordError::Usage(why)) => usage(why),
        Err(error) => {
            complain(format_args!("error: {error}{}", advice(&error)));
            FAILED
        }
    }
}

fn settings(args: &RecordArgs) -> Result<Settings, String> {
    let request = &args.request;
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|error| error.to_string())?;
    let body = request.body()?.map(|body| body.to_vec());
    let asked = Asked::new(&args.url, method, headers(request)?, body);
    Ok(Settings {
        asked: asked.map_err(|error| error.to_string())?,
        access: Access {
            trust: match (&args.ca, args.insecure) {
                (_, true) => Trust::Anybody,
                (Some(path), false) => Trust::Ca(path.clone()),
                (None, false) => Trust::System,
            },
            loopback_only: false,
        },
        patience: args.timeout,
        output: args.output.clone(),
        force: args.force,
        with_secrets: args.with_secrets,
        events: args.events,
        time: args.time,
    })
}

fn headers(request: &RequestArgs) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let one = |(name, value): (&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
        Ok((name, value))
    };
    request.headers()?.into_iter().map(one).collect()
}

/// Ready at Ctrl-C or SIGTERM.
fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Says what was recorded, and how to serve it.
fn report(args: &RecordArgs, recorded: &Recorded) -> u8 {
    if args.quiet {
        return 0;
    }
    for note in &recorded.notes {
        complain(format_args!("note: {note}"));
    }
    if args.events.is_some() && recorded.progress.events.is_none() {
        complain("note: --events had no effect: there are no events that could be counted");
    }
    let how = match recorded.ending {
        Ending::Close | Ending::Unannounced => "it ended cleanly (close)",
        Ending::Cut => "it broke off (cut)",
        Ending::Reset => "it was reset (reset)",
        Ending::Open => "it was still open (hold)",
    };
    say(format_args!("recorded {}; {how}", counts(&recorded.progress)));
    say(format_args!(
        "serve it with: mock-sse --scenario {}",
        args.output.display()
    ));
    0
}

/// `3 events, 4 writes, 120 bytes in 5.020 s`.
fn counts(progress: &Progress) -> String {
    let counted = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let events = progress.events.map(|n| counted(n, "event") + ", ");
    format!(
        "{}{}, {} in {:.3} s",
        events.unwrap_or_default(),
        counted(progress.writes, "write"),
        counted(progress.bytes, "byte"),
        progress.elapsed.as_secs_f64()
    )
}

fn advice(error: &RecordError) -> &'static str {
    match error.to_string() {
        text if text.contains("invalid peer certificate") => {
            "; trust the server's CA with --ca FILE, or any certificate with --insecure"
        }
        _ => "",
    }
}
