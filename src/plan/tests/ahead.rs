//! Looking ahead: resuming, and lengths known beforehand.

use super::*;

#[test]
fn resuming_skips_at_once_and_goes_on_in_time() {
    let script = "    resume: true\n    stream:\n      - { id: '1', data: a, after: 10ms }\n      - { id: '2', data: b, after: 10ms }\n      - { id: '3', data: '{{ seq }} {{ elapsed }}', after: 10ms }\n      - { id: '4', data: d, every: 5ms, times: 2 }\n";
    let resumed = |id: &str| {
        let mut plan = plan(script, 7);
        plan.resume(id.as_bytes());
        trace(&mut plan, 100, |_, _, _| {})
    };
    assert_eq!(
        resumed("2"),
        [
            r"10 data: 3 10\nid: 3",
            r"15 data: d\nid: 4",
            r"20 data: d\nid: 4",
            "20 end Close"
        ]
    );
    assert_eq!(
        resumed("nope")[0],
        r"10 data: a\nid: 1",
        "an unknown id begins anew"
    );
    assert_eq!(
        resumed("4"),
        [r"5 data: d\nid: 4", "5 end Close"],
        "the first with the id counts"
    );
    let mut over = plan(
        "    resume: true\n    stream:\n      - { id: '1', data: a, after: 500h }\n",
        7,
    );
    over.resume(b"1");
    assert!(matches!(over.next(Duration::ZERO), Cue::End(_)));
    assert_eq!(over.due(), Duration::ZERO, "what was skipped took no time");
}

#[test]
fn lengths_are_known_beforehand_where_they_can_be() {
    let sized = plan(
        "    wire: { bom: true }\n    stream:\n      - { data: '{{ uuid() }}', after: 1s }\n      - raw: { fill: 100 }\n",
        7,
    );
    assert_eq!(sized.measure(), Ok(3 + 6 + 36 + 2 + 100));
    let endless = plan("    stream:\n      - { data: x, every: 1s }\n", 7);
    assert!(endless.measure().is_err());
    let waits = plan("    stream:\n      - follow: t\n", 7);
    assert_eq!(
        waits.measure(),
        Err("the stream waits for what happens elsewhere".into())
    );
}

#[test]
fn looking_ahead_is_bounded_in_work() {
    let heavy = "    wire: { framing: sized }\n    resume: true\n    stream:\n      - repeat: { times: 200, steps: [ { let: { a: '{{ (\"x\" * 9000000) | length }}' } }, { data: x } ] }\n      - { id: last, data: y }\n";
    let mut plan = plan(heavy, 7);
    assert!(plan.measure().unwrap_err().contains("too long"));
    plan.resume(b"last");
    assert_eq!(plan.spent(), 0, "from the beginning");
}

#[test]
fn resuming_is_bounded_in_bytes() {
    for (times, found) in [(1, true), (3, false)] {
        let script = format!(
            "    resume: true\n    stream:\n      - repeat: {{ times: {times}, steps: [ {{ raw: {{ fill: 100MiB }} }} ] }}\n      - {{ id: last, data: x }}\n"
        );
        let mut plan = plan(&script, 7);
        plan.resume(b"last");
        let next = plan.next(Duration::ZERO);
        assert_eq!(matches!(next, Cue::End(_)), found, "{times}");
    }
}

#[test]
fn resuming_is_bounded_in_steps_that_send_nothing_by_themselves() {
    for (times, found) in [(10_000, true), (30_000, false)] {
        let script = format!(
            "    resume: true\n    stream:\n      - one_write: [ repeat: {{ times: {times}, steps: [ data: x ] }} ]\n      - {{ id: last, data: x }}\n"
        );
        let mut plan = plan(&script, 7);
        plan.resume(b"last");
        assert_eq!(matches!(plan.next(Duration::ZERO), Cue::End(_)), found, "{times}");
    }
}
