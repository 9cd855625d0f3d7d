//! Time is moved by commands, and what falls due has been written when they answer.

mod commands;
mod support;

use std::time::{Duration, Instant};

use commands::{ask, done, refused, tell};
use serde_json::json;
use support::{Server, serve};

const TICKER: &str = "
now: 2026-01-01T00:00:00Z
endpoints:
  - path: /tick
    stream: [{ data: '{{ seq }}' }, { data: '{{ seq }}', every: 5s }]
  - path: /plain
    body: '{{ now }}'
";

fn by_hand(yaml: &str) -> Server {
    serve(yaml, &["--clock", "manual", "--no-tls"])
}

#[test]
fn time_stands_until_it_is_advanced() {
    let server = by_hand(TICKER);
    let clock = done(ask(&server, "GET", "/__mock/clock"));
    assert_eq!(
        clock,
        json!({ "mode": "manual", "now_ms": 0.0, "wall": "2026-01-01T00:00:00.000Z" })
    );
    let mut stream = server.open("/tick", &[]);
    assert_eq!(stream.field("data"), "1");
    let moved = done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "11s" }),
    ));
    assert_eq!(
        moved,
        json!({
            "advanced_ms": 11000.0, "now_ms": 11000.0, "wall": "2026-01-01T00:00:11.000Z", "next_due_ms": 15000.0
        })
    );
    assert_eq!(
        (stream.field("data"), stream.field("data")),
        ("2".into(), "3".into())
    );
    let moved = done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "to": "next" }),
    ));
    assert_eq!(
        (&moved["advanced_ms"], &moved["now_ms"]),
        (&json!(4000.0), &json!(15000.0))
    );
    assert_eq!(stream.field("data"), "4");
    let moved = done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": 250 }),
    ));
    assert_eq!(moved["now_ms"], 15250.0);
}

#[test]
fn nothing_due_is_nowhere_to_go() {
    let server = by_hand(TICKER);
    let moved = done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "to": "next" }),
    ));
    assert_eq!(
        (&moved["advanced_ms"], moved.get("next_due_ms")),
        (&json!(0.0), None)
    );
}

#[test]
fn a_day_of_a_ticker_passes_while_its_client_reads() {
    let server = by_hand(TICKER);
    let mut stream = server.open("/tick", &[]);
    assert_eq!(stream.field("data"), "1");
    let reader = std::thread::spawn(move || {
        for n in 2..=17_281 {
            assert_eq!(stream.field("data"), n.to_string());
        }
    });
    let began = Instant::now();
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance?timeout=60s",
        json!({ "by": "1d" }),
    ));
    eprintln!("a day passed in {:?}", began.elapsed());
    reader.join().unwrap();
}

#[test]
fn advances_at_the_same_time_add_up() {
    let server = by_hand(TICKER);
    let mut stream = server.open("/tick", &[]);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                done(tell(
                    &server,
                    "POST",
                    "/__mock/clock/advance",
                    json!({ "by": "5s" }),
                ))
            });
        }
    });
    assert_eq!(done(ask(&server, "GET", "/__mock/clock"))["now_ms"], 50_000.0);
    for n in 1..=11 {
        assert_eq!(stream.field("data"), n.to_string());
    }
}

#[test]
fn a_client_that_does_not_read_is_named() {
    let yaml = "
endpoints:
  - path: /flood
    stream: [{ data: '{{ \"x\" * 1000000 }}', every: 1s }]
";
    let server = by_hand(yaml);
    let mut stream = server.open("/flood", &[]);
    let answer = tell(
        &server,
        "POST",
        "/__mock/clock/advance?timeout=3s",
        json!({ "by": "1h" }),
    );
    let (status, detail) = refused(answer);
    assert_eq!(status, 504);
    let peer = stream.socket().local_addr().unwrap();
    assert!(
        detail.contains(&format!(
            "connection 1 (GET /flood#0, from {peer}) has not read for "
        )),
        "{detail}"
    );
    assert!(detail.contains("the time stands at "), "{detail}");
    let stood = done(ask(&server, "GET", "/__mock/clock"))["now_ms"]
        .as_f64()
        .unwrap();
    assert!(stood < 3_600_000.0, "{stood}");
    let listed = done(ask(&server, "GET", "/__mock/connections"));
    assert_eq!(listed["connections"][0]["writing"], true);
    // As soon as it reads, time goes on from there.
    let reader = std::thread::spawn(move || while stream.event().is_some() {});
    done(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "20s" }),
    ));
    let now = done(ask(&server, "GET", "/__mock/clock"))["now_ms"]
        .as_f64()
        .unwrap();
    assert!(now >= stood + 20_000.0, "{now}");
    done(ask(&server, "POST", "/__mock/connections/close"));
    reader.join().unwrap();
}

