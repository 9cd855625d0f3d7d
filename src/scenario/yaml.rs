//! YAML text → a tree of nodes that know where they stand. The only place that names the parser.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Options, Spanned};

use super::diagnostic::{Diagnostic, Source, Span};

/// The largest scenario file that is read, in bytes.
pub const MAX_FILE: u64 = 4 << 20;
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 100_000;

/// A value in a scenario file.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of value YAML knows (YAML 1.2, core schema).
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing, as written: `~`, `null`, or empty.
    Null(String),
    /// `true` or `false`.
    Bool(bool),
    /// A number, and how it was written (`012`, `1e3`, `0x10`).
    Number(serde_json::Number, String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What it is, for error messages.
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null(_) => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(..) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// A scalar as text, the way it was written.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(s) | Kind::Number(_, s) | Kind::Null(s) => Some(s),
            Kind::Bool(b) => Some(if *b { "true" } else { "false" }),
            _ => None,
        }
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(k, _)| k.scalar() == Some(key))
                .map(|(_, v)| v),
            _ => None,
        }
    }

    /// Whether it is nothing: `~` or left empty.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }
}

/// Parses one document, or says where it is broken.
pub fn parse(source: &Arc<Source>) -> Result<Node, Box<Diagnostic>> {
    if let Some(at) = source.text.find('\0') {
        let span = Span {
            source: source.clone(),
            range: at..at + 1,
        };
        let error = Diagnostic::error(&span, "the file holds a NUL byte, which YAML does not allow");
        return Err(Box::new(error.hint("write it as \"\\0\" in double quotes")));
    }
    match serde_saphyr::from_str_with_options::<Raw>(&source.text, options()) {
        Ok(raw) => Ok(raw.into_node(source)),
        Err(error) => Err(Box::new(broken(source, &error))),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        strict_booleans: true,
        with_snippet: false,
    }
}

fn broken(source: &Arc<Source>, error: &serde_saphyr::Error) -> Diagnostic {
    let at = error
        .location()
        .map_or(0, |location| start_of(&source.text, &location));
    let span = Span {
        source: source.clone(),
        range: at..at,
    };
    let text = error.without_snippet().to_string();
    let text = text
        .split(" at line ")
        .next()
        .unwrap_or(&text)
        .lines()
        .next()
        .unwrap_or("")
        .trim()
        .to_owned();
    let (message, hint) = in_our_words(&text);
    let hint = hint.map(str::to_owned).or_else(|| trap(source, at));
    Diagnostic::error(&span, message).maybe_hint(hint.or_else(|| in_brackets(&text)))
}

/// The parser's own words where a scenario's author can use them, ours where they speak of its API.
fn in_our_words(text: &str) -> (String, Option<&'static str>) {
    if let Some(rest) = text.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(", set ").next().unwrap_or(rest);
        return (
            format!("the key `{key}` stands twice in one mapping"),
            Some("merge the two, or rename one"),
        );
    }
    if text.starts_with("multiple YAML documents") {
        let hint = "remove the `---`, or make two files of it";
        return (
            "the file holds several YAML documents, but a scenario is one".into(),
            Some(hint),
        );
    }
    let too_deep = text.starts_with("recursion limit") || text.contains("budget breached: Depth");
    if too_deep {
        return (
            format!("the document is nested deeper than {MAX_DEPTH} levels"),
            None,
        );
    }
    if text.starts_with("budget breached") {
        let hint = "are there aliases of aliases, or thousands of entries that a template could make?";
        return (
            "the document is too large once its aliases are expanded (budget exceeded)".into(),
            Some(hint),
        );
    }
    (format!("this is not valid YAML: {text}"), None)
}

/// The traps that scenario authors fall into, recognised by the line that does not parse.
fn trap(source: &Source, at: usize) -> Option<String> {
    let start = source.text[..at].rfind('\n').map_or(0, |i| i + 1);
    let line = source.text[start..].lines().next().unwrap_or("");
    let value = line.split_once(": ").map(|(_, v)| v.trim())?;
    if value.starts_with("{{") {
        return Some(format!("an expression must be in quotes: \"{value}\""));
    }
    if value.starts_with(['"', '\'']) && !value.ends_with(value.chars().next()?) {
        if value[1..].find(value.chars().next()?).is_none() {
            return Some("close the quote".into());
        }
        return Some("an expression that begins with a quote must be in quotes as a whole: '…'".into());
    }
    if value.starts_with(['@', '`', '%']) || value.contains(": ") {
        return Some("put the value in quotes".into());
    }
    line.contains('\t').then(|| "indent with spaces, not tabs".into())
}

/// Within brackets more characters end a text than outside.
fn in_brackets(text: &str) -> Option<String> {
    let hint = "inside [ ] and { } a text that holds { } [ ] or a comma must be in quotes";
    text.starts_with("while parsing a flow").then(|| hint.to_owned())
}

