//! `expect`: what clients do, held against what they should do, and what is said of it, word for word.
//!
//! The judge is told what happens as the server would tell it; times are written, nothing waits.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

mod support;

use mock_sse::expect::{Answered, Arrival, By, Ended, Judge, State, report};
use mock_sse::expr::{Moment, NoState, RequestScope, TopicView};
use mock_sse::matching::{self, Match};
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::request::Request;
use mock_sse::scenario::Scenario;
use mock_sse::scenario::diagnostic::{Source, render_all};
use support::repo;

const ENDPOINTS: &str = "
endpoints:
  - { name: orders, path: /orders, client: request.query.c, stream: [{ data: x }] }
  - { path: /orders, method: POST, client: request.query.c, status: 202 }
  - { path: /login, method: POST, status: 204 }
expect:
  - ";

struct NoTopics;

impl TopicView for NoTopics {
    fn clients(&self, _: &str) -> u64 {
        0
    }
    fn count(&self, _: &str) -> u64 {
        0
    }
    fn last(&self, _: &str) -> Option<String> {
        None
    }
}

/// What happens, and who judges it.
struct Play {
    scenario: Arc<Scenario>,
    judge: Judge,
    number: u64,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn scenario(expect: &str) -> Arc<Scenario> {
    let yaml = format!("{ENDPOINTS}{expect}\n");
    let sources = [Arc::new(Source::new("test.yaml", yaml))];
    match mock_sse::scenario::compile(&sources) {
        Ok((scenario, warnings)) => {
            assert!(warnings.is_empty(), "{}", render_all(&warnings, false));
            Arc::new(scenario)
        }
        Err(errors) => panic!("{expect}\n{}", render_all(&errors, false)),
    }
}

/// A scenario with these expectations, in which nothing has happened.
fn play_of(expect: &str) -> Play {
    let scenario = scenario(expect);
    Play {
        judge: Judge::new(scenario.clone()),
        scenario,
        number: 0,
    }
}

impl Play {
    /// A request: `GET /orders?c=a`, then `name: value` of headers, then an empty line and a body.
    fn request(&mut self, at: u64, text: &str) -> u64 {
        self.number += 1;
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        let mut request = Request::example(method, path);
        request.query = query.map(str::to_owned);
        request.body = body.to_owned().into();
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            request.headers.push((name.to_owned(), value.to_owned().into()));
        }
        let found = matching::find(&self.scenario, method, &request, |_, _| Ok::<_, ()>(Some(())));
        let endpoint = match &found {
            Ok(Match::Found(endpoint, ..)) => Some(endpoint.named.key.as_str()),
            _ => None,
        };
        let client = query.and_then(|q| q.strip_prefix("c=")).unwrap_or("");
        let key = DrawKey {
            endpoint: String::new(),
            client: String::new(),
            attempt: 1,
        };
        let scope = RequestScope::new(
            Arc::new(request.clone()),
            self.scenario.vars.clone(),
            1,
            Vec::new(),
            Draw::new(1, &key, Purpose::Data),
            Arc::new(NoTopics),
            Arc::new(NoState),
        );
        self.judge.arrived(&Arrival {
            number: self.number,
            at: ms(at),
            request: &request,
            endpoint,
            client,
            scope: &scope,
            moment: Moment::default(),
        });
        self.number
    }

    fn answer(&mut self, number: u64, at: u64, status: u16, retry_after: Option<u64>) {
        let retry_after = retry_after.map(Duration::from_secs);
        let (at, status) = (ms(at), Some(status));
        let stream = false;
        self.judge.answered(
            number,
            &Answered {
                at,
                status,
                retry_after,
                stream,
            },
        );
    }

    /// A stream that begins and ends; `last`: its last event, `retry`: what it sent.
    fn begin(&mut self, number: u64, at: u64) {
        let (at, status, retry_after) = (ms(at), Some(200), None);
        let stream = true;
        self.judge.answered(
            number,
            &Answered {
                at,
                status,
                retry_after,
                stream,
            },
        );
    }

    fn end(&mut self, number: u64, at: u64, by: By, last: Option<u64>, retry: Option<u64>) {
        let (last_write, retry) = (last.map(ms), retry.map(ms));
        let at = ms(at);
        self.judge.ended(
            number,
            &Ended {
                at,
                by,
                last_write,
                retry,
            },
        );
    }

