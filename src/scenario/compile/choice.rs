//! One answer or a choice of answers, and what must not stand at one place together.

use std::sync::Arc;

use super::Compiler;
use super::end::ENDINGS;
use super::layers::{Layers, bodies};
use super::place::Place;
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::file::{AnswerFile, EntryFile};
use crate::scenario::model::{Body, Choice, Entry};
use crate::scenario::pattern::Pattern;
use crate::scenario::preset::Expansion;

/// The names that presets use.
const NEEDED: &[&str] = &["request", "seq", "state", "uuid"];

/// A place that answers: an endpoint or an entry.
pub(super) struct Outline<'a> {
    /// What to call it.
    pub what: &'static str,
    /// Where to point.
    pub at: &'a Span,
    pub attempts: Option<&'a Vec<At<EntryFile>>>,
    pub cases: Option<&'a Vec<At<EntryFile>>>,
    /// What it says itself.
    pub own: &'a AnswerFile,
}

/// The two kinds of choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Attempts,
    Cases,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Kind::Attempts => "attempts",
            Kind::Cases => "cases",
        }
    }
}

impl Compiler<'_> {
    /// What a place answers; `around` are the choices it stands in.
    pub(super) fn choice<'a>(
        &mut self,
        outline: &Outline<'a>,
        outer: &Layers<'a>,
        paths: &[Pattern],
        place: &Place,
        around: &[Kind],
    ) -> Option<Choice> {
        let layers = outer.with(outline.own);
        self.check_bodies(outline);
        let choice = match (outline.attempts, outline.cases) {
            (Some(_), Some(_)) => {
                let message = format!("{} has `attempts` and `cases` side by side", outline.what);
                let hint = "put the one into an entry of the other, or make two endpoints";
                self.error_hint(outline.at, message, hint);
                None
            }
            (Some(list), None) => self
                .entries(list, outline, &layers, paths, place, around, Kind::Attempts)
                .map(Choice::Attempts),
            (None, Some(list)) => self
                .entries(list, outline, &layers, paths, place, around, Kind::Cases)
                .map(Choice::Cases),
            (None, None) => match layers.body().and_then(AnswerFile::preset) {
                Some(preset) => self.preset(preset, outline, &layers, paths, place),
                None => {
                    let answer = self.answer(outline, &layers, paths, place);
                    Some(Choice::Answer(Arc::new(answer)))
                }
            },
        };
        if let Some(choice) = &choice {
            self.check_stream_keys(outline, choice);
        }
        self.check_head(outline);
        choice
    }

    /// The ordinary answers that a preset stands for.
    fn preset<'a>(
        &mut self,
        preset: &'a Expansion,
        outline: &Outline<'a>,
        layers: &Layers<'a>,
        paths: &[Pattern],
        place: &Place,
    ) -> Option<Choice> {
        let inner = Outline {
            what: "this preset",
            at: &preset.span,
            ..*outline
        };
        if preset.entries.is_empty() {
            return None; // what is wrong with it has been said
        }
        self.check_preset(preset, layers, place);
        let layers = layers.above(&preset.base);
        let entries = self.entries(&preset.entries, &inner, &layers, paths, place, &[], Kind::Cases)?;
        Some(match entries.as_slice() {
            [Entry { when: None, choice }] => choice.clone(),
            _ => Choice::Cases(entries),
        })
    }

    /// What stands around a preset and would hide what it needs, or be hidden by it.
    fn check_preset(&mut self, preset: &Expansion, layers: &Layers, place: &Place) {
        let key = preset.api.key;
        let lets = layers
            .all()
            .filter_map(|layer| layer.r#let.as_ref())
            .flat_map(|lets| &lets.0);
        let lets: Vec<_> = lets.map(|(name, _)| (&name.value, &name.span)).collect();
        let captured = place.names.iter().map(|name| (name, &preset.span));
        for (name, span) in captured.chain(lets) {
            if NEEDED.contains(&name.as_str()) || name.starts_with('_') {
                let message = format!("the name `{name}` hides what `{key}` is made of");
                self.error_hint(
                    span,
                    message,
                    "give it another name, without `_` at its beginning",
                );
            }
        }
        let answers = || preset.entries.iter().map(|entry| &entry.value.answer);
        let after = layers.last(|layer| layer.after.as_ref());
        if let Some(after) = after.filter(|_| answers().any(|answer| answer.after.is_some())) {
            let message = format!("`after` stands beside a `pace`: when `{key}` answers is said there");
            self.error_hint(&after.0.span, message, "add it to `first_token`");
        }
        let status = layers.last(|layer| layer.status.as_ref());
        if let Some(status) = status.filter(|_| answers().any(|answer| answer.status.is_some())) {
            let message = format!("the status of an error of `{key}` is not said here");
            self.error_hint(&status.span, message, "write it into `error`");
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what a place is takes all of these")]
    fn entries<'a>(
        &mut self,
        list: &'a [At<EntryFile>],
        outline: &Outline<'a>,
        layers: &Layers<'a>,
        paths: &[Pattern],
        place: &Place,
        around: &[Kind],
        kind: Kind,
    ) -> Option<Vec<Entry>> {
        let key = kind.key();
        if around.contains(&kind) {
            let message = format!("`{key}` stands inside `{key}`: either may hold the other, once");
            self.error_hint(outline.at, message, "write the entries into one list");
            return None;
        }
        if list.is_empty() {
            let message = format!("`{key}` has no entries, so nothing is ever answered");
            self.error_hint(outline.at, message, "add an entry: `- status: 200`");
            return None;
        }
        let around = [around, &[kind]].concat();
        let mut entries = Vec::new();
        let mut closed: Option<Span> = None;
        for file in list {
            let when = file.value.when.as_ref();
            let inner = Outline {
                what: "this entry",
                at: &file.span,
                attempts: file.value.attempts.as_ref(),
                cases: file.value.cases.as_ref(),
                own: &file.value.answer,
            };
            let condition = when.and_then(|w| self.when(w, place, &layers.with(&file.value.answer)));
            let choice = self.choice(&inner, layers, paths, place, &around);
            if let Some(closed) = &closed {
                self.unreachable_case(&file.span, closed);
            }
            if let Some(choice) = choice {
                let open = when.is_some() || falls_through(&choice);
                if kind == Kind::Cases && closed.is_none() && !open {
                    closed = Some(file.span.clone());
                }
                entries.push(Entry {
                    when: condition,
                    choice,
                });
            }
        }
        Some(entries)
    }

    /// One body at most at one place.
    fn check_bodies(&mut self, outline: &Outline) {
        if let [first, second, ..] = bodies(outline.own).as_slice() {
            let what = outline.what;
            let message = format!("an answer has one body, but {what} has `{first}` and `{second}`");
            self.error(outline.at, message);
        }
    }

    /// Keys that only streams have; at an endpoint they may be for some of its entries.
    fn check_stream_keys(&mut self, outline: &Outline, choice: &Choice) {
        if streams(choice) {
            return;
        }
        let own = outline.own;
        let wire = own.wire.as_ref();
        let shapes = wire.filter(|w| {
            let w = &w.value;
            let shaped = w.eol.is_some() || w.bom.is_some() || w.space.is_some();
            shaped || w.order.is_some() || w.split.is_some()
        });
        let faults = own.faults.as_ref().and_then(|f| f.0.first());
        let keys = [
            ("heartbeat", own.heartbeat.as_ref().map(|h| &h.0.span)),
            ("throttle", own.throttle.as_ref().map(|t| &t.span)),
            ("faults", faults.map(|f| &f.span)),
            ("limits", own.limits.as_ref().map(|l| &l.span)),
            ("resume", own.resume.as_ref().map(|r| &r.span)),
            ("finally", own.finally.as_ref().map(|f| &f.span)),
            ("wire", shapes.map(|w| &w.span)),
        ];
        for (key, span) in keys {
            if let Some(span) = span {
                self.error(span, format!("`{key}` needs a `stream`"));
            }
        }
        if let (Some(end), Some(compress)) = (&own.end, &own.compress) {
            let message = "nothing is answered, so nothing is compressed";
            let diagnostic = Diagnostic::error(&compress.span, message);
            self.errors
                .push(diagnostic.related(&end.span, "the end without an answer"));
        }
    }

    /// What a head may say where.
    fn check_head(&mut self, outline: &Outline) {
        let own = outline.own;
        if let (None, Some(code)) = (&own.end, &own.code) {
            self.ending(None, Some(code), ENDINGS);
        }
        let spoken = [
            ("status", own.status.is_some()),
            ("reason", own.reason.is_some()),
            ("headers", own.headers.is_some()),
            ("raw_head", own.raw_head.is_some()),
        ];
        let spoken: Vec<&str> = spoken
            .into_iter()
            .filter_map(|(key, there)| there.then_some(key))
            .collect();
        if let (Some(end), Some(key)) = (&own.end, spoken.first()) {
            let message = format!("`end` answers nothing at all, so `{key}` is never sent");
            self.error_hint(
                &end.span,
                message,
                format!("remove `{key}`, or answer with a `stream` that ends so"),
            );
        }
        let dictated = ["reason", "headers"].into_iter().find(|key| spoken.contains(key));
        if let (Some(_), Some(key)) = (&own.raw_head, dictated) {
            let message = format!("`raw_head` is the whole head, so `{key}` beside it is never sent");
            self.error_hint(
                outline.at,
                message,
                format!("write it into `raw_head`, or remove `{key}`"),
            );
        }
        if let (Some(status), Some(body)) = (&own.status, bodies(own).first()) {
            let code = status.text.as_deref().unwrap_or("");
            let empty = *body == "body"
                && own
                    .body
                    .as_ref()
                    .is_some_and(|b| b.text.as_deref().unwrap_or("").is_empty());
            if ["204", "205", "304"].contains(&code) && *body != "end" && !empty {
                let message = format!("a {code} has no body: the `{body}` is never sent");
                let hint = format!("remove the `{body}`, or answer with another status");
                self.warn(&status.span, message, hint);
            }
        }
    }
}

/// Whether any of the answers is a stream.
fn streams(choice: &Choice) -> bool {
    match choice {
        Choice::Answer(answer) => matches!(answer.body, Body::Stream(_)),
        Choice::Attempts(entries) | Choice::Cases(entries) => entries.iter().any(|e| streams(&e.choice)),
    }
}

/// Whether a request may go on to the next endpoint.
pub(super) fn falls_through(choice: &Choice) -> bool {
    let open = |entry: &Entry| entry.when.is_some() || falls_through(&entry.choice);
    match choice {
        Choice::Answer(_) => false,
        Choice::Attempts(entries) => entries.iter().any(open),
        Choice::Cases(entries) => entries.iter().all(open),
    }
}
