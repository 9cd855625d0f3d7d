//! What an event costs before it reaches a socket: encoding it, and planning it.
//!
//! `cargo bench --bench event`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mock_sse::board::Board;
use mock_sse::clock::Clock;
use mock_sse::event::Event;
use mock_sse::expr::{NoState, RequestScope};
use mock_sse::plan::{Chance, Cue, Plan};
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::request::Request;
use mock_sse::scenario::load::{Origin, load};
use mock_sse::scenario::model::{Body, Choice};
use mock_sse::topic::Topics;
use mock_sse::wire::{Frame, Style, encode};

fn encoding(c: &mut Criterion) {
    let letter = Event {
        event: Some("message".into()),
        data: Some(r#"{"msg":"a"}"#.into()),
        id: Some("e84c8c34-e48f-4412-a556-383e956b2a60".into()),
        retry: Some(6000),
        ..Event::default()
    };
    let long = Event {
        data: Some("a line of text\n".repeat(1000).into()),
        ..Event::default()
    };
    c.bench_function("encode/letter", |b| {
        b.iter(|| Frame::new(&encode(black_box(&letter), &Style::STANDARD)))
    });
    c.bench_function("encode/1000 lines", |b| {
        b.iter(|| Frame::new(&encode(black_box(&long), &Style::STANDARD)))
    });
}

/// A plan that repeats one event for ever.
fn endless(event: &str) -> Plan {
    let yaml = format!("endpoints:\n  - path: /\n    stream:\n      - {{ every: 1ms, {event} }}\n");
    let (scenario, _) = load(&Origin::Text(yaml)).expect("a valid scenario");
    let scenario = Arc::new(scenario);
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
    let request = Arc::new(Request::example("GET", "/"));
    let clock = Clock::manual();
    let board = Arc::new(Board::new(clock.clone()));
    let topics = Arc::new(Topics::new(clock, board));
    let scope = RequestScope::new(
        request,
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

fn planning(c: &mut Criterion) {
    for (name, event) in [
        ("plan/fixed text", "data: hello"),
        ("plan/uuid", "data: hello, id: uuid"),
        ("plan/template in JSON", r#"data: { msg: "{{ letter() }}" }"#),
        (
            "plan/letter of the alphabet",
            r#"data: { msg: "{{ letter() }}" }, id: uuid, event: message, retry: 6s"#,
        ),
    ] {
        let mut plan = endless(event);
        c.bench_function(name, |b| {
            b.iter(|| {
                loop {
                    // Far in the future everything is due at once.
                    if let Cue::Send(frame) = plan.next(Duration::from_secs(u64::from(u32::MAX))) {
                        return frame;
                    }
                }
            })
        });
    }
}

criterion_group!(benches, encoding, planning);
criterion_main!(benches);