    /// A whole stream of a client: from, to, and the reconnection time it sends.
    fn stream(&mut self, from: u64, to: u64, text: &str, retry: Option<u64>) -> u64 {
        let number = self.request(from, text);
        self.begin(number, from);
        self.end(number, to, By::Script, None, retry);
        number
    }

    fn state(&self, at: u64) -> State {
        self.judge.verdict(ms(at), false).state()
    }

    fn change(&self, at: u64) -> Option<u64> {
        let next = self.judge.next_change(ms(at));
        next.map(|next| u64::try_from(next.as_millis()).unwrap())
    }

    /// It has failed, and this is said of it; `UPDATE_GOLDEN=1` writes the texts anew.
    fn fails(&self, at: u64, name: &str) {
        let text = report::text(&self.judge.verdict(ms(at), false));
        self.said(name, &text);
        assert_eq!(self.state(at), State::Failed, "{text}");
    }

    /// It is open, and has failed once nothing more comes.
    fn lacks(&self, at: u64, name: &str) {
        assert_eq!(self.state(at), State::Open);
        let verdict = self.judge.verdict(ms(at), true);
        self.said(name, &report::text(&verdict));
        assert_eq!(verdict.state(), State::Failed);
    }

    fn said(&self, name: &str, text: &str) {
        let golden = repo("tests/fixtures/verdicts").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, text).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(expected, text, "{name}: UPDATE_GOLDEN=1 accepts this");
    }
}

#[test]
fn requests_are_counted() {
    let mut play = play_of("{ request: GET /orders, count: 2 }");
    assert_eq!((play.state(0), play.change(0)), (State::Open, None));
    play.stream(0, 10, "GET /orders", None);
    play.request(20, "POST /orders");
    play.lacks(30, "count-too-few");
    play.stream(40, 50, "GET /orders", None);
    assert_eq!(play.state(60), State::Met);
    play.request(70, "GET /orders");
    play.fails(80, "count-too-many");

    let mut play = play_of("{ request: GET /orders, count: { min: 1, max: 2 } }");
    assert_eq!(play.state(0), State::Open);
    play.request(0, "GET /orders");
    assert_eq!(play.state(0), State::Met);
    play.request(0, "GET /orders");
    play.request(0, "GET /orders");
    assert_eq!(play.state(0), State::Failed);
}

#[test]
fn what_is_never_to_come_is_watched_for_a_while() {
    let mut play = play_of("{ name: no admin, request: \"ANY /admin/{rest...}\", count: 0, for: 1s }");
    assert_eq!((play.state(5000), play.change(5000)), (State::Open, None));
    play.request(6000, "GET /orders");
    assert_eq!((play.state(6000), play.change(6000)), (State::Open, Some(7000)));
    assert_eq!((play.state(7000), play.change(7000)), (State::Met, None));
    play.request(8000, "DELETE /admin/a%2Fb/c?x=<1>");
    play.fails(8000, "count-none");
}

#[test]
fn endpoints_are_meant_by_their_names() {
    let mut play = play_of("{ request: orders }");
    play.request(0, "POST /orders");
    play.lacks(0, "name-never-asked");
    play.request(0, "GET /orders");
    assert_eq!(play.state(0), State::Met);
}

#[test]
fn an_order_is_kept() {
    let order = "{ order: [POST /login, GET /orders, POST /orders], per: client }";
    let mut play = play_of(order);
    for (at, request) in [(0, "POST /login"), (1, "GET /orders"), (2, "GET /other")] {
        play.request(at, request);
    }
    play.lacks(3, "order-incomplete");
    play.request(4, "POST /orders");
    play.request(5, "POST /login");
    assert_eq!(play.state(6), State::Met);
    play.request(7, "POST /orders?c=b");
    play.fails(8, "order-wrong");
}

#[test]
fn a_storm_is_noticed() {
    let expect = "{ request: GET /orders, rate: { at_most: 2, per: 1s } }";
    let mut play = play_of(expect);
    for at in [0, 500, 1000, 1500] {
        play.request(at, "GET /orders");
    }
    assert_eq!(play.state(1500), State::Met);
    play.request(1999, "GET /orders");
    play.fails(2000, "rate");
}

