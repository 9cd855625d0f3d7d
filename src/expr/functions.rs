//! The functions of the scenario language. All chance in them comes from the stream's own draws.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::scope::{Inner, STREAM, TOPICS, Topics};
use super::{fake, meter};

pub(super) fn add(env: &mut Environment<'static>) {
    // Of no use in a scenario, and confusing among the names that are suggested.
    for name in ["debug", "namespace"] {
        env.remove_global(name);
    }
    env.add_function("letter", letter);
    env.add_function("uuid", uuid);
    env.add_function("random_int", random_int);
    env.add_function("random_float", random_float);
    env.add_function("fake", fake);
    env.add_function("pick", pick);
    env.add_function("topic", topic);
}

/// A lower-case letter, each as likely as the others.
fn letter(state: &State) -> Result<String, Error> {
    Ok(stream(state)?.draws().letter().to_string())
}

/// A version 4 UUID.
fn uuid(state: &State) -> Result<String, Error> {
    Ok(stream(state)?.draws().uuid())
}

/// A whole number between two bounds, both included.
fn random_int(state: &State, a: i64, b: i64) -> Result<i64, Error> {
    Ok(stream(state)?.draws().between(a, b))
}

/// A number between two bounds, the lower included.
fn random_float(state: &State, a: f64, b: f64) -> Result<f64, Error> {
    if !a.is_finite() || !b.is_finite() {
        return Err(invalid("random_float() needs two finite bounds".into()));
    }
    Ok(stream(state)?.draws().float(a, b))
}

/// A made-up value of a kind.
fn fake(state: &State, kind: &Value) -> Result<String, Error> {
    let kind = name(state, kind)?;
    let made = fake::make(&kind, &mut stream(state)?.draws());
    made.ok_or_else(|| {
        let hint = crate::spelling::suggest(&kind, &fake::kinds());
        invalid(format!("fake() knows no `{}`; {hint}", super::excerpt(&kind)))
    })
}

/// One entry of a list.
fn pick(state: &State, list: &Value) -> Result<Value, Error> {
    let length = match list.kind() {
        ValueKind::Seq => list.len().unwrap_or(0),
        _ => 0,
    };
    if length > 0 {
        let index = stream(state)?.draws().below(length as u64);
        return list.get_item(&Value::from(index));
    }
    let entries = meter::entries(state, list)?;
    if entries.is_empty() {
        return Err(invalid("pick() needs a list with at least one entry".into()));
    }
    let index = stream(state)?.draws().below(entries.len() as u64) as usize;
    Ok(entries[index].clone())
}

/// What a topic is like now: `clients`, `count`, `last`.
fn topic(state: &State, topic: &Value) -> Result<Value, Error> {
    let topics = state.lookup(TOPICS).ok_or_else(no_stream)?;
    let topics = topics.downcast_object_ref::<Topics>().ok_or_else(no_stream)?;
    let described = topics.describe(&name(state, topic)?);
    // The last message is a copy.
    meter::whole(state, &described)?;
    Ok(described)
}

/// What something is called: a text, or what can be written as one.
fn name(state: &State, value: &Value) -> Result<String, Error> {
    meter::whole(state, value)?;
    Ok(value.to_string())
}

fn stream(state: &State) -> Result<std::sync::Arc<Inner>, Error> {
    state
        .lookup(STREAM)
        .and_then(|value| value.downcast_object::<Inner>())
        .ok_or_else(no_stream)
}

fn no_stream() -> Error {
    invalid("this function has no stream to work for here".into())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
