//! What bounds expressions, and how an expression that reaches a bound is told so.
//!
//! Steps and the bytes they make are counted by minijinja itself (fuel). It cannot count what a
//! small value becomes when it is written out (a list of a thousand times the same list), how deep
//! a value is, or what a long source costs its own compiler's stack: that is here.

use minijinja::machinery::Token;
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::RenderError;

/// Steps that one rendering may take; 64 bytes made or read count as one.
pub(super) const FUEL: u64 = 500_000;
/// Bytes that one rendering may yield.
pub(super) const MAX_OUTPUT: usize = 16 << 20;
/// Loops within loops, and calls of a recursive loop.
pub(super) const MAX_RECURSION: usize = 60;
/// What every part of a value counts as, beside the bytes of its text.
const PART: usize = 16;
/// Values within values that one rendering may yield; as deep as JSON is read.
const MAX_DEPTH: usize = 128;
/// Bytes of one template.
const MAX_SOURCE: usize = 1 << 20;
/// Tokens of an expression that may hang on one another, from one comma to the next with all that
/// is around it. The compiler's stack grows with them.
const MAX_CHAIN: usize = 400;
/// Open brackets and blocks, one in the other.
const MAX_NESTING: usize = 40;

/// Why a source is too large to compile, if it is.
pub(super) fn source_too_large(source: &str) -> Option<String> {
    (source.len() > MAX_SOURCE).then(|| {
        format!(
            "this template is {} KiB long; {} KiB are the most",
            source.len() >> 10,
            MAX_SOURCE >> 10
        )
    })
}

/// Why an expression is too deep to compile, if it is.
pub(super) fn tokens_too_deep(tokens: &[Token]) -> Option<String> {
    let mut depth = Depth::default();
    tokens.iter().find_map(|token| depth.take(token))
}

/// That brackets or blocks are too deep.
pub(super) fn too_deep() -> String {
    format!("this is nested more than {MAX_NESTING} deep; take it apart with `let`")
}

/// Whether minijinja's parser found brackets or blocks too deep.
pub(super) fn is_too_deep(error: &Error) -> bool {
    error.detail() == Some("template exceeds maximum recursion limits")
}

/// Whether a template has so many brackets and filters that by them, one `set` after the other, a
/// list could grow too deep to be dropped.
pub(super) fn may_build_up(source: &str) -> bool {
    const MANY: usize = 1000;
    source
        .bytes()
        .filter(|b| matches!(b, b'[' | b'{' | b'(' | b'|'))
        .count()
        > MANY
}

/// How much hangs on one another at a token.
#[derive(Default)]
struct Depth {
    /// For each open bracket, what hung on one another where it was opened.
    open: Vec<usize>,
    chain: usize,
    /// For each open block, how many branches of an `if` stand one in the other in it.
    blocks: Vec<usize>,
    in_block: bool,
}

impl Depth {
    fn take(&mut self, token: &Token) -> Option<String> {
        let first_of_block = std::mem::take(&mut self.in_block);
        match token {
            Token::VariableStart | Token::BlockStart => {
                self.open.clear();
                self.chain = 0;
                self.in_block = matches!(token, Token::BlockStart);
            }
            Token::Ident(word) if first_of_block => self.block(word),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.chain += 1;
                self.open.push(self.chain);
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                // What stands behind a bracket hangs on what stands before it: f(x)(y)(z).
                self.chain = self.open.pop().unwrap_or(self.chain) + 1;
            }
            Token::Comma => self.chain = self.open.last().copied().unwrap_or(0),
            _ => self.chain += 1,
        }
        if self.open.len() > MAX_NESTING || self.blocks.iter().sum::<usize>() > MAX_NESTING {
            return Some(too_deep());
        }
        (self.chain > MAX_CHAIN).then(|| {
            format!("this expression is too long in one piece ({MAX_CHAIN} words and signs); take it apart with `let`")
        })
    }

    fn block(&mut self, word: &str) {
        match word {
            "if" | "for" | "with" | "filter" | "autoescape" => self.blocks.push(1),
            // To the compiler it stands within the branch before it.
            "elif" => self.blocks.iter_mut().last().into_iter().for_each(|n| *n += 1),
            word if word.starts_with("end") => drop(self.blocks.pop()),
            _ => {}
        }
    }
}

