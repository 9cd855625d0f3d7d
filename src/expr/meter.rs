//! What reading a value costs, where minijinja itself does not count it.
//!
//! A list may hold the same list a thousand times, and that one another: small in memory, endless
//! when it is written out or compared. And some lists are made only while they are walked, with
//! more work behind each entry than an entry costs. Here both are paid for with steps (fuel):
//! `rewrite` puts the filters of this room around what operators take, `filters` wraps those of
//! minijinja.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::{RenderError, limits};

/// What is read as a whole: pays for everything in it.
pub(super) const METERED: &str = "metered_";
/// What is walked: pays for its entries, and makes them now.
pub(super) const MADE: &str = "made_";
/// An entry by its index or key: `x | at_(key)` is `x[key]`.
pub(super) const AT: &str = "at_";

/// Parts of a step: 64 bytes count as one, and so do four parts of a value.
const STEP: u64 = 64;
const PART: u64 = 16;
/// An entry of a list that is made.
const SLOT: u64 = 32;
/// Bytes of a text that are compared or copied in the time in which one is written out.
const BULK: u64 = 16;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter(METERED, |state: &State, value: Value| {
        whole(state, &value)?;
        Ok::<_, Error>(value)
    });
    env.add_filter(MADE, |state: &State, value: Value| made(state, value));
    env.add_filter(AT, at);
    add_tests(env);
}

/// The size of a value, with what is in it as often as it stands there.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Size {
    /// In parts of a step.
    pub(super) units: u64,
    /// Bytes of the longest text.
    pub(super) longest: u64,
}

/// Pays for reading a value and everything in it.
pub(super) fn whole(state: &State, value: &Value) -> Result<Size, Error> {
    let mut size = Size::default();
    let mut paid = 0;
    limits::visit(value, 0, &mut |depth, bytes| {
        let bytes = bytes as u64;
        size.longest = size.longest.max(bytes);
        size.units += if depth == 0 { bytes / BULK } else { bytes + PART };
        let due = size.units / STEP - paid;
        paid += due;
        state.consume_fuel(due).map_err(RenderError::from)
    })
    .map_err(failed)?;
    Ok(size)
}

/// Pays for so many parts of a step.
pub(super) fn pay(state: &State, units: u64) -> Result<(), Error> {
    state.consume_fuel(units / STEP)
}

/// A value whose entries are all there; each is paid for.
pub(super) fn made(state: &State, value: Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Iterable {
        return Ok(value);
    }
    entries(state, &value).map(Value::from)
}

/// The entries of a value, each paid for as it is taken.
pub(super) fn entries(state: &State, value: &Value) -> Result<Vec<Value>, Error> {
    let mut entries = Vec::new();
    let mut due = 0;
    for entry in value.try_iter()?.checked() {
        let entry = entry?;
        let within = if entry.is_tuple() { entry.len() } else { None };
        due += SLOT * (1 + within.unwrap_or(0) as u64);
        pay(state, due)?;
        due %= STEP;
        entries.push(entry);
    }
    Ok(entries)
}

/// As `value[key]`.
fn at(state: &State, value: &Value, key: &Value) -> Result<Value, Error> {
    whole(state, key)?;
    if value.is_undefined() {
        return Ok(Value::UNDEFINED);
    }
    if value.kind() == ValueKind::Iterable {
        let index = key.as_i64().map_or(0, i64::unsigned_abs);
        let length = value.len().map_or(u64::MAX, |n| n as u64);
        pay(state, index.min(length).saturating_mul(PART))?;
    }
    value.get_item(key)
}

/// Tests that read values as a whole; `select` and its like come by them without an operator.
fn add_tests(env: &mut Environment<'static>) {
    use minijinja::tests::{is_endingwith, is_eq, is_ge, is_gt, is_in, is_le, is_lower, is_lt, is_ne};
    use minijinja::tests::{is_startingwith, is_upper};
    let tests: [(&[&'static str], Value); 11] = [
        (&["eq", "equalto", "=="], Value::from_function(is_eq)),
        (&["ne", "!="], Value::from_function(is_ne)),
        (&["lt", "lessthan", "<"], Value::from_function(is_lt)),
        (&["le", "<="], Value::from_function(is_le)),
        (&["gt", "greaterthan", ">"], Value::from_function(is_gt)),
        (&["ge", ">="], Value::from_function(is_ge)),
        (&["in"], Value::from_function(is_in)),
        (&["startingwith"], Value::from_function(is_startingwith)),
        (&["endingwith"], Value::from_function(is_endingwith)),
        (&["lower"], Value::from_function(is_lower)),
        (&["upper"], Value::from_function(is_upper)),
    ];
    for (names, test) in tests {
        for name in names {
            let test = test.clone();
            let metered = move |state: &mut State, args: minijinja::value::Rest<Value>| {
                for arg in args.iter() {
                    whole(state, arg)?;
                }
                Ok::<_, Error>(test.call(state, &args)?.is_true())
            };
            env.add_test(*name, metered);
        }
    }
}

/// The bytes of all texts among the arguments behind the first, keywords included.
pub(super) fn texts_behind(args: &[Value]) -> u64 {
    let bytes = |value: &Value| value.as_bytes().map_or(0, |bytes| bytes.len() as u64);
    let named = |value: &Value| {
        let kwargs = Kwargs::try_from(value.clone()).ok()?;
        Some(
            kwargs
                .args()
                .map(|name| kwargs.peek::<Value>(name).map_or(0, |v| bytes(&v)))
                .sum::<u64>(),
        )
    };
    let behind = args.iter().skip(1);
    behind
        .map(|value| {
            if value.is_kwargs() {
                named(value).unwrap_or(0)
            } else {
                bytes(value)
            }
        })
        .sum()
}

pub(super) fn failed(error: RenderError) -> Error {
    Error::new(ErrorKind::InvalidOperation, error.0)
}