#[test]
fn the_nth_request_resumes() {
    let expect = "{ request: GET /orders, nth: [2, 3], last_event_id: \"2\" }";
    let mut play = play_of(expect);
    play.stream(0, 1, "GET /orders", None);
    play.stream(2, 3, "GET /orders\nlast-event-id: 2", None);
    play.lacks(3, "nth-missing");
    let number = play.request(4, "GET /orders\nlast-event-id: 1");
    play.begin(number, 4);
    play.fails(5, "last-event-id");

    let mut play = play_of("{ request: GET /orders, nth: 1, last_event_id: \"\" }");
    play.request(0, "GET /orders\nlast-event-id: 7");
    play.fails(5, "last-event-id-unwanted");
}

#[test]
fn headers_and_bodies_are_compared() {
    let expect = "{ request: POST /orders, headers: { X-User: ann, cookie: ~ }, body: { a: [1, x] } }";
    let mut play = play_of(expect);
    let good = "POST /orders\nx-user: ann\n\n{ \"a\" : [1, \"x\"] }";
    play.request(0, good);
    assert_eq!(play.state(0), State::Met);
    play.request(0, "POST /orders\nx-user: bob");
    play.fails(0, "header");
    for (request, name) in [
        ("POST /orders\n\n{}", "header-absent"),
        ("POST /orders\nx-user: ann\ncookie: a=b", "header-unwanted"),
        ("POST /orders\nx-user: ann\n\n{\"a\":[1]}", "body-json"),
    ] {
        let mut play = play_of(expect);
        play.request(0, request);
        play.fails(0, name);
    }
    let mut play = play_of("{ request: POST /orders, body: 012 }");
    play.request(0, "POST /orders\n\n012");
    assert_eq!(play.state(0), State::Met);
    play.request(0, "POST /orders\n\na\n\u{1}b");
    play.fails(0, "body-text");
}

#[test]
fn a_body_is_sent_again() {
    let mut play = play_of("{ request: POST /orders, same_body: true, per: client }");
    play.request(0, "POST /orders?c=a\n\none");
    assert_eq!(play.state(0), State::Open);
    play.request(1, "POST /orders?c=a\n\none");
    assert_eq!(play.state(1), State::Met);
    play.request(2, "POST /orders?c=b\n\ntwo");
    play.lacks(3, "same-body-missing");
    play.request(4, "POST /orders?c=b\n\none");
    play.fails(5, "same-body");
}

#[test]
fn an_expression_looks_at_requests_and_gaps() {
    let mut play = play_of("{ request: GET /orders, where: request.query.c == 'a' and nth < 3 }");
    play.request(0, "GET /orders?c=a");
    play.request(1, "GET /orders?c=a");
    assert_eq!(play.state(1), State::Met);
    play.request(2, "GET /orders?c=a");
    play.fails(3, "where");

    // The gap is known only when the connection before has ended, even if that is noticed late.
    let mut play = play_of("{ request: GET /orders, nth: 2, where: gap >= 1000 and gap < 2000 }");
    let first = play.request(0, "GET /orders");
    play.begin(first, 0);
    play.request(2500, "GET /orders");
    assert_eq!(play.state(2500), State::Open);
    play.end(first, 1000, By::Client, None, None);
    assert_eq!(play.state(2500), State::Met);
}

#[test]
fn a_client_comes_back_when_it_was_told_to() {
    let expect = "{ request: GET /orders, gap: { about: retry, within: 100ms } }";
    let mut play = play_of(expect);
    play.stream(0, 1000, "GET /orders", Some(2000));
    play.lacks(1500, "gap-never");
    play.stream(2950, 3000, "GET /orders", None);
    assert_eq!(play.state(3000), State::Met);
    // What was sent last counts: now it is the header of an answer.
    let refused = play.request(5000, "GET /orders");
    play.answer(refused, 5000, 503, Some(7));
    play.stream(12_050, 12_060, "GET /orders", None);
    assert_eq!(play.state(13_000), State::Met);
    play.request(13_060, "GET /orders");
    play.fails(13_060, "gap-about-retry");

    let mut play = play_of(expect);
    play.stream(0, 1000, "GET /orders", None);
    play.request(3000, "GET /orders");
    play.fails(3000, "gap-retry-unknown");
}

