//! Scripts as they run: each line is the time of a cue and what it is.

mod ahead;
mod bounds;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::expr::{NoState, NoTopics, RequestScope};
use crate::random::{Draw, DrawKey, Purpose};
use crate::request::Request;
use crate::scenario::compile;
use crate::scenario::diagnostic::Source;
use crate::scenario::model::{Body, Choice};

/// The plan of the only endpoint's stream.
pub(super) fn plan(rest: &str, seed: u64) -> Plan {
    let yaml = format!("topics: {{ t: {{ history: 1 }} }}\nendpoints:\n  - path: /x\n{rest}");
    let source = Arc::new(Source::new("test.yaml", yaml));
    let (scenario, _) = compile(&[source]).unwrap_or_else(|errors| {
        let all: Vec<String> = errors.iter().map(|e| e.render(false)).collect();
        panic!("{}", all.join("\n"))
    });
    let Choice::Answer(answer) = &scenario.endpoints[0].choice else {
        panic!("one answer")
    };
    let Body::Stream(script) = &answer.body else {
        panic!("a stream")
    };
    let key = DrawKey::first("GET /x#0");
    let draw = |purpose| Draw::new(seed, &key, purpose);
    let scope = RequestScope::new(
        Arc::new(Request::example("GET", "/x")),
        scenario.vars.clone(),
        1,
        Vec::new(),
        draw(Purpose::Data),
        Arc::new(NoTopics),
        Arc::new(NoState),
    );
    let chance = Chance::new(draw);
    let script = script.clone();
    Plan::new(Arc::new(scenario), script, scope, chance, 1_000_000)
}

/// What a plan does in so many milliseconds; `react` deals with what waits for the player.
fn trace(plan: &mut Plan, until: u64, mut react: impl FnMut(&mut Plan, &Cue, Duration)) -> Vec<String> {
    let mut elapsed = Duration::ZERO;
    let mut lines = Vec::new();
    for _ in 0..10_000 {
        let cue = plan.next(elapsed);
        let what = match &cue {
            Cue::Wait(due) if due.as_millis() > u128::from(until) => break,
            Cue::Wait(due) => {
                elapsed = *due;
                continue;
            }
            Cue::Send(write) => String::from_utf8_lossy(&write.frame.body()).into_owned(),
            Cue::Follow(_, what) => format!("follow {} until {:?}", what.topics.len(), what.until),
            Cue::Await(_, what) => format!("await {:?} until {:?}", what.what, what.until),
            Cue::Publish(all) => format!("publish {}", all[0].topic),
            Cue::Set(setting) => format!("set {}", setting.assignments.len()),
            Cue::Signal(name) => format!("signal {name}"),
            Cue::Quiet(until) => format!("quiet until {until:?}"),
            Cue::Offline(how_long) => format!("offline {how_long:?}"),
            Cue::Disconnect(_) => "disconnect".into(),
            Cue::End(end) => format!("end {end:?}"),
            Cue::Fail(why) => format!("fail {why}"),
            Cue::Idle => "idle".into(),
        };
        let what = what.trim_end().replace('\n', "\\n").replace('\r', "\\r");
        lines.push(format!("{} {what}", elapsed.as_millis()));
        react(plan, &cue, elapsed);
        if matches!(cue, Cue::End(_) | Cue::Fail(_) | Cue::Idle) {
            break;
        }
    }
    lines
}

fn run(steps: &str, until: u64) -> Vec<String> {
    trace(
        &mut plan(&format!("    stream:\n{steps}"), 7),
        until,
        |_, _, _| {},
    )
}

fn check(steps: &str, until: u64, expected: &[&str]) {
    assert_eq!(run(steps, until), expected, "{steps}");
}

