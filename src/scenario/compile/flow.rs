//! What never ends, what never waits, and how long a stream is: told from its steps.

use crate::expr::Tree;
use crate::scenario::model::{Action, Awaited, End, Fault, From, Id, Items, Step, Steps, Strike};

fn some(steps: &Steps, holds: fn(&Step) -> bool) -> bool {
    steps.iter().any(holds)
}

/// Whether a list is there and not empty, whatever is rendered.
fn has_entries(items: &Items) -> bool {
    match items {
        Items::Fixed(entries) => !entries.is_empty(),
        Items::Tree(Tree::Fixed(serde_json::Value::Array(entries))) => !entries.is_empty(),
        Items::Tree(Tree::List(entries)) => !entries.is_empty(),
        Items::Tree(_) => false,
    }
}

/// Whether a list may have entries: only one that is known to be empty has none.
fn may_have_entries(items: &Items) -> bool {
    has_entries(items) || matches!(items, Items::Tree(Tree::Text(_)))
}

/// Whether a step is sure to take time, so that repeating it does not flood.
pub(super) fn takes_time(step: &Step) -> bool {
    let inside = |steps: &Steps| some(steps, takes_time);
    let action = match &step.action {
        Action::Repeat { repetition, steps } => {
            let rounds = repetition.times != Some(0) && repetition.condition.is_none();
            rounds && (repetition.every.is_some() || inside(steps))
        }
        Action::ForEach(each) => {
            may_have_entries(&each.items) && (each.every.is_some() || inside(&each.steps))
        }
        Action::Choose(choices) => choices
            .iter()
            .filter(|(weight, _)| *weight > 0)
            .all(|(_, s)| inside(s)),
        Action::If { then, otherwise, .. } => inside(then) && inside(otherwise),
        Action::Parallel(branches) => branches.iter().any(inside),
        // The whole history, or a part of it, is there at once, each time.
        Action::Follow(follow) => follow.limit.is_none() || follow.from != From::Earliest,
        // Clients that are there are there at once, each time.
        Action::WaitFor(wait) => !matches!(wait.what, Awaited::Clients(_)),
        Action::Stall(_) | Action::End(_) => true,
        Action::Replay(replay) => !replay.lasts.is_zero(),
        Action::Send(_) | Action::Raw(_) | Action::Recorded(_) | Action::OneWrite(_) => false,
        Action::Wait | Action::Let(_) => false,
        Action::Set(_) | Action::Publish(_) | Action::Signal(_) => false,
        Action::Disconnect(_) | Action::Offline(_) => false,
    };
    action || !step.after.is_zero()
}

/// Whether nothing behind a step is ever reached.
pub(super) fn never_goes_on(step: &Step) -> bool {
    let inside = |steps: &Steps| some(steps, never_goes_on);
    match &step.action {
        Action::End(_) => true,
        Action::Follow(follow) => follow.limit.is_none() && follow.duration.is_none(),
        Action::Repeat { repetition, steps } => {
            let sure = repetition.condition.is_none() && repetition.times != Some(0);
            sure && (repetition.times.is_none() || inside(steps))
        }
        Action::ForEach(each) => has_entries(&each.items) && inside(&each.steps),
        Action::Choose(choices) => choices
            .iter()
            .filter(|(weight, _)| *weight > 0)
            .all(|(_, s)| inside(s)),
        Action::If { then, otherwise, .. } => inside(then) && inside(otherwise),
        Action::Parallel(branches) => branches.iter().any(inside),
        Action::OneWrite(steps) => inside(steps),
        _ => false,
    }
}

/// Steps inside a step.
fn inner(step: &Step) -> Vec<&Steps> {
    match &step.action {
        Action::OneWrite(steps) | Action::Repeat { steps, .. } => vec![steps],
        Action::ForEach(each) => vec![&each.steps],
        Action::Choose(choices) => choices.iter().map(|(_, steps)| steps).collect(),
        Action::If { then, otherwise, .. } => vec![then, otherwise],
        Action::Parallel(branches) => branches.iter().collect(),
        Action::WaitFor(wait) => vec![&wait.otherwise],
        _ => Vec::new(),
    }
}

/// What keeps the length of a stream from being known before it begins.
pub(super) fn unknown_length(steps: &Steps) -> Option<&'static str> {
    steps.iter().find_map(|step| {
        let own = match &step.action {
            Action::Follow(_) => Some("a `follow`"),
            Action::WaitFor(_) => Some("a `wait_for`"),
            Action::Repeat { repetition, .. } if repetition.times.is_none() => {
                Some("a repetition without `times`")
            }
            Action::End(End::Hold) => Some("`end: hold`"),
            Action::End(End::Stall) => Some("`end: stall`"),
            _ => None,
        };
        own.or_else(|| inner(step).into_iter().find_map(unknown_length))
    })
}

/// Whether an event's id is drawn at random.
pub(super) fn draws_ids(steps: &Steps) -> bool {
    steps.iter().any(|step| match &step.action {
        Action::Send(event) => matches!(event.id, Some(Id::Uuid)),
        _ => inner(step).into_iter().any(draws_ids),
    })
}

/// Whether a stream may be cut, by a step or a fault.
pub(super) fn cuts(steps: &Steps, faults: &[Fault]) -> bool {
    let cut = |step: &Step| {
        matches!(step.action, Action::End(End::Cut { .. })) || inner(step).into_iter().any(|s| cuts(s, &[]))
    };
    let struck = |fault: &Fault| matches!(fault.strike, Strike::End(End::Cut { .. }));
    steps.iter().any(cut) || faults.iter().any(struck)
}
