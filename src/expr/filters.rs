//! The filters of the scenario language's own.
//!
//! Text is the text form of bytes (`crate::text`): what is hashed or encoded are the bytes.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use sha2::{Digest, Sha256};

use super::turns::turn;
use super::{meter, print};
use crate::text;

/// Pieces that a text may be cut into.
const MAX_PIECES: usize = 500_000;

/// RFC 4648 §4; padding is written, and may be left away in what is read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn add(env: &mut Environment<'static>) {
    // Those of minijinja, with errors that say what to do.
    env.add_filter("int", int);
    env.add_filter("float", float);
}

/// Those that read their value as a whole.
pub(super) fn readers() -> Vec<(&'static str, Value)> {
    vec![
        ("words", Value::from_function(words)),
        ("chunks", Value::from_function(chunks)),
        ("json", Value::from_function(json)),
        ("sha256", Value::from_function(sha256)),
        ("b64", Value::from_function(b64)),
        ("b64decode", Value::from_function(b64decode)),
        ("string", Value::from_function(json_or_text)),
        ("turn", Value::from_function(turn)),
    ]
}

/// The pieces of a text, as a language model would send them: each word with the white space
/// before it, and with what is behind the last one. Together they are the text.
fn words(value: &Value) -> Result<Value, Error> {
    let text = text_of(value)?;
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && in_word && !text[at..].trim_start().is_empty() {
            pieces.push(Value::from(&text[start..at]));
            start = at;
            bounded(&pieces)?;
        }
        in_word = !c.is_whitespace();
    }
    if start < text.len() {
        pieces.push(Value::from(&text[start..]));
    }
    Ok(Value::from(pieces))
}

/// The pieces of a text, each of `n` characters; the last may be shorter.
fn chunks(value: &Value, n: usize) -> Result<Value, Error> {
    if n == 0 {
        return Err(invalid("chunks(n) needs a length of at least 1"));
    }
    let text = text_of(value)?;
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.char_indices().nth(n).map_or(rest.len(), |(at, _)| at);
        pieces.push(Value::from(&rest[..end]));
        rest = &rest[end..];
        bounded(&pieces)?;
    }
    Ok(Value::from(pieces))
}

fn bounded(pieces: &[Value]) -> Result<(), Error> {
    if pieces.len() > MAX_PIECES {
        return Err(invalid(&format!("these are more than {MAX_PIECES} pieces")));
    }
    Ok(())
}

/// Compact JSON, with the keys in their order, and nothing escaped but what JSON demands.
fn json(value: &Value) -> Result<String, Error> {
    Ok(super::to_json(value).map_err(meter::failed)?.to_string())
}

/// A text itself, everything else as compact JSON: as it stands inside text.
fn json_or_text(value: &Value) -> Result<String, Error> {
    text_of(value)
}

/// SHA-256 of the bytes (FIPS 180-4), in lower-case hexadecimal digits.
fn sha256(value: &Value) -> Result<String, Error> {
    let hash = Sha256::digest(text::to_bytes(&text_of(value)?));
    Ok(hash.iter().map(|b| format!("{b:02x}")).collect())
}

/// The bytes in base64.
fn b64(value: &Value) -> Result<String, Error> {
    Ok(BASE64.encode(text::to_bytes(&text_of(value)?)))
}

/// The bytes that base64 stands for.
fn b64decode(value: &Value) -> Result<String, Error> {
    let text = text_of(value)?;
    let bytes = BASE64
        .decode(text.trim())
        .map_err(|error| invalid(&format!("`{}` is no base64: {error}", super::excerpt(&text))))?;
    Ok(text::from_bytes(&bytes))
}

/// minijinja's, with an error that says what is no number.
fn int(
    state: &State,
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let number = minijinja::filters::int(state, value, default, base, kwargs);
    number.map_err(|error| no_number(error, value, "int"))
}

/// As `int`, with digits behind the point.
fn float(state: &State, value: &Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let number = minijinja::filters::float(state, value, default, kwargs);
    number.map_err(|error| no_number(error, value, "float"))
}

fn no_number(error: Error, value: &Value, filter: &str) -> Error {
    let text = match value.as_str() {
        Some(text) => format!("`{}`", super::excerpt(text)),
        None if matches!(
            value.kind(),
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable
        ) =>
        {
            format!("a {}", value.kind())
        }
        None => return error,
    };
    invalid(&format!(
        "{text} is no number; say what to take instead: `{filter}(default=0)`"
    ))
}

fn text_of(value: &Value) -> Result<String, Error> {
    print(value).map_err(meter::failed)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_owned())
}
