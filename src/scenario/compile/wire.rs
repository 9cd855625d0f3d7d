//! How events become bytes and bytes become writes.

use std::collections::HashSet;
use std::sync::Arc;

use super::Compiler;
use super::layers::Layers;
use super::place::Place;
use crate::scenario::decode::{At, Scalar};
use crate::scenario::file::{CompressFile, SplitFile};
use crate::scenario::model::{Compression, Pace, Split, Wire};
use crate::spelling::suggest;
use crate::wire::{Coding, Eol, Field, Framing, Inside, SplitAt, Style};

const FIELDS: &[(&str, Field)] = &[
    ("comment", Field::Comment),
    ("event", Field::Event),
    ("data", Field::Data),
    ("id", Field::Id),
    ("retry", Field::Retry),
];

const CODINGS: &[(&str, Coding)] = &[
    ("zstd", Coding::Zstd),
    ("br", Coding::Brotli),
    ("gzip", Coding::Gzip),
];

impl Compiler<'_> {
    /// The shape of a stream's bytes.
    pub(super) fn wire(&mut self, layers: &Layers, place: &Place) -> Wire {
        let ends = [("lf", Eol::Lf), ("crlf", Eol::Crlf), ("cr", Eol::Cr)];
        let eol = self.one_of(layers.wire(|w| w.eol.as_ref()), "line end", &ends);
        let order = layers.wire(|w| w.order.as_ref());
        let split = layers.wire(|w| w.split.as_ref());
        Wire {
            style: Style {
                eol: eol.unwrap_or(Eol::Lf),
                space: layers.wire(|w| w.space.as_ref()).is_none_or(|at| at.value),
                order: order.map_or(Style::STANDARD.order, |list| self.order(list)),
            },
            boms: layers.wire(|w| w.bom.as_ref()).map_or(0, |bom| self.boms(bom)),
            split: split.and_then(|s| self.split(s, &place.names)),
        }
    }

    fn boms(&mut self, scalar: &Scalar) -> u8 {
        match scalar.text.as_deref() {
            None | Some("false") => 0,
            Some("true") => 1,
            Some("twice") => 2,
            Some(other) => {
                let message = format!("`{other}` does not say how many byte order marks");
                self.error_hint(&scalar.span, message, "use true, false or twice");
                0
            }
        }
    }

    /// Fields in the order wished for, then the others.
    fn order(&mut self, list: &[At<String>]) -> [Field; 5] {
        let mut order: Vec<Field> = Vec::new();
        for at in list {
            let Some(field) = self.one_of(Some(at), "field", FIELDS) else {
                continue;
            };
            if order.contains(&field) {
                self.error(
                    &at.span,
                    format!("the field `{}` stands twice in `order`", at.value),
                );
                continue;
            }
            order.push(field);
        }
        let rest = FIELDS
            .iter()
            .map(|(_, field)| *field)
            .filter(|f| !order.contains(f));
        let rest: Vec<Field> = rest.collect();
        order.extend(rest);
        order.try_into().unwrap_or(Style::STANDARD.order)
    }

    /// How bytes are cut into writes.
    pub(super) fn split(&mut self, at: &At<SplitFile>, names: &[String]) -> Option<Arc<Split>> {
        let cuts = self.cuts(at);
        let gap = at.value.gap.as_ref().and_then(|d| self.pace(d, names));
        Some(Arc::new(Split {
            at: cuts?,
            gap: gap.unwrap_or(Pace::ZERO),
        }))
    }

    fn cuts(&mut self, at: &At<SplitFile>) -> Option<SplitAt> {
        let file = &at.value;
        match (&file.every, &file.at, &file.random, &file.inside) {
            (Some(every), None, None, None) => {
                if every.value == 0 {
                    self.error(&every.span, "a write has at least 1 byte");
                }
                Some(SplitAt::Every(every.value as usize))
            }
            (None, Some(list), None, None) => self.places(&list.0, at),
            (None, None, Some(random), None) => {
                let numbers = self.numbers(random)?;
                if numbers.low == 0 {
                    self.error_hint(
                        &random.span,
                        "a write has at least 1 byte",
                        "begin with 1: `1..8`",
                    );
                }
                Some(SplitAt::Random {
                    low: numbers.low as usize,
                    high: numbers.high as usize,
                })
            }
            (None, None, None, inside @ Some(_)) => {
                let known = [
                    ("utf8", Inside::Utf8),
                    ("crlf", Inside::Crlf),
                    ("bom", Inside::Bom),
                ];
                self.one_of(inside.as_ref(), "place to cut inside", &known)
                    .map(SplitAt::Inside)
            }
            (None, None, None, None) => {
                let hint = "add one of `every`, `at`, `random`, `inside`";
                self.error_hint(&at.span, "this `split` does not say where to cut", hint);
                None
            }
            _ => {
                let message = "a `split` cuts in one way: by `every`, `at`, `random` or `inside`";
                self.error_hint(&at.span, message, "keep one of them");
                None
            }
        }
    }

    fn places(&mut self, list: &[At<u64>], at: &At<SplitFile>) -> Option<SplitAt> {
        if list.is_empty() {
            self.error(&at.span, "this `split` cuts nowhere");
            return None;
        }
        let mut before = 0;
        for place in list {
            if place.value <= before {
                let message = "cuts are numbers of bytes from the beginning, each larger than the one before";
                self.error_hint(&place.span, message, "for example `at: [3, 7]`");
                return None;
            }
            before = place.value;
        }
        Some(SplitAt::At(
            list.iter().map(|place| place.value as usize).collect(),
        ))
    }

    /// How the end of a body is told.
    pub(super) fn framing(&mut self, layers: &Layers) -> Option<Framing> {
        let known = [
            ("chunked", Framing::Chunked),
            ("sized", Framing::Sized),
            ("close", Framing::Close),
        ];
        self.one_of(layers.wire(|w| w.framing.as_ref()), "framing", &known)
    }

    /// What a body may be compressed with, best first.
    pub(super) fn compress(&mut self, at: &At<CompressFile>) -> Compression {
        let list = match &at.value {
            CompressFile::Switch(false) => return Vec::new(),
            CompressFile::Switch(true) => return CODINGS.iter().map(|(_, coding)| *coding).collect(),
            CompressFile::Codings(list) => list,
        };
        let mut seen = HashSet::new();
        let codings = list.iter().filter_map(|at| {
            if !seen.insert(at.value.clone()) {
                self.error(&at.span, format!("the coding `{}` stands twice", at.value));
            }
            self.one_of(Some(at), "coding", CODINGS)
        });
        codings.collect()
    }

    /// A word out of a few.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        at: Option<&At<String>>,
        what: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        let at = at?;
        let found = known.iter().find(|(name, _)| *name == at.value);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let message = format!("`{}` is no {what}", at.value);
            self.error_hint(&at.span, message, suggest(&at.value, &names));
        }
        found.map(|(_, value)| *value)
    }
}
