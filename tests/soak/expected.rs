//! What `play` prints for a request.

use std::sync::Arc;
use std::time::Duration;

use mock_sse::engine::Seed;
use mock_sse::play::raw::Raw;
use mock_sse::play::{How, Settings, play};
use mock_sse::request::Request;
use mock_sse::scenario::compile;
use mock_sse::scenario::diagnostic::Source;

pub struct Expected {
    pub status: u16,
    pub body: Vec<u8>,
    pub how: How,
}

/// The same request, as `mock-sse play` has it.
pub fn expected(yaml: &str, seed: u64, attempt: u64, request: Request) -> Expected {
    let source = Arc::new(Source::new("scenario.yaml", yaml.to_owned()));
    let (scenario, _) = compile(&[source]).unwrap_or_else(|errors| panic!("{}", errors[0].render(false)));
    let settings = Settings {
        seed: Seed::Fixed(seed),
        request,
        attempt,
        time: Duration::from_secs(3600),
        events: None,
    };
    let mut body = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let played = runtime.unwrap().block_on(play(
        scenario,
        settings,
        &mut [Box::new(Raw::new(&mut body, false))],
    ));
    let played = played.unwrap();
    Expected {
        status: played.status.expect("an answer"),
        body,
        how: played.ending.how,
    }
}
