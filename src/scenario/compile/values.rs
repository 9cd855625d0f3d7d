//! Scalars and trees: templates, durations, ids, data.

use serde_json::{Map, Value as Json};

use super::Compiler;
use crate::expr::{Text, Tree, is_template};
use crate::scenario::decode::{Anything, DurationText, Scalar};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::model::{Data, Id, Numbers, Pace};
use crate::scenario::yaml::{Kind, Node};
use crate::scenario::{duration, size};

/// Values of a whole scenario, inherited ones and those of scripts counted each time.
const MOST_VALUES: usize = 1_000_000;

/// A node as JSON, without templates.
pub(super) fn constant(node: &Node) -> Json {
    match &node.kind {
        Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Number(n, _) => Json::Number(n.clone()),
        Kind::Text(s) => Json::String(s.clone()),
        Kind::List(items) => Json::Array(items.iter().map(constant).collect()),
        Kind::Map(entries) => {
            let entry = |(k, v): &(Node, Node)| (k.scalar().unwrap_or("").to_owned(), constant(v));
            Json::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

impl Compiler<'_> {
    /// Text that may hold templates; `None` for `~` or a mistake.
    pub(super) fn text(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let source = crate::text::from_bytes(scalar.text.as_deref()?.as_bytes());
        if !self.spend(&scalar.span) {
            return None;
        }
        self.uses.note(&source);
        if !is_template(&source) {
            return Some(Text::fixed(&source));
        }
        let text = self.at(&scalar.span, |this| this.expressions.text(&source, names));
        text.map_err(|fault| self.fault(&scalar.span, fault)).ok()
    }

    /// Counts a value; false when there are too many. A file is bounded, but entries inherit and scripts
    /// run again and again.
    pub(super) fn spend(&mut self, span: &Span) -> bool {
        self.spent += 1;
        if self.spent == MOST_VALUES + 1 {
            let message =
                "the scenario is too large once its entries have inherited and its scripts are run out";
            let hint =
                format!("it may have {MOST_VALUES} values: let fewer entries inherit, run fewer scripts");
            self.error_hint(span, message, hint);
        }
        self.spent <= MOST_VALUES
    }

    /// A duration, a range, or a template of either.
    pub(super) fn pace(&mut self, file: &DurationText, names: &[String]) -> Option<Pace> {
        match self.text(&file.0, names)? {
            Text::Fixed(text) => match duration::parse_range(&text) {
                Ok(range) => Some(Pace::Range {
                    low: range.low,
                    high: range.high,
                }),
                Err(message) => {
                    self.error(&file.0.span, message);
                    None
                }
            },
            template => Some(Pace::Template(template)),
        }
    }

    /// One duration that is known now: neither a range nor a template.
    pub(super) fn duration(&mut self, file: &DurationText) -> Option<std::time::Duration> {
        match self.pace(file, &[])? {
            Pace::Range { low, high } if low == high => Some(low),
            _ => {
                self.error(
                    &file.0.span,
                    "this must be one fixed duration, no range and no template",
                );
                None
            }
        }
    }

    /// A duration, range or template that cannot be 0.
    pub(super) fn some_time(&mut self, file: &DurationText, what: &str, names: &[String]) -> Option<Pace> {
        let pace = self.pace(file, names)?;
        if pace.is_zero() {
            self.error(&file.0.span, format!("{what} of 0 takes no time"));
            return None;
        }
        Some(pace)
    }

    /// A size in bytes.
    pub(super) fn size(&mut self, scalar: &Scalar) -> Option<u64> {
        match size::parse(scalar.text.as_deref().unwrap_or("")) {
            Ok(size) => Some(size),
            Err(message) => {
                self.error(&scalar.span, message);
                None
            }
        }
    }

    /// A size of 1 byte at least.
    pub(super) fn positive_size(&mut self, scalar: &Scalar) -> Option<u64> {
        let size = self.size(scalar)?;
        if size == 0 {
            self.error_hint(
                &scalar.span,
                "a size of 0 lets nothing through",
                "write 1 or more",
            );
            return None;
        }
        Some(size)
    }

    /// A whole number or a range: `3`, `2..10`.
    pub(super) fn numbers(&mut self, scalar: &Scalar) -> Option<Numbers> {
        let number = |text: &str| text.trim().parse().map_err(|_| text.trim().to_owned());
        self.range(
            scalar,
            number,
            "a whole number or a range, for example 3 or 2..10",
        )
    }

    /// A size or a range: `100`, `10..2KiB`.
    pub(super) fn sizes(&mut self, scalar: &Scalar) -> Option<Numbers> {
        let number = |text: &str| size::parse(text).map_err(|_| text.trim().to_owned());
        self.range(scalar, number, "a size or a range, for example 100 or 10..2KiB")
    }

    fn range(
        &mut self,
        scalar: &Scalar,
        read: impl Fn(&str) -> Result<u64, String>,
        expected: &str,
    ) -> Option<Numbers> {
        let text = scalar.text.as_deref().unwrap_or("");
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        match (read(low), read(high)) {
            (Ok(low), Ok(high)) if low <= high => Some(Numbers { low, high }),
            (Ok(_), Ok(_)) => {
                let message = format!("the range `{text}` runs backwards: put the smaller number first");
                self.error(&scalar.span, message);
                None
            }
            (Err(wrong), _) | (_, Err(wrong)) => {
                self.error(&scalar.span, format!("`{wrong}` is not {expected}"));
                None
            }
        }
    }

    /// `uuid`, `counter`, or a template.
    pub(super) fn id(&mut self, scalar: &Scalar, names: &[String]) -> Option<Id> {
        match scalar.text.as_deref() {
            Some("uuid") => Some(Id::Uuid),
            Some("counter") => Some(Id::Counter),
            _ => self.text(scalar, names).map(Id::Text),
        }
    }

    /// An event's data: scalars as written, anything else as JSON.
    pub(super) fn data(&mut self, file: &Anything, names: &[String]) -> Option<Data> {
        let node = &file.0;
        if let Kind::List(items) = &node.kind
            && let [item] = items.as_slice()
            && node.span.text().starts_with('[')
            && item.scalar() == Some("DONE")
        {
            let message = "`[DONE]` without quotes is a list to YAML and would be sent as [\"DONE\"]";
            self.errors.push(
                Diagnostic::error(&node.span, message)
                    .hint("write \"[DONE]\" with quotes; for the list write [\"DONE\"]"),
            );
        }
        match node.scalar() {
            Some("~" | "") if node.is_null() => None,
            Some(text) => {
                let scalar = Scalar {
                    span: node.span.clone(),
                    text: Some(text.to_owned()),
                };
                self.text(&scalar, names).map(Data::Text)
            }
            None => Some(Data::Json(self.tree(node, names))),
        }
    }

    /// A tree of values with templates in its texts.
    pub(super) fn tree(&mut self, node: &Node, names: &[String]) -> Tree {
        if !self.spend(&node.span) {
            return Tree::Fixed(Json::Null);
        }
        match &node.kind {
            Kind::List(items) => {
                let items: Vec<Tree> = items.iter().map(|item| self.tree(item, names)).collect();
                let fixed: Option<Vec<Json>> = items.iter().map(|t| t.as_fixed().cloned()).collect();
                fixed.map_or(Tree::List(items), |list| Tree::Fixed(Json::Array(list)))
            }
            Kind::Map(entries) => self.map(entries, names),
            Kind::Text(text) => {
                let scalar = Scalar {
                    span: node.span.clone(),
                    text: Some(text.clone()),
                };
                match self.text(&scalar, names) {
                    Some(Text::Fixed(text)) => Tree::Fixed(Json::String(text.to_string())),
                    Some(text) => Tree::Text(text),
                    None => Tree::Fixed(Json::Null),
                }
            }
            _ => Tree::Fixed(constant(node)),
        }
    }

    fn map(&mut self, entries: &[(Node, Node)], names: &[String]) -> Tree {
        let mut all = Vec::new();
        for (key, value) in entries {
            if key.scalar().is_none() {
                let error = Diagnostic::error(
                    &key.span,
                    format!("a key must be text, this one is {}", key.describe()),
                );
                self.errors
                    .push(error.hint("an expression must be in quotes: \"{{ … }}\""));
                continue;
            }
            let text = key.scalar().map(str::to_owned);
            let scalar = Scalar {
                span: key.span.clone(),
                text,
            };
            if let Some(key) = self.text(&scalar, names) {
                all.push((key, self.tree(value, names)));
            }
        }
        let fixed = |(key, value): &(Text, Tree)| match (key, value.as_fixed()) {
            (Text::Fixed(key), Some(value)) => Some((key.to_string(), value.clone())),
            _ => None,
        };
        let map: Option<Map<String, Json>> = all.iter().map(fixed).collect();
        map.map_or(Tree::Map(all), |map| Tree::Fixed(Json::Object(map)))
    }
}
