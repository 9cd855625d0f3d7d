//! Scripts that would never let go.

use super::*;

#[test]
fn a_script_that_runs_wild_is_stopped() {
    check(
        "      - repeat: { while: 1 == 1, steps: [ { let: { a: 1 } }, { data: x, after: '{{ \"0\" }}' } ] }\n",
        0,
        &vec!["0 data: x"; 10_000],
    );
    let silent = "      - repeat: { times: 1000000000, steps: [ let: { a: 1 } ] }\n";
    let lines = run(silent, 10);
    assert_eq!(
        lines,
        ["0 fail the script runs in circles without sending or waiting"]
    );
}

#[test]
fn many_steps_without_a_cue_are_done_bit_by_bit() {
    let mut plan = plan(
        "    stream:\n      - repeat: { times: 40, steps: [ let: { a: '{{ seq }}' } ] }\n      - data: x\n",
        7,
    );
    let begun = Duration::from_millis(3);
    let mut asked = 0;
    while matches!(plan.next(begun), Cue::Wait(due) if due == begun) {
        asked += 1;
    }
    assert_eq!(asked, 2, "whoever plays it has others to serve in between");
    assert!(matches!(plan.next(begun), Cue::End(_)), "the event came");
}
