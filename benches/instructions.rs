//! What an event costs, counted in instructions: does one kind of work so many times, for `scripts/instructions`,
//! which runs it twice under callgrind and takes the difference.
//!
//!     instructions KIND TIMES
//!     instructions --kinds

mod many;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use mock_sse::board::Board;
use mock_sse::clock::{Clock, Mode};
use mock_sse::engine::sink::{Gone, Sink};
use mock_sse::engine::{Engine, ReplyBody, Seed};
use mock_sse::event::Event;
use mock_sse::expr::{NoState, RequestScope};
use mock_sse::matching::{self, Match};
use mock_sse::plan::{Chance, Cue, Plan};
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::request::Request;
use mock_sse::scenario::Scenario;
use mock_sse::scenario::load::{Origin, load};
use mock_sse::scenario::model::{Body, Choice};
use mock_sse::session::Session;
use mock_sse::topic::Topics;
use mock_sse::wire::{Frame, Style, encode};

/// Followers of a topic.
const FOLLOWERS: u64 = 100;
/// Messages that come at once in a burst.
const BURST: u64 = 10;

/// A kind of work.
struct Kind {
    name: &'static str,
    /// What is counted of it.
    what: &'static str,
    /// How often it is done.
    times: u64,
    /// How often what is counted happens each time.
    each: u64,
    work: fn(u64),
}

const fn kind(name: &'static str, what: &'static str, times: u64, each: u64, work: fn(u64)) -> Kind {
    Kind {
        name,
        what,
        times,
        each,
        work,
    }
}

const LETTER: &str = r#"data: { msg: "{{ letter() }}" }, id: uuid, event: message, retry: 6s"#;

const KINDS: [Kind; 9] = [
    kind("encode", "event", 2000, 1, encoding),
    kind("plan fixed text", "event", 2000, 1, |n| {
        planning("data: hello", n)
    }),
    kind("plan template", "event", 500, 1, |n| planning(LETTER, n)),
    kind("match 10 endpoints", "request", 500, 1, |n| matching_among(10, n)),
    kind("match 1000 endpoints", "request", 500, 1, |n| {
        matching_among(1000, n)
    }),
    kind("load", "endpoint", 1, 200, loading),
    kind("publish", "message", 200, 1, |n| fanning_out(0, 1, n)),
    kind("fan out", "delivery", 20, FOLLOWERS, |n| {
        fanning_out(FOLLOWERS, 1, n)
    }),
    kind("fan out a burst", "delivery", 4, FOLLOWERS * BURST, |n| {
        fanning_out(FOLLOWERS, BURST, n)
    }),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--kinds"] => {
            for Kind {
                name,
                what,
                times,
                each,
                ..
            } in KINDS
            {
                println!("{name}\t{what}\t{times}\t{each}");
            }
            ExitCode::SUCCESS
        }
        // What `cargo bench` says to each.
        [] | ["--bench"] => {
            println!("run scripts/instructions, which counts");
            ExitCode::SUCCESS
        }
        [name, times] => {
            let found = KINDS.iter().find(|kind| kind.name == name);
            let (Some(kind), Ok(times)) = (found, times.parse()) else {
                eprintln!("there is no kind `{name}`, or `{times}` is no number: see --kinds");
                return ExitCode::from(2);
            };
            (kind.work)(times);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: instructions KIND TIMES | instructions --kinds");
            ExitCode::from(2)
        }
    }
}

