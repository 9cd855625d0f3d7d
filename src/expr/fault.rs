//! What is wrong with an expression when a scenario loads, in words.

use minijinja::Error;

use super::describe;
use crate::spelling::nearest;

/// What is wrong with an expression, and at which word of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The word it is about; empty if it is about the whole.
    pub word: String,
}

/// A name of the usual scope that cannot be used here, and why.
pub(super) fn unavailable(name: &str, why: &str) -> Fault {
    Fault {
        message: format!("`{name}` is not available here"),
        hint: (!why.is_empty()).then(|| why.to_owned()),
        word: name.to_owned(),
    }
}

/// About no word of it, but the whole.
pub(super) fn about_all(message: String, hint: Option<String>) -> Fault {
    Fault {
        message,
        hint,
        word: String::new(),
    }
}

/// A name that there is not, and what may have been meant.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Fault {
    let hint = match nearest(name, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("in scope: {}", known.join(", ")),
    };
    Fault {
        message: format!("there is no {what} `{name}`"),
        hint: Some(hint),
        word: name.to_owned(),
    }
}

/// What does not parse.
pub(super) fn syntax(error: &Error) -> Fault {
    about_all(
        format!("this expression does not parse: {}", describe(error)),
        None,
    )
}