fn start_of(text: &str, location: &Location) -> usize {
    if let Some(offset) = location.span().byte_offset() {
        return floor(text, offset as usize);
    }
    let line: usize = text
        .split_inclusive('\n')
        .take(location.line().saturating_sub(1) as usize)
        .map(str::len)
        .sum();
    floor(text, line + location.column().saturating_sub(1) as usize)
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The tree as the parser gives it: kinds with the parser's locations.
struct Raw(Spanned<RawKind>);

enum RawKind {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn into_node(self, source: &Arc<Source>) -> Node {
        let span = span_of(source, &self.0.defined);
        let written = || span.text().trim().to_owned();
        let kind = match self.0.value {
            RawKind::Null => Kind::Null(written()),
            RawKind::Bool(b) => Kind::Bool(b),
            RawKind::Number(n) => {
                let text = if span.range.is_empty() {
                    n.to_string()
                } else {
                    written()
                };
                Kind::Number(padded(&text).unwrap_or(n), text)
            }
            RawKind::Text(s) => Kind::Text(s),
            RawKind::List(items) => Kind::List(items.into_iter().map(|r| r.into_node(source)).collect()),
            RawKind::Map(items) => Kind::Map(
                items
                    .into_iter()
                    .map(|(k, v)| (k.into_node(source), v.into_node(source)))
                    .collect(),
            ),
        };
        Node { span, kind }
    }
}

fn span_of(source: &Arc<Source>, location: &Location) -> Span {
    let start = start_of(&source.text, location);
    let len = location.span().byte_len().unwrap_or(0) as usize;
    let end = floor(&source.text, start + len);
    let trimmed = source.text[start..end].trim_end().len();
    Span {
        source: source.clone(),
        range: start..start + trimmed,
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        Spanned::deserialize(deserializer).map(Raw)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawKind, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

/// A whole number with zeros in front, which the parser takes for one with a fraction.
fn padded(text: &str) -> Option<serde_json::Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    padded
        .then(|| text.strip_prefix('+').unwrap_or(text).parse::<i64>().ok())?
        .map(Into::into)
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any YAML value")
    }
    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Null)
    }
    fn visit_none<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<RawKind, E> {
        Ok(RawKind::Bool(b))
    }
    fn visit_i64<E>(self, n: i64) -> Result<RawKind, E> {
        Ok(RawKind::Number(n.into()))
    }
    fn visit_u64<E>(self, n: u64) -> Result<RawKind, E> {
        Ok(RawKind::Number(n.into()))
    }
    fn visit_f64<E>(self, n: f64) -> Result<RawKind, E> {
        // JSON knows no infinity: such a number stays the text it was written as.
        Ok(serde_json::Number::from_f64(n).map_or_else(|| RawKind::Text(n.to_string()), RawKind::Number))
    }
    fn visit_str<E>(self, s: &str) -> Result<RawKind, E> {
        Ok(RawKind::Text(s.to_owned()))
    }
    fn visit_string<E>(self, s: String) -> Result<RawKind, E> {
        Ok(RawKind::Text(s))
    }
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<RawKind, E> {
        Ok(RawKind::Text(crate::text::from_bytes(bytes)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawKind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawKind::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawKind, A::Error> {
        let mut items = Vec::new();
        while let Some(entry) = map.next_entry()? {
            items.push(entry);
        }
        Ok(RawKind::Map(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Result<Node, Box<Diagnostic>> {
        parse(&Arc::new(Source::new("t.yaml", text)))
    }

    #[test]
    fn scalars_keep_how_they_were_written() {
        let node = tree("a: 012\nb: 1e3\nc: ~\nd: null\ne: \"x\"\nf: 0x10\ng:\nh: on\ni: True\n").unwrap();
        let get = |k: &str| node.get(k).unwrap().scalar().unwrap().to_owned();
        assert_eq!(
            [get("a"), get("b"), get("c"), get("d")],
            ["012", "1e3", "~", "null"]
        );
        assert_eq!([get("e"), get("f"), get("g"), get("h")], ["x", "0x10", "", "on"]);
    }

    #[test]
    fn spans_point_at_the_value() {
        let node = tree("x: ☃\nendpoints:\n  - path: /sse\n    'quo': [1, 2]\n").unwrap();
        let Kind::List(items) = &node.get("endpoints").unwrap().kind else {
            panic!()
        };
        let path = items[0].get("path").unwrap();
        assert_eq!(path.span.position(), (3, 11));
        assert_eq!(path.span.text(), "/sse");
    }

    #[test]
    fn anchors_and_merge_keys_work() {
        let node = tree("a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\n").unwrap();
        let b = node.get("b").unwrap();
        assert_eq!(b.get("x").unwrap().scalar(), Some("1"));
        assert_eq!(b.get("y").unwrap().scalar(), Some("3"));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "[".repeat(5000);
        let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
        for (prev, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            let refs = vec![format!("*{prev}"); 9].join(",");
            bomb += &format!("{next}: &{next} [{refs}]\n");
        }
        for text in [
            deep.as_str(),
            &bomb,
            "a: 1\na: 2\n",
            "a: b: c\n",
            "a: \"x\" in y\n",
            "a: \0",
        ] {
            assert!(tree(text).is_err(), "{}", &text[..text.len().min(40)]);
        }
    }
}
