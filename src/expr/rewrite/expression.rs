//! Expressions as they are compiled: operands with the filters of `meter` around them.

use std::fmt::Write;

use minijinja::Value;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, CallType, Expr, UnaryOpKind};
use minijinja::value::ValueKind;

use super::Writer;
use super::kind::{Bound, bound_of, compare_sign, is_costly_key, is_lazy, is_scalar, may_be_long, sign};
use crate::expr::meter::{AT, MADE, METERED};

impl Writer {
    /// An operand that is read as a whole.
    pub(super) fn whole(&mut self, expr: &Expr, bound: Bound) {
        if is_scalar(expr) {
            return self.expr(expr, bound);
        }
        self.bracketed(Bound::Filter, bound, |out| {
            out.expr(expr, Bound::Filter);
            out.filter(METERED);
        });
    }

    /// An expression; a list that would be made anew each time it is walked is made at once.
    pub(super) fn expr(&mut self, expr: &Expr, bound: Bound) {
        if !is_lazy(expr) {
            return self.plain(expr, bound);
        }
        self.bracketed(Bound::Filter, bound, |out| {
            out.plain(expr, Bound::Filter);
            out.filter(MADE);
        });
    }

    /// A term of a sum or product, which is made with it.
    fn term(&mut self, expr: &Expr, bound: Bound) {
        match expr {
            Expr::BinOp(op) if matches!(op.op, BinOpKind::Add | BinOpKind::Mul) => self.plain(expr, bound),
            _ => self.expr(expr, bound),
        }
    }

    fn bracketed(&mut self, own: Bound, bound: Bound, inside: impl FnOnce(&mut Writer)) {
        if own >= bound {
            return inside(self);
        }
        self.put("(");
        inside(self);
        self.put(")");
    }