#[test]
fn how_time_passes_changes_only_while_no_script_goes_by_it() {
    let server = serve(TICKER, &["--no-tls"]);
    assert_eq!(done(ask(&server, "GET", "/__mock/clock"))["mode"], "real");
    let (status, detail) = refused(tell(
        &server,
        "POST",
        "/__mock/clock/advance",
        json!({ "by": "1s" }),
    ));
    assert_eq!(status, 409);
    assert!(detail.contains("PUT /__mock/clock"), "{detail}");
    let set = |body| tell(&server, "PUT", "/__mock/clock", body);
    let clock = done(set(json!({ "mode": "manual", "now": "2030-05-06T07:08:09Z" })));
    assert_eq!(
        (&clock["mode"], &clock["wall"]),
        (&json!("manual"), &json!("2030-05-06T07:08:09.000Z"))
    );
    assert_eq!(server.get("/plain").body, "1904281689000");
    let mut stream = server.open("/tick", &[]);
    assert_eq!(stream.field("data"), "1");
    let (status, detail) = refused(set(json!({ "mode": "real" })));
    assert_eq!(status, 409);
    assert!(
        detail.contains("1 script goes by this clock") && detail.contains("POST /__mock/reset"),
        "{detail}"
    );
    done(ask(&server, "POST", "/__mock/reset"));
    let clock = done(set(json!({ "scale": 100 })));
    assert_eq!(
        (&clock["mode"], &clock["scale"]),
        (&json!("scaled"), &json!(100.0))
    );
    let mut fast = server.open("/tick", &[]);
    let began = Instant::now();
    (0..3).for_each(|_| drop(fast.field("data")));
    assert!(began.elapsed() >= Duration::from_millis(95));
}

#[test]
fn what_is_no_time_is_refused_and_said() {
    let server = by_hand(TICKER);
    for (method, path, body, said) in [
        ("POST", "advance", json!({}), "\"to\": \"next\""),
        (
            "POST",
            "advance",
            json!({ "by": "1s", "to": "next" }),
            "\"to\": \"next\"",
        ),
        ("POST", "advance", json!({ "by": "1 fortnight" }), "fortnight"),
        ("POST", "advance", json!({ "by": "7" }), "7s"),
        ("POST", "advance", json!({ "by": -7 }), "no duration"),
        ("POST", "advance", json!({ "by": 1e300 }), "duration"),
        (
            "POST",
            "advance",
            json!({ "by": null, "x": 1 }),
            "unknown field `x`",
        ),
        ("POST", "advance", json!({ "to": "tomorrow" }), "next"),
        (
            "POST",
            "advance?patience=1s",
            json!({ "by": "1s" }),
            "unknown field `patience`",
        ),
        ("POST", "advance?timeout=soon", json!({ "by": "1s" }), "soon"),
        ("PUT", "", json!({}), "`mode`"),
        ("PUT", "", json!({ "mode": "fast" }), "unknown variant `fast`"),
        ("PUT", "", json!({ "mode": "manual", "scale": 2 }), "no `scale`"),
        ("PUT", "", json!({ "mode": "real", "scale": 2 }), "scaled"),
        ("PUT", "", json!({ "mode": "scaled" }), "needs a `scale`"),
        ("PUT", "", json!({ "scale": 0 }), "0.001"),
        ("PUT", "", json!({ "now": "noon" }), "RFC 3339"),
    ] {
        let path = format!("/__mock/clock/{path}");
        let path = path.trim_end_matches('/');
        let (status, detail) = refused(tell(&server, method, path, body.clone()));
        assert_eq!(status, 400, "{path} {body}");
        assert!(detail.contains(said), "{path} {body}: {detail}");
    }
    let (status, detail) = refused(commands::read(server.send("PUT", "/__mock/clock", &[], b"{")));
    assert_eq!(status, 400);
    assert!(detail.contains("not JSON"), "{detail}");
    let (status, detail) = refused(ask(&server, "PUT", "/__mock/clock"));
    assert_eq!((status, detail.contains("no body")), (400, true), "{detail}");
}
