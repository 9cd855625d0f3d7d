//! What can never be a condition: an expression that always yields the same kind of something.

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};
use minijinja::value::ValueKind;

use super::Fault;

/// Why an expression would hold always (or never), if that can be seen.
pub(super) fn never_one(expr: &Expr) -> Option<Fault> {
    let (what, holds) = match expr {
        Expr::Const(literal) => match literal.value.kind() {
            ValueKind::Bool => return None,
            ValueKind::String => ("a text", literal.value.is_true()),
            ValueKind::Number => ("a number", literal.value.is_true()),
            _ => ("nothing", false),
        },
        Expr::List(list) => ("a list", !list.items.is_empty()),
        Expr::Tuple(tuple) => ("a list", !tuple.items.is_empty()),
        Expr::Map(map) => ("a mapping", !map.keys.is_empty()),
        Expr::UnaryOp(op) => match op.op {
            UnaryOpKind::Not => return never_one(&op.expr),
            UnaryOpKind::Neg => return Some(no_comparison("a number")),
        },
        Expr::BinOp(op) => match op.op {
            // `path == "/a" or "/b"`: the second is a text of its own.
            BinOpKind::ScAnd | BinOpKind::ScOr => {
                return never_one(&op.left).or_else(|| never_one(&op.right));
            }
            BinOpKind::Concat => return Some(no_comparison("a text")),
            BinOpKind::Add
            | BinOpKind::Sub
            | BinOpKind::Mul
            | BinOpKind::Div
            | BinOpKind::FloorDiv
            | BinOpKind::Rem
            | BinOpKind::Pow => return Some(no_comparison("a calculation")),
            _ => return None,
        },
        _ => return None,
    };
    let always = if holds { "always" } else { "never" };
    Some(fault(format!(
        "this is {what}, not a condition: it would {always} hold"
    )))
}

fn no_comparison(what: &str) -> Fault {
    fault(format!("this is {what}, not a condition"))
}

fn fault(message: String) -> Fault {
    Fault {
        message,
        hint: Some("compare it: request.path == \"…\"".into()),
        word: String::new(),
    }
}
