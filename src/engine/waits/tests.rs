use super::*;

fn elsewhere(waits: &Waits) -> &Elsewhere {
    waits.elsewhere.as_ref().expect("it is not forgotten")
}

fn awaited(waits: &Waits) -> &VecDeque<(Wanted, u64)> {
    &elsewhere(waits).awaited
}

#[test]
fn the_wait_that_was_found_is_over_as_of_then() {
    let mut waits = Waits::begin(0);
    let signal = |name: &str| Wanted::Signal(name.into());
    for (branch, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "b")] {
        let awaiting = Awaiting {
            what: signal(name),
            until: None,
        };
        waits.wait(branch, awaiting);
    }
    // Neither looks again: by now nothing may hold, or something else.
    let Came::Awaited(branches) = waits.take_awaited(1, 5) else {
        panic!("a wait is over");
    };
    assert_eq!(branches, [2, 4]);
    assert_eq!(awaited(&waits), &[(signal("b"), 5)]);
    let left: Vec<_> = waits.pending().iter().map(|p| p.branch).collect();
    assert_eq!(left, [1, 3]);
}

#[test]
fn what_was_awaited_long_ago_is_forgotten_but_not_waited_for_again() {
    let mut waits = Waits::begin(7);
    let job = |n: u64| Wanted::Signal(format!("job-{n}"));
    for n in 10..10 + 3 * MOST_MARKS as u64 {
        let elsewhere = waits.elsewhere.get_or_insert_default();
        elsewhere.mark_awaited(job(n), n);
        elsewhere.mark_awaited(job(10), n);
    }
    assert_eq!(awaited(&waits).len(), MOST_MARKS);
    assert!(awaited(&waits).contains(&(job(10), 9 + 3 * MOST_MARKS as u64)));
    assert!(!awaited(&waits).iter().any(|(what, _)| *what == job(11)));
    assert_eq!(elsewhere(&waits).began, 10 + 2 * MOST_MARKS as u64);
}