    fn plain(&mut self, expr: &Expr, bound: Bound) {
        self.bracketed(bound_of(expr), bound, |out| out.bare(expr));
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(var) => self.put(var.id),
            Expr::Const(literal) => self.literal(&literal.value),
            Expr::Slice(slice) => self.slice(slice),
            Expr::UnaryOp(op) => self.unary(op),
            Expr::BinOp(op) => self.binary(op),
            Expr::Compare(compare) => {
                self.whole(&compare.expr, Bound::Sum);
                for next in &compare.ops {
                    self.put(compare_sign(next.op));
                    self.whole(&next.expr, Bound::Sum);
                }
            }
            Expr::IfExpr(either) => self.either(either),
            Expr::Filter(filter) => {
                if let Some(input) = &filter.expr {
                    self.expr(input, Bound::Filter);
                    self.put("|");
                }
                self.named(filter.name, &filter.args);
            }
            Expr::Test(test) => {
                self.expr(&test.expr, Bound::Filter);
                self.put(" is ");
                self.put(test.name);
                // With brackets always: what stands behind would be taken for an argument.
                self.args(&test.args, false);
            }
            Expr::GetAttr(attr) => {
                self.expr(&attr.expr, Bound::Primary);
                self.put(".");
                self.put(attr.name);
            }
            Expr::GetItem(item) => self.item(item),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list("[", &list.items, "]"),
            Expr::Tuple(tuple) if tuple.items.len() == 1 => self.list("(", &tuple.items, ",)"),
            Expr::Tuple(tuple) => self.list("(", &tuple.items, ")"),
            Expr::Map(map) => self.map(map),
        }
    }

    fn literal(&mut self, value: &Value) {
        match value.as_str() {
            Some(text) => self.text(text),
            None if value.kind() == ValueKind::Number && !value.is_integer() => {
                let number = f64::try_from(value.clone()).unwrap_or_default();
                // A literal cannot be negative or no number, but it can be too large.
                let _ = match number.is_finite() {
                    true => write!(self.out, "{number:?}"),
                    false => write!(self.out, "1e999"),
                };
            }
            None => {
                let _ = write!(self.out, "{value}");
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.put("\"");
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                self.put("\\");
            }
            self.out.push(c);
        }
        self.put("\"");
    }

    fn slice(&mut self, slice: &ast::Slice) {
        if is_scalar(&slice.expr) {
            self.expr(&slice.expr, Bound::Primary);
        } else {
            // Lists are cut by walking to where the piece begins.
            self.put("(");
            self.expr(&slice.expr, Bound::Filter);
            self.filter(MADE);
            self.put(")");
        }
        self.put("[");
        for (i, part) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
            self.put(if i > 0 { ":" } else { "" });
            if let Some(part) = part {
                self.expr(part, Bound::Any);
            }
        }
        self.put("]");
    }

    fn unary(&mut self, op: &ast::UnaryOp) {
        match (&op.op, &op.expr) {
            (UnaryOpKind::Not, inner) => {
                self.put("not ");
                self.expr(inner, Bound::Not);
            }
            (UnaryOpKind::Neg, inner @ Expr::UnaryOp(_)) if bound_of(inner) == Bound::Filter => {
                self.put("- ");
                self.bare(inner);
            }
            (UnaryOpKind::Neg, inner) => {
                self.put("-");
                self.expr(inner, Bound::Primary);
            }
        }
    }

    fn binary(&mut self, op: &ast::BinOp) {
        let (sign, own, next) = sign(op.op);
        let either_scalar = is_scalar(&op.left) || is_scalar(&op.right);
        let (left, right) = (&op.left, &op.right);
        match op.op {
            BinOpKind::Add | BinOpKind::Mul => {
                self.term(left, own);
                self.put(sign);
                self.term(right, next);
            }
            BinOpKind::Concat => {
                self.whole(left, own);
                self.put(sign);
                self.whole(right, next);
            }
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
                if !either_scalar =>
            {
                self.whole(left, next);
                self.put(sign);
                self.whole(right, next);
            }
            BinOpKind::In if may_be_long(left) => {
                self.whole(left, next);
                self.put(sign);
                self.whole(right, next);
            }
            _ => {
                // Comparisons cannot stand side by side.
                self.expr(left, if own == Bound::Compare { next } else { own });
                self.put(sign);
                self.expr(right, next);
            }
        }
    }

    fn either(&mut self, either: &ast::IfExpr) {
        self.expr(&either.true_expr, Bound::Or);
        self.put(" if ");
        self.expr(&either.test_expr, Bound::Or);
        if let Some(otherwise) = &either.false_expr {
            self.put(" else ");
            self.expr(otherwise, Bound::Any);
        }
    }

    fn item(&mut self, item: &ast::GetItem) {
        if !is_costly_key(&item.subscript_expr) {
            self.expr(&item.expr, Bound::Primary);
            return self.list("[", std::slice::from_ref(&item.subscript_expr), "]");
        }
        self.expr(&item.expr, Bound::Filter);
        self.filter(AT);
        self.list("(", std::slice::from_ref(&item.subscript_expr), ")");
    }

    pub(super) fn call(&mut self, call: &ast::Call) {
        let whole = match call.identify_call() {
            CallType::Function(name) => {
                self.put(name);
                false
            }
            CallType::Method(object, name) => {
                self.expr(object, Bound::Primary);
                self.put(".");
                self.put(name);
                true
            }
            CallType::Object(object) => {
                self.expr(object, Bound::Primary);
                true
            }
        };
        self.args(&call.args, whole);
    }

    pub(super) fn named(&mut self, name: &str, args: &[CallArg]) {
        self.put(name);
        if !args.is_empty() {
            self.args(args, false);
        }
    }

    fn args(&mut self, args: &[CallArg], whole: bool) {
        self.put("(");
        for (i, arg) in args.iter().enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            match arg {
                CallArg::Pos(value) if whole => self.whole(value, Bound::Any),
                CallArg::Pos(value) => self.expr(value, Bound::Any),
                CallArg::Kwarg(name, value) => {
                    self.put(name);
                    self.put("=");
                    self.expr(value, Bound::Any);
                }
                CallArg::PosSplat(list) => {
                    self.put("*");
                    self.expr(list, Bound::Any);
                }
                CallArg::KwargSplat(map) => {
                    // A filter is charged for the size of what it yields; copying a mapping is free.
                    self.put("**");
                    self.expr(map, Bound::Filter);
                    self.filter(MADE);
                }
            }
        }
        self.put(")");
    }

    fn list(&mut self, open: &str, items: &[Expr], close: &str) {
        self.put(open);
        for (i, item) in items.iter().enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            self.expr(item, Bound::Any);
        }
        self.put(close);
    }

    fn map(&mut self, map: &ast::Map) {
        // Two braces would begin an expression within a template.
        self.put("{ ");
        for (i, (key, value)) in map.keys.iter().zip(&map.values).enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            self.whole(key, Bound::Any);
            self.put(": ");
            self.expr(value, Bound::Any);
        }
        self.put(" }");
    }
}