#[test]
fn lists_repetitions_and_conditions() {
    check(
        "      - for_each: { in: [a, b], as: x, every: 10ms, steps: [ { data: '{{ x }}' }, { data: '{{ x }}!', after: 3ms } ] }\n      - data: z\n",
        100,
        &[
            "10 data: a",
            "13 data: a!",
            "20 data: b",
            "23 data: b!",
            "23 data: z",
            "23 end Close",
        ],
    );
    check(
        "      - let: { n: 0 }\n      - repeat: { every: 5ms, while: n < 2, steps: [ let: { n: '{{ n + 1 }}' }, data: '{{ n }}' ] }\n      - data: done\n",
        100,
        &["5 data: 1", "10 data: 2", "15 data: done", "15 end Close"],
    );
    check(
        "      - { data: '{{ seq }}', every: 1ms, while: seq < 2 }\n",
        10,
        &["1 data: 1", "2 data: 2", "3 end Close"],
    );
    check(
        "      - { if: 1 == 2, then: [ { data: yes } ], else: [ { data: no, after: 2ms } ] }\n      - { if: 1 == 2, then: [ { data: yes } ] }\n",
        10,
        &["2 data: no", "2 end Close"],
    );
    check(
        "      - for_each: { in: '{{ \"a b\" | words }}', as: w, steps: [ data: { w: '{{ w }}' } ] }\n",
        10,
        &[r#"0 data: {"w":"a"}"#, r#"0 data: {"w":" b"}"#, "0 end Close"],
    );
    check(
        "      - for_each: { in: '{{ request.path }}', steps: [ data: x ] }\n",
        10,
        &["0 fail `for_each` needs a list, this is text"],
    );
}

#[test]
fn branches_are_interleaved_by_due_time_and_joined() {
    check(
        "      - parallel:\n          - [ { data: a, after: 1ms }, { data: a2, after: 4ms } ]\n          - [ { data: b, after: 2ms }, { data: b2, after: 1ms } ]\n          - [ { let: { n: 1 } }, { data: '{{ n }}', after: 3ms } ]\n      - { data: end, after: 1ms }\n",
        100,
        &[
            "1 data: a",
            "2 data: b",
            "3 data: b2",
            "3 data: 1",
            "5 data: a2",
            "6 data: end",
            "6 end Close",
        ],
    );
    // A branch draws and names on its own: what another does changes nothing in it.
    let with = |first: &str| {
        let steps = format!(
            "      - parallel:\n          - [ {first} ]\n          - [ {{ data: '{{{{ uuid() }}}}', after: 5ms }} ]\n"
        );
        run(&steps, 10)
            .into_iter()
            .find(|line| line.starts_with("5 "))
            .unwrap()
    };
    assert_eq!(
        with("{ data: x }"),
        with("{ data: '{{ letter() }}' }, { data: '{{ uuid() }}' }")
    );
}

#[test]
fn branches_that_wait_let_the_others_go_on() {
    let steps = "      - parallel:\n          - [ { follow: { topic: t, limit: 1 } }, { data: after, after: 1ms } ]\n          - [ { data: b, every: 2ms, times: 3 } ]\n      - data: joined\n";
    let mut plan = plan(&format!("    stream:\n{steps}"), 7);
    let mut waiting = None;
    let lines = trace(&mut plan, 100, |plan, cue, elapsed| match cue {
        Cue::Follow(branch, _) => waiting = Some(*branch),
        Cue::Send(_) if elapsed.as_millis() == 4 => plan.release(waiting.take().unwrap(), elapsed),
        _ => {}
    });
    assert_eq!(
        lines,
        [
            "0 follow 1 until None",
            "2 data: b",
            "4 data: b",
            "5 data: after",
            "6 data: b",
            "6 data: joined",
            "6 end Close"
        ]
    );
}

#[test]
fn what_is_awaited_comes_or_its_time_is_up() {
    let steps = "      - wait_for: { signal: go, for: 50ms, else: [ data: late ] }\n      - data: next\n";
    let script = format!("    stream:\n{steps}");
    let mut up = plan(&script, 7);
    let late = trace(&mut up, 100, |plan, cue, _| {
        if let Cue::Await(branch, _) = cue {
            plan.time_up(*branch, Duration::from_millis(50));
        }
    });
    assert_eq!(
        late,
        [
            r#"0 await Signal("go") until Some(50ms)"#,
            "50 data: late",
            "50 data: next",
            "50 end Close"
        ]
    );
    let mut came = plan(&script, 7);
    let came = trace(&mut came, 100, |plan, cue, elapsed| {
        if let Cue::Await(branch, _) = cue {
            plan.release(*branch, elapsed);
        }
    });
    assert_eq!(came[1..], ["0 data: next", "0 end Close"]);
}

#[test]
fn effects_are_cues_in_their_place() {
    check(
        "      - set: { a: 1, b: ~ }\n      - publish: { topic: t, data: x }\n      - signal: s{{ 1 + 1 }}\n      - { stall: 5ms }\n      - offline: 2s\n      - disconnect: all\n      - end: reset\n",
        100,
        &[
            "0 set 2",
            "0 publish t",
            "0 signal s2",
            "0 quiet until 5ms",
            "5 offline 2s",
            "5 disconnect",
            "5 end Reset",
        ],
    );
}

#[test]
fn one_write_gathers_whatever_its_steps_send() {
    check(
        "      - one_write:\n          - repeat: { times: 2, steps: [ data: '{{ seq }}' ] }\n          - raw: \": raw\\n\\n\"\n          - { if: 1 == 1, then: [ { data: yes } ] }\n      - data: after\n",
        10,
        &[
            r"0 data: 1\n\ndata: 2\n\n: raw\n\ndata: yes",
            "0 data: after",
            "0 end Close",
        ],
    );
}

#[test]
fn cuts_keep_their_gaps_and_nothing_comes_between() {
    let wire = "    wire: { split: { every: 4, gap: 10ms } }\n    stream:\n      - parallel:\n          - [ data: abc ]\n          - [ { data: x, split: { at: 5 }, after: 5ms } ]\n";
    let lines = trace(&mut plan(wire, 7), 100, |_, _, _| {});
    assert_eq!(
        lines,
        ["0 data", "10 : ab", r"20 c", "20 data:", "20  x", "20 end Close"]
    );
    let raw = "    wire: { split: { every: 1 }, bom: true, eol: crlf }\n    stream:\n      - raw: 'ab'\n";
    let mut plan = plan(raw, 7);
    let pieces: Vec<usize> = std::iter::from_fn(|| match plan.next(Duration::ZERO) {
        Cue::Send(write) => Some(write.frame.len()),
        _ => None,
    })
    .collect();
    assert_eq!(
        pieces,
        [1, 1, 1, 2],
        "the byte order mark is cut, raw bytes are not"
    );
}

#[test]
fn choices_follow_their_weights() {
    let steps = "      - repeat: { times: 1000, every: 1ms, steps: [ choose: [ { weight: 3, steps: [ data: a ] }, { steps: [ data: b ] }, { weight: 0, steps: [ data: c ] } ] ] }\n";
    let lines = run(steps, 5_000);
    let count = |what: &str| lines.iter().filter(|line| line.ends_with(what)).count();
    assert!((700..800).contains(&count(" a")), "{}", count(" a"));
    assert_eq!(count(" a") + count(" b"), 1000);
    assert_eq!(lines, run(steps, 5_000));
}

#[test]
fn a_relayed_event_takes_on_the_streams_style() {
    let mut styled = plan(
        "    wire: { eol: cr, space: false, split: { every: 100 } }\n    stream:\n      - follow: t\n",
        7,
    );
    assert!(matches!(styled.next(Duration::ZERO), Cue::Follow(..)));
    let event = crate::event::Event {
        data: Some("x".into()),
        id: Some("1".into()),
        ..Default::default()
    };
    assert!(styled.relay(&event, Duration::ZERO));
    let Cue::Send(write) = styled.next(Duration::ZERO) else {
        panic!("a write")
    };
    assert_eq!(
        (&write.frame.body()[..], write.events),
        (&b"data:x\rid:1\r\r"[..], 1)
    );
    assert!(!plan("    stream:\n      - follow: t\n", 7).relay(&event, Duration::ZERO));
}
