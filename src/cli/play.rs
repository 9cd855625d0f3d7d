//! `mock-sse play`: what a client would receive.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::output::{FAILED, block_on, complain, print_diagnostics, usage};
use crate::engine::Seed;
use crate::play::Played;
use crate::request::Request;
use crate::scenario::duration;
use crate::scenario::load::{Origin, load};

/// Arguments of `mock-sse play`.
#[derive(Debug, Args)]
pub struct PlayArgs {
    /// The scenario
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Path and query of the request
    #[arg(value_name = "/PATH")]
    path: String,
    /// How much of the script's time to play
    #[arg(long = "for", default_value = "1m", value_name = "TIME", value_parser = duration::parse)]
    time: Duration,
    /// Where chance comes from
    #[arg(long, env = "MOCK_SSE_SEED")]
    seed: Option<u64>,
}

pub(super) fn run(args: PlayArgs) -> u8 {
    let scenario = match load(&Origin::Paths(vec![args.file])) {
        Ok((scenario, _)) => scenario,
        Err(diagnostics) => {
            print_diagnostics(&diagnostics);
            return FAILED;
        }
    };
    if !args.path.starts_with('/') {
        return usage(format!("the path `{}` does not begin with `/`", args.path));
    }
    let mut request = Request::example("GET", &args.path);
    if let Some((path, query)) = args.path.split_once('?') {
        request.path = path.to_owned();
        request.query = Some(query.to_owned());
    }
    let seed = args
        .seed
        .map_or_else(|| Seed::Drawn(super::serve::draw_seed()), Seed::Fixed);
    let mut out = io::stdout().lock();
    match block_on(crate::play::play(scenario, seed, request, args.time, &mut out)) {
        Ok(Played {
            failed: Some(why), ..
        }) => {
            complain(format_args!("error: the stream is cut here: {why}"));
            FAILED
        }
        Ok(Played { status, .. }) if status < 400 => 0,
        Ok(Played { status, .. }) => {
            complain(format_args!("the answer has status {status}"));
            FAILED
        }
        // Whoever reads may stop early (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => usage(error),
    }
}
