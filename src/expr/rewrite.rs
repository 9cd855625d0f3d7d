//! A template as it is compiled: with what its operators take and make metered (`meter`).
//!
//! The source is parsed, and written anew with filters around operands: a list compared with a list
//! is read as a whole, a list times a number is made at once. What cannot be more than a number or
//! a text of its own is left alone, and a template without anything to meter is compiled as it was
//! written. Errors and hints are always about the original.

mod expression;
mod kind;

use minijinja::machinery::ast::{self, Expr, Stmt};

use kind::Bound;

/// The source to compile instead of this one; `None` if this one will do.
/// In a `deep` template lists may grow one into the other by many `set`s.
pub(super) fn metered(template: &Stmt, deep: bool) -> Option<String> {
    let written = written(template, deep);
    written.metered.then_some(written.out)
}

fn written(template: &Stmt, deep: bool) -> Writer {
    let mut writer = Writer {
        out: String::new(),
        metered: false,
        deep,
    };
    writer.stmt(template);
    writer
}

struct Writer {
    out: String,
    metered: bool,
    deep: bool,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn filter(&mut self, name: &str) {
        self.metered = true;
        self.put("|");
        self.put(name);
    }

    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => {
                self.put("{{ ");
                self.expr(&emit.expr, Bound::Any);
                self.put(" }}");
            }
            Stmt::EmitRaw(raw) if raw.raw.contains('{') => {
                self.put("{{ ");
                self.text(raw.raw);
                self.put(" }}");
            }
            Stmt::EmitRaw(raw) => self.put(raw.raw),
            Stmt::ForLoop(each) => self.for_loop(each),
            Stmt::IfCond(cond) => {
                self.put("{% if ");
                self.if_cond(cond);
            }
            Stmt::WithBlock(with) => self.with(with),
            Stmt::Set(set) => {
                self.put("{% set ");
                self.target(&set.target);
                self.put(" = ");
                self.kept(&set.expr);
                self.put(" %}");
            }
            Stmt::SetBlock(set) => {
                self.put("{% set ");
                self.target(&set.target);
                if let Some(filter) = &set.filter {
                    self.put("|");
                    self.chain(filter);
                }
                self.block(&set.body, "endset");
            }
            Stmt::AutoEscape(escape) => {
                self.put("{% autoescape ");
                self.expr(&escape.enabled, Bound::Any);
                self.block(&escape.body, "endautoescape");
            }
            Stmt::FilterBlock(filter) => {
                self.put("{% filter ");
                self.chain(&filter.filter);
                self.block(&filter.body, "endfilter");
            }
            Stmt::Do(call) => {
                self.put("{% do ");
                self.call(&call.call);
                self.put(" %}");
            }
        }
    }

    /// From the end of a tag to the end of its block.
    fn block(&mut self, body: &[Stmt], end: &str) {
        self.put(" %}");
        self.body(body);
        self.put("{% ");
        self.put(end);
        self.put(" %}");
    }

    fn for_loop(&mut self, each: &ast::ForLoop) {
        self.put("{% for ");
        self.target(&each.target);
        self.put(" in ");
        self.expr(&each.iter, Bound::Or);
        if let Some(filter) = &each.filter_expr {
            self.put(" if ");
            // A bare `recursive` behind it would belong to a ternary without brackets.
            self.expr(filter, Bound::Or);
        }
        if each.recursive {
            self.put(" recursive");
        }
        self.put(" %}");
        self.body(&each.body);
        self.otherwise(&each.else_body);
        self.put("{% endfor %}");
    }

    fn otherwise(&mut self, body: &[Stmt]) {
        if !body.is_empty() {
            self.put("{% else %}");
            self.body(body);
        }
    }

    fn if_cond(&mut self, cond: &ast::IfCond) {
        self.expr(&cond.expr, Bound::Or);
        self.put(" %}");
        self.body(&cond.true_body);
        if let [Stmt::IfCond(next)] = &cond.false_body[..] {
            self.put("{% elif ");
            return self.if_cond(next);
        }
        self.otherwise(&cond.false_body);
        self.put("{% endif %}");
    }

    fn with(&mut self, with: &ast::WithBlock) {
        self.put("{% with ");
        for (i, (target, value)) in with.assignments.iter().enumerate() {
            self.put(if i > 0 { ", " } else { "" });
            self.target(target);
            self.put(" = ");
            self.kept(value);
        }
        self.block(&with.body, "endwith");
    }

    /// The names on the left of an assignment.
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Var(var) => self.put(var.id),
            Expr::GetAttr(attr) => {
                self.target(&attr.expr);
                self.put(".");
                self.put(attr.name);
            }
            Expr::List(list) => {
                self.put("(");
                for item in &list.items {
                    self.target(item);
                    self.put(", ");
                }
                self.put(")");
            }
            // Nothing else can be assigned to.
            _ => {}
        }
    }

    /// The value of a name: one that is built up step by step must not get too deep to be dropped.
    fn kept(&mut self, value: &Expr) {
        if self.deep {
            self.whole(value, Bound::Any);
        } else {
            self.expr(value, Bound::Any);
        }
    }

    /// Filters without what they are applied to.
    fn chain(&mut self, filter: &Expr) {
        let Expr::Filter(filter) = filter else { return };
        if let Some(before) = &filter.expr {
            self.chain(before);
            self.put("|");
        }
        self.named(filter.name, &filter.args);
    }
}

#[cfg(test)]
mod tests;