/// Whether a value can leave an expression: not too large when written out, not too deep.
pub(super) fn check(value: &Value) -> Result<(), RenderError> {
    measure(value, &mut { MAX_OUTPUT })
}

/// What is left for all the templates of one tree together.
pub(super) struct Left {
    bytes: usize,
    /// Steps that may have been taken by its end.
    steps: u64,
}

impl Left {
    /// For a tree that begins when so many steps have been taken.
    pub(super) fn new(spent: u64) -> Left {
        Left {
            bytes: MAX_OUTPUT,
            steps: spent.saturating_add(FUEL),
        }
    }

    /// A part's value has been made.
    pub(super) fn take(&mut self, value: &Value, spent: u64) -> Result<(), RenderError> {
        measure(value, &mut self.bytes)?;
        self.take_bytes(0, spent)
    }

    /// A part's text has been made.
    pub(super) fn take_bytes(&mut self, bytes: usize, spent: u64) -> Result<(), RenderError> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_much)?;
        if spent > self.steps {
            return Err(RenderError(format!(
                "the templates of this value take more than {FUEL} steps together"
            )));
        }
        Ok(())
    }
}

fn measure(value: &Value, left: &mut usize) -> Result<(), RenderError> {
    visit(value, 0, &mut |depth, bytes| {
        let part = if depth == 0 { 0 } else { PART };
        *left = left.checked_sub(bytes + part).ok_or_else(too_much)?;
        Ok(())
    })
}

/// Takes a value and everything in it, with how deep it stands and how many bytes of text it is; ends
/// at the first error.
pub(super) fn visit(
    value: &Value,
    depth: usize,
    take: &mut dyn FnMut(usize, usize) -> Result<(), RenderError>,
) -> Result<(), RenderError> {
    take(depth, value.as_bytes().map_or(0, <[u8]>::len))?;
    if depth > MAX_DEPTH {
        return Err(RenderError(format!(
            "this value is nested more than {MAX_DEPTH} deep"
        )));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter()? {
                visit(&item, depth + 1, take)?;
            }
        }
        ValueKind::Map => {
            for key in value.try_iter()? {
                visit(&key, depth + 1, take)?;
                visit(&value.get_item(&key)?, depth + 1, take)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn too_much() -> RenderError {
    RenderError(format!(
        "this value has more than {} MiB when written out (each part of it counts as {PART} bytes or more)",
        MAX_OUTPUT >> 20
    ))
}

/// That a rendering yields too much text.
pub(super) fn too_large() -> RenderError {
    RenderError(format!("the output is larger than {} MiB", MAX_OUTPUT >> 20))
}

/// What a limit of minijinja's is called here.
pub(super) fn reached(error: &Error) -> Option<String> {
    let detail = error.detail().unwrap_or_default();
    if detail == "recursion limit exceeded" {
        return Some(format!(
            "loops stand in or call one another more than {MAX_RECURSION} deep"
        ));
    }
    if detail == "range has too many elements" {
        return Some("a range has 100000 entries at the most".into());
    }
    // Nothing but the limit keeps from being written what is rendered.
    if error.kind() == ErrorKind::WriteFailure && detail == "I/O error during rendering" {
        return Some(too_large().0);
    }
    let repeated = detail.starts_with("repeated ") && detail.ends_with("too large");
    (repeated || error.kind() == ErrorKind::OutOfFuel).then(|| {
        format!(
            "this takes more than {FUEL} steps, or makes more than {} MiB of text and lists on the way",
            (FUEL * 64) >> 20
        )
    })
}
