//! `mock-sse play`: what a client would receive.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;

use super::output::{FAILED, block_on, complain, print_diagnostics, usage};
use super::request_args::RequestArgs;
use crate::engine::Seed;
use crate::play::json::JsonView;
use crate::play::raw::Raw;
use crate::play::svg::{MOST_MARKS, Svg};
use crate::play::timeline::Timeline;
use crate::play::{How, Played, Settings, Viewer};
use crate::request::Request;
use crate::scenario::load::{Origin, load};
use crate::scenario::{duration, time_of_day};

/// Arguments of `mock-sse play`.
#[derive(Debug, Args)]
pub struct PlayArgs {
    /// The scenario: a file or a folder
    #[arg(value_name = "FILE_OR_FOLDER")]
    file: PathBuf,
    /// Path and query of the request: /orders?client=me
    #[arg(value_name = "PATH")]
    path: String,
    /// How much of the script's time to play; it takes no real time
    #[arg(long = "for", default_value = "1m", value_name = "TIME", value_parser = duration::parse)]
    time: Duration,
    /// Stop behind this many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Play the client's nth request: those before are made and left at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    attempt: u64,
    /// The number that all chance is drawn from [default: the scenario's, else drawn]
    #[arg(long, env = "MOCK_SSE_SEED")]
    seed: Option<u64>,
    /// The time of day at which the session begins, such as 2026-01-31T12:00:00Z [default: the scenario's, else the real one]
    #[arg(long, env = "MOCK_SSE_NOW", value_name = "TIME", value_parser = time_of_day::parse)]
    now: Option<u64>,
    #[command(flatten)]
    request: RequestArgs,
    /// Print the status line and the headers, too
    #[arg(short, long, conflicts_with = "json")]
    include: bool,
    /// Print a line for each write: when, which step, how many bytes
    #[arg(long, conflicts_with = "json")]
    timeline: bool,
    /// Print all of it as one JSON document
    #[arg(long)]
    json: bool,
    /// Draw the stream in time into this file; prints nothing unless --timeline or --json is given
    #[arg(long, value_name = "FILE", conflicts_with = "include")]
    svg: Option<PathBuf>,
}

pub(super) fn run(args: PlayArgs) -> u8 {
    let mut scenario = match load(&Origin::Paths(vec![args.file.clone()])) {
        Ok((scenario, _)) => scenario,
        Err(diagnostics) => {
            print_diagnostics(&diagnostics);
            return FAILED;
        }
    };
    scenario.now = args.now.or(scenario.now);
    let request = match request(&args) {
        Ok(request) => request,
        Err(why) => return usage(why),
    };
    let seed = args
        .seed
        .map_or_else(|| Seed::Drawn(super::serve::draw_seed()), Seed::Fixed);
    let settings = Settings {
        seed,
        request,
        attempt: args.attempt,
        time: args.time,
        events: args.events,
    };
    let mut viewers = match viewers(&args) {
        Ok(viewers) => viewers,
        Err(why) => return usage(why),
    };
    let played = block_on(crate::play::play(scenario, settings, &mut viewers));
    drop(viewers);
    match played {
        Ok(played) => report(&args, played),
        // Whoever reads may stop early (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => usage(error),
    }
}

/// What is to be said besides, and the exit code.
fn report(args: &PlayArgs, played: Played) -> u8 {
    if args.events.is_some() && played.ending.events.is_none() {
        complain("note: --events had no effect: the body is compressed, its events cannot be counted");
    }
    if let Some(picture) = &args.svg
        && played.ending.writes > MOST_MARKS as u64
    {
        let rest = match played.ending.how {
            How::Left => "; what follows was not played",
            _ => "",
        };
        complain(format_args!(
            "note: {} holds the first {MOST_MARKS} writes{rest}",
            picture.display()
        ));
    }
    match (played.failed, played.status) {
        (Some(why), _) => {
            complain(format_args!("error: the stream is cut here: {why}"));
            FAILED
        }
        (None, Some(status)) if status >= 400 => {
            complain(format_args!("the answer has status {status}"));
            FAILED
        }
        _ => 0,
    }
}

/// All the ways to look at it that are asked for.
fn viewers(args: &PlayArgs) -> Result<Vec<Box<dyn Viewer>>, String> {
    let mut viewers: Vec<Box<dyn Viewer>> = Vec::new();
    let out = io::stdout();
    if args.timeline {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = out.is_terminal() && !plain;
        viewers.push(Box::new(Timeline::new(out, args.include, colours)));
    } else if args.json {
        viewers.push(Box::new(JsonView::new(BufWriter::new(out))));
    } else if args.svg.is_none() {
        viewers.push(Box::new(Raw::new(out, args.include)));
    }
    if let Some(path) = &args.svg {
        let file =
            File::create(path).map_err(|error| format!("--svg: cannot write {}: {error}", path.display()))?;
        viewers.push(Box::new(Svg::new(BufWriter::new(file))));
    }
    Ok(viewers)
}

/// The request that is played.
fn request(args: &PlayArgs) -> Result<Request, String> {
    if !args.path.starts_with('/') {
        return Err(format!("the path `{}` does not begin with `/`", args.path));
    }
    let target: http::uri::PathAndQuery = args.path.parse().map_err(|_| {
        format!(
            "the path `{}` holds characters that no address has; write them percent-encoded (a space is %20)",
            args.path
        )
    })?;
    let own = target.path() == "/__mock" || target.path().starts_with("/__mock/");
    if own {
        return Err("the paths below /__mock are the server's own, not the scenario's".into());
    }
    let asked = &args.request;
    let mut request = Request::example(asked.method(), target.path());
    request.query = target.query().map(str::to_owned);
    if asked.names("host") {
        request.headers.clear();
    }
    for (name, value) in asked.headers()? {
        let value = Bytes::copy_from_slice(value.as_bytes());
        request.headers.push((name.to_owned(), value));
    }
    if let Some(body) = asked.body()? {
        request.body = body;
        let length = request.body.len().to_string();
        add_missing(&mut request, "content-length", &length);
        add_missing(&mut request, "content-type", "application/x-www-form-urlencoded");
    }
    Ok(request)
}

fn add_missing(request: &mut Request, name: &str, value: &str) {
    if request.header(name).is_none() {
        let value = Bytes::copy_from_slice(value.as_bytes());
        request.headers.push((name.to_owned(), value));
    }
}
