//! Filters that read values as a whole, or do more work than minijinja counts: each pays first.

use std::collections::BTreeMap;

use minijinja::filters as of_minijinja;
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, State, Value};

use super::filters as own;
use super::meter::{self, Size, made, pay, texts_behind, whole};

/// What a filter does with its arguments.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// Reads each of them once.
    Read,
    /// Compares the entries of the first, by what a path leads to.
    Compare,
    /// Follows a path in each entry of the first.
    Follow,
    /// Writes them as often as the first says.
    Format,
    /// Adds the entries of the first, one after the other.
    Add,
    /// Looks for each character of the first among those of the second.
    Seek,
    /// Looks the second up in the first.
    Look,
    /// Puts lists side by side: nothing in them is read.
    Take,
}

/// Comparing texts regardless of case makes them anew each time; bytes of that for one step.
const FOLDED: u64 = 2048;

pub(super) fn add(env: &mut Environment<'static>) {
    for (name, work, filter) in filters() {
        env.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            charge(state, work, &args)?;
            let value = filter.call(state, &args)?;
            finished(state, name, value)
        });
    }
}

fn filters() -> Vec<(&'static str, Work, Value)> {
    use Work::{Add, Compare, Follow, Format, Look, Read, Seek, Take};
    let mut filters = own::readers();
    filters.extend([
        ("capitalize", Value::from_function(of_minijinja::capitalize)),
        ("e", Value::from_function(of_minijinja::escape)),
        ("escape", Value::from_function(of_minijinja::escape)),
        ("indent", Value::from_function(of_minijinja::indent)),
        ("join", Value::from_function(of_minijinja::join)),
        ("lines", Value::from_function(of_minijinja::lines)),
        ("lower", Value::from_function(of_minijinja::lower)),
        ("pprint", Value::from_function(of_minijinja::pprint)),
        ("replace", Value::from_function(replace)),
        ("safe", Value::from_function(of_minijinja::safe)),
        ("split", Value::from_function(of_minijinja::split)),
        ("title", Value::from_function(of_minijinja::title)),
        ("upper", Value::from_function(of_minijinja::upper)),
    ]);
    let read = filters.into_iter().map(|(name, filter)| (name, Read, filter));
    read.chain([
        ("attr", Look, Value::from_function(of_minijinja::attr)),
        ("chain", Take, Value::from_function(of_minijinja::chain)),
        ("dictsort", Compare, Value::from_function(of_minijinja::dictsort)),
        ("format", Format, Value::from_function(of_minijinja::format)),
        ("groupby", Compare, Value::from_function(of_minijinja::groupby)),
        ("map", Follow, Value::from_function(of_minijinja::map)),
        ("max", Compare, Value::from_function(of_minijinja::max)),
        ("min", Compare, Value::from_function(of_minijinja::min)),
        (
            "rejectattr",
            Follow,
            Value::from_function(of_minijinja::rejectattr),
        ),
        (
            "selectattr",
            Follow,
            Value::from_function(of_minijinja::selectattr),
        ),
        ("sort", Compare, Value::from_function(of_minijinja::sort)),
        ("sum", Add, Value::from_function(of_minijinja::sum)),
        ("trim", Seek, Value::from_function(of_minijinja::trim)),
        ("unique", Compare, Value::from_function(of_minijinja::unique)),
        ("zip", Take, Value::from_function(of_minijinja::zip)),
    ])
    .collect()
}

fn charge(state: &State, work: Work, args: &[Value]) -> Result<(), Error> {
    let Some(first) = args.first() else {
        return Ok(());
    };
    let entries = || first.len().unwrap_or(0) as u64;
    match work {
        Work::Read => drop(sizes(state, args)?),
        Work::Take => {}
        Work::Look => drop(sizes(state, &args[1..])?),
        Work::Follow => pay(state, entries().saturating_mul(texts_behind(args)))?,
        Work::Compare => {
            let folded = entries().saturating_mul(sizes(state, args)?.longest) / FOLDED;
            let followed = entries().saturating_mul(texts_behind(args)) / 64;
            state.consume_fuel(folded.saturating_add(followed))?;
        }
        Work::Format => {
            let size = sizes(state, args)?;
            let marks = first.as_str().map_or(0, |text| text.matches('%').count() as u64);
            pay(state, marks.saturating_mul(size.units))?;
        }
        Work::Add => {
            let size = sizes(state, args)?;
            if starts_with_more_than_a_number(args) {
                pay(state, entries().saturating_mul(size.units) / 64)?;
            }
        }
        Work::Seek => {
            whole(state, first)?;
            let sought = sizes(state, &args[1..])?.units.saturating_mul(16) + texts_behind(args);
            let length = first.as_bytes().map_or(0, |bytes| bytes.len() as u64);
            pay(state, length.saturating_mul(sought))?;
        }
    }
    Ok(())
}

/// The sizes of all arguments together.
fn sizes(state: &State, args: &[Value]) -> Result<Size, Error> {
    args.iter().try_fold(Size::default(), |sum, arg| {
        let size = whole(state, arg)?;
        Ok(Size {
            units: sum.units + size.units,
            longest: sum.longest.max(size.longest),
        })
    })
}

/// A sum of numbers is one; a sum of lists or texts grows with each.
fn starts_with_more_than_a_number(args: &[Value]) -> bool {
    let kwargs = args.last().and_then(|value| Kwargs::try_from(value.clone()).ok());
    let named = kwargs.and_then(|kwargs| kwargs.peek::<Value>("start").ok());
    let start = named.or_else(|| args.get(2).cloned());
    start.is_some_and(|start| !start.is_number())
}

/// What a filter yields, with no work left for those who walk it.
fn finished(state: &State, name: &str, value: Value) -> Result<Value, Error> {
    match name {
        "zip" | "sum" => made(state, value),
        // One chain within the other would be searched from end to end for every key.
        "chain" if value.kind() == ValueKind::Map => {
            let keys = meter::entries(state, &value)?;
            let mut map = BTreeMap::new();
            for key in keys {
                let found = value.get_item(&key)?;
                map.insert(key, found);
            }
            Ok(Value::from_object(map))
        }
        "chain" => meter::entries(state, &value).map(Value::from),
        _ => Ok(value),
    }
}

/// minijinja's own `replace`, with the `count` that its function for others does not take.
fn replace(state: &mut State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    if args.len() <= 3 || !matches!(state.auto_escape(), AutoEscape::None) {
        return Value::from_function(of_minijinja::replace).call(state, &args);
    }
    let plain = Environment::new();
    plain.empty_state().apply_filter("replace", &args)
}