#[test]
fn gaps_have_bounds() {
    for (gap, wrong) in [
        ("{ about: 2s, within: 500ms }", 1400),
        ("{ about: 2s }", 2501),
        ("{ at_least: 2s }", 1999),
        ("{ at_most: 2s }", 2001),
    ] {
        let expect = format!("{{ request: GET /orders, nth: 2, gap: {gap} }}");
        for (came, expected) in [(wrong, State::Failed), (2000, State::Met)] {
            let mut play = play_of(&expect);
            play.stream(0, 1000, "GET /orders", None);
            play.request(1000 + came, "GET /orders");
            assert_eq!(play.state(5000), expected, "{gap} {came}");
        }
    }
    let mut play = play_of("{ request: GET /orders, gap: { about: 2s, at_least: 1900ms } }");
    play.stream(0, 1000, "GET /orders", None);
    play.request(2500, "GET /orders");
    play.fails(5000, "gap");
    // A client of its own has had no connection.
    let mut play = play_of("{ request: GET /orders, nth: 2, gap: { at_least: 1s } }");
    play.stream(0, 1000, "GET /orders?c=a", None);
    play.request(2500, "GET /orders?c=b");
    play.fails(5000, "gap-of-a-new-client");
}

#[test]
fn a_client_backs_off() {
    let mut play = play_of("{ request: GET /orders, gap: { growing: true } }");
    for at in [0, 1000, 3000] {
        let state = if at == 3000 { State::Open } else { play.state(at) };
        assert_eq!((play.state(at), state), (State::Open, State::Open));
        let number = play.request(at, "GET /orders");
        play.answer(number, at, 503, None);
    }
    assert_eq!(play.state(3000), State::Met);
    play.request(5000, "GET /orders");
    play.fails(5000, "gap-not-growing");
}

#[test]
fn a_client_stays_away_when_it_is_told_to() {
    let expect = "{ request: GET /orders, per: client, nothing_after: 204, for: 1s }";
    let mut play = play_of(expect);
    play.stream(0, 100, "GET /orders?c=a", None);
    play.lacks(200, "nothing-after-missing");
    let number = play.request(300, "GET /orders?c=a");
    play.answer(number, 300, 204, None);
    assert_eq!((play.state(300), play.change(300)), (State::Open, Some(1300)));
    assert_eq!(play.state(1300), State::Met);
    let other = play.request(1400, "GET /orders?c=b");
    assert_eq!(play.state(5000), State::Open);
    play.answer(other, 1500, 204, None);
    play.request(2000, "GET /orders?c=a");
    play.fails(2000, "nothing-after");
}

#[test]
fn a_client_hangs_up() {
    let expect = "{ request: GET /orders, hangs_up: 2s }";
    let mut play = play_of(expect);
    let number = play.request(0, "GET /orders");
    play.begin(number, 0);
    assert_eq!((play.state(9000), play.change(9000)), (State::Open, None));
    play.end(number, 9000, By::Client, Some(7500), None);
    assert_eq!(play.state(9000), State::Met);
    // The script's own end says nothing of the client, if it comes in time.
    play.stream(10_000, 11_000, "GET /orders", None);
    assert_eq!(play.state(11_000), State::Met);
    let number = play.request(12_000, "GET /orders");
    play.begin(number, 12_000);
    play.end(number, 20_000, By::Client, Some(17_000), None);
    play.fails(20_000, "hangs-up-late");

    // A stream that is held open has had its last event: the time runs.
    let mut play = play_of(expect);
    let number = play.request(0, "GET /orders");
    play.begin(number, 0);
    assert!(play.judge.waits_for_silence());
    play.judge.silent(number, ms(500), Some(ms(400)));
    assert_eq!((play.state(2400), play.change(2400)), (State::Open, Some(2400)));
    play.fails(2401, "hangs-up-never");
    // What time has decided stays so.
    play.end(number, 3000, By::Client, Some(400), None);
    assert_eq!(play.state(3000), State::Failed);
}