fn encoding(times: u64) {
    let event = Event {
        event: Some("message".into()),
        data: Some(r#"{"msg":"a"}"#.into()),
        id: Some("e84c8c34-e48f-4412-a556-383e956b2a60".into()),
        retry: Some(6000),
        ..Event::default()
    };
    for _ in 0..times {
        black_box(Frame::new(&encode(black_box(&event), &Style::STANDARD)));
    }
}

fn loaded(yaml: String) -> Scenario {
    match load(&Origin::Text(yaml)) {
        Ok((scenario, _)) => scenario,
        Err(errors) => panic!("{errors:#?}"),
    }
}

fn loading(times: u64) {
    let yaml = many::scenario(200);
    for _ in 0..times {
        black_box(loaded(yaml.clone()));
    }
}

fn matching_among(count: usize, times: u64) {
    let scenario = loaded(many::scenario(count));
    // The last one of a kind that captures.
    let last = (0..count).rev().find(|n| n % 8 == 1).unwrap_or(0);
    let request = Request::example(many::method(last), &many::path(last));
    for _ in 0..times {
        let found = matching::find(&scenario, &request.method, black_box(&request), |_, _| {
            Ok::<_, ()>(Some(()))
        });
        assert!(matches!(found, Ok(Match::Found(..))), "nobody takes it");
    }
}

fn planning(event: &str, times: u64) {
    let mut plan = endless(event);
    for _ in 0..times {
        // Far in the future everything is due at once.
        while !matches!(plan.next(Duration::from_secs(u64::from(u32::MAX))), Cue::Send(_)) {}
    }
}

/// A plan that repeats one event for ever.
fn endless(event: &str) -> Plan {
    let yaml = format!("endpoints:\n  - path: /\n    stream:\n      - {{ every: 1ms, {event} }}\n");
    let scenario = Arc::new(loaded(yaml));
    let Choice::Answer(answer) = &scenario.endpoints[0].choice else {
        unreachable!("there is one answer")
    };
    let Body::Stream(script) = answer.body.clone() else {
        unreachable!("it is a stream")
    };
    let key = DrawKey {
        endpoint: "GET /#0".into(),
        client: String::new(),
        attempt: 1,
    };
    let draw = |purpose| Draw::new(1, &key, purpose);
    let clock = Clock::manual();
    let topics = Arc::new(Topics::new(clock.clone(), Arc::new(Board::new(clock))));
    let scope = RequestScope::new(
        Arc::new(Request::example("GET", "/")),
        scenario.vars.clone(),
        1,
        Vec::new(),
        draw(Purpose::Data),
        topics,
        Arc::new(NoState),
    );
    let chance = Chance {
        timing: draw(Purpose::Timing),
        wire: draw(Purpose::Wire),
    };
    Plan::new(scenario.clone(), script, scope, chance, 0)
}

/// Takes everything at once, and counts it.
struct Null(Arc<AtomicU64>);

impl Sink for Null {
    fn poll_write(&mut self, _: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        self.0.fetch_add(frames.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    async fn write_part(&mut self, _: &Frame, _: usize) -> Result<(), Gone> {
        Ok(())
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// Messages from a request that publishes them through players to sinks.
fn fanning_out(followers: u64, at_once: u64, times: u64) {
    let yaml = "topics: { news: { history: 10 } }\n\
                endpoints:\n\
                \x20 - { path: /, stream: [ { follow: news } ] }\n\
                \x20 - { path: /, method: POST, publish: news, status: 202 }\n";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime of one thread needs nothing");
    runtime.block_on(async {
        let engine = Engine::new(
            loaded(yaml.into()),
            Session::new(Clock::new(Mode::REAL)),
            Seed::Fixed(1),
        );
        let (begun, delivered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        for _ in 0..followers {
            let ReplyBody::Stream(mut performance) = engine.answer(Request::example("GET", "/")).body else {
                unreachable!("it is a stream")
            };
            let (begun, mut sink) = (begun.clone(), Null(delivered.clone()));
            tokio::spawn(async move {
                performance
                    .begin()
                    .await
                    .unwrap_or_else(|_| unreachable!("nothing keeps it"));
                begun.fetch_add(1, Ordering::Relaxed);
                performance.play(&mut sink).await;
            });
        }
        // From its beginning on a stream follows.
        while begun.load(Ordering::Relaxed) < followers {
            tokio::task::yield_now().await;
        }
        let mut message = Request::example("POST", "/");
        message.body = "a message of some length, as they are".into();
        for round in 1..=times {
            for _ in 0..at_once {
                black_box(engine.answer(message.clone()));
            }
            while delivered.load(Ordering::Relaxed) < followers * at_once * round {
                tokio::task::yield_now().await;
            }
        }
    });
}