#[test]
fn time_is_up() {
    let mut play = play_of("{ request: orders, count: { min: 2 }, within: 10s }");
    assert_eq!((play.state(60_000), play.change(60_000)), (State::Open, None));
    play.request(60_000, "POST /login");
    play.request(61_000, "GET /orders");
    assert_eq!(
        (play.state(70_000), play.change(61_000)),
        (State::Open, Some(70_000))
    );
    play.fails(70_001, "within");
    // Too late; and in time, which stays so.
    play.request(70_500, "GET /orders");
    assert_eq!(play.state(70_500), State::Failed);
    let mut play = play_of("{ request: orders, count: { min: 2 }, within: 10s }");
    play.request(0, "GET /orders");
    play.request(10_000, "GET /orders");
    assert_eq!((play.state(20_000), play.change(20_000)), (State::Met, None));
}

#[test]
fn each_client_is_held_to_it() {
    let mut play = play_of("{ request: GET /orders, per: client, nth: 2, last_event_id: \"1\" }");
    play.lacks(0, "no-client");
    for client in ["a", "b"] {
        play.stream(0, 1, &format!("GET /orders?c={client}"), None);
    }
    play.request(2, "GET /orders?c=a\nlast-event-id: 1");
    play.lacks(3, "one-client-missing");
    play.request(4, "GET /orders?c=b\nlast-event-id: 0");
    play.fails(4, "one-client-wrong");

    let mut play = play_of("{ request: GET /orders, per: client, count: { max: 2 } }");
    assert_eq!(play.state(0), State::Open);
    for client in ["a", "b", "b", "a"] {
        play.request(0, &format!("GET /orders?c={client}"));
        assert_eq!(play.state(0), State::Met);
    }
    play.request(0, "GET /orders?c=b");
    assert_eq!(play.state(0), State::Failed);
}

#[test]
fn clients_and_evidence_are_bounded() {
    let mut play = play_of("{ request: GET /orders, same_body: true }");
    for n in 0..10_000 {
        play.stream(n, n + 1, &format!("GET /orders?c={n}"), None);
    }
    assert_eq!(play.state(20_000), State::Open);
    play.request(20_000, "GET /orders?c=one-more");
    let verdict = play.judge.verdict(ms(20_000), false);
    let judged = &verdict.expectations[0];
    let came = judged.came.as_deref().unwrap();
    assert!(came.contains("more than 10000 cannot be told apart"), "{came}");
    assert_eq!((judged.state, judged.lines.len()), (State::Failed, 20));
}

#[test]
fn a_judge_goes_on_if_the_same_is_expected() {
    let play = play_of("{ request: GET /orders, where: nth > 0, count: 2 }");
    let same = |expect| play.judge.same(&scenario(expect));
    assert!(same("{ count: 2, request: GET /orders, where: nth > 0 }"));
    assert!(!same("{ request: GET /orders, where: nth > 1, count: 2 }"));
    assert!(!same("{ request: GET /orders, where: nth > 0, count: 3 }"));
}

#[test]
fn the_verdict_comes_as_json_and_as_junit_too() {
    let all = "{ name: \"<a> & \\\"b\\\"\", request: GET /orders, nth: 1, last_event_id: \"2\" }\
               \n  - { request: POST /login }\n  - { request: GET /orders, count: { min: 1 } }";
    let mut play = play_of(all);
    let number = play.request(1500, "GET /orders?c=<\u{1}>\nlast-event-id: ]]>");
    play.begin(number, 1500);
    play.end(number, 2000, By::Fault, None, None);
    let verdict = play.judge.verdict(ms(3000), false);
    assert_eq!((verdict.word(), verdict.decided()), ("failed", true));
    play.said("all", &report::text(&verdict));
    play.said("all-junit", &report::junit(&[("shop", &verdict)]));
    let json = report::json(&verdict);
    let first = &json["expectations"][0];
    let expected = serde_json::json!([{
        "number": 1, "at_ms": 1500, "method": "GET", "target": "/orders?c=<\\u{1}>", "client": "<\\u{1}>",
        "last_event_id": "]]>", "status": 200, "ended_ms": 2000, "ended_by": "fault", "gap_ms": null
    }]);
    assert_eq!(
        (&json["verdict"], &first["state"], &first["requests"]),
        (&"failed".into(), &"failed".into(), &expected)
    );
    assert_eq!(json["expectations"][1]["state"], "open");
    assert_eq!(json["expectations"][2]["state"], "met");
}
