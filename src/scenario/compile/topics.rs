//! Topics: their rules, their feeds, and whether anybody uses them.

use std::rc::Rc;

use super::place::{FileScope, Place, Room};
use super::{Compiler, gather};
use crate::expr::Text;
use crate::scenario::decode::{At, Scalar};
use crate::scenario::diagnostic::Span;
use crate::scenario::file::{HistoryFile, HistoryRulesFile, ScenarioFile, TopicFile};
use crate::scenario::model::{Gap, History, Slow, TopicName, TopicRules, TopicSpec};
use crate::scenario::pattern::Pattern;
use crate::scenario::size;
use crate::spelling::suggest;

/// The longest history, in messages.
const MOST_MESSAGES: u64 = 1_000_000;
/// The longest queue, in messages.
const LONGEST_QUEUE: u64 = 65_536;
/// Messages of a history that has only other bounds.
const USUAL_MESSAGES: usize = 1000;

/// What is known of a topic's name where it is used.
enum Named {
    Exactly(String),
    Beginning(String),
    Fitting(Pattern),
}

impl Named {
    fn may_be(&self, topic: &Pattern) -> bool {
        match self {
            Named::Exactly(name) => topic.matches(name).is_some(),
            Named::Beginning(text) => {
                let own = topic.beginning();
                own.starts_with(text) || (text.starts_with(own) && own != topic.source())
            }
            Named::Fitting(pattern) => topic.overlaps(pattern),
        }
    }
}

/// Which topics are published to and followed, and which expressions look at topics.
#[derive(Default)]
pub(super) struct TopicUse {
    published: Vec<Named>,
    followed: Vec<Named>,
    looked_at: Vec<String>,
    /// Topics by name in `topic('…')`.
    pub(super) named: Vec<(Span, String)>,
}

impl TopicUse {
    /// Remembers an expression that looks at a topic.
    pub fn note(&mut self, source: &str) {
        if source.contains("topic(") {
            self.looked_at.push(source.to_owned());
        }
    }

    fn is_published(&self, topic: &Pattern) -> bool {
        self.published.iter().any(|named| named.may_be(topic))
    }

    fn is_followed(&self, topic: &Pattern) -> bool {
        let mentioned = |source: &String| source.contains(topic.beginning());
        self.followed.iter().any(|named| named.may_be(topic)) || self.looked_at.iter().any(mentioned)
    }
}

impl Compiler<'_> {
    /// Declares a topic; its feed follows when all topics are known.
    pub(super) fn topic(&mut self, name: &At<String>, file: &TopicFile) {
        let pattern = match Pattern::parse(&name.value) {
            Ok(pattern) => pattern,
            Err(message) => return self.error(&name.span, message),
        };
        let mut before = self.topics.iter();
        if let Some((first, _)) = before.find(|(_, t)| t.name.source() == name.value) {
            let error = gather::clash(&name.span, first, &format!("the topic `{}`", name.value));
            return self.errors.push(error);
        }
        let rules = self.topic_rules(file);
        let spec = TopicSpec {
            name: pattern,
            rules,
            feed: None,
        };
        self.topics.push((name.span.clone(), spec));
    }

    fn topic_rules(&mut self, file: &TopicFile) -> TopicRules {
        let gaps = [
            ("replay", Gap::Replay),
            ("live", Gap::Live),
            ("error", Gap::Error),
        ];
        let slow = [
            ("disconnect", Slow::Disconnect),
            ("drop_oldest", Slow::DropOldest),
        ];
        TopicRules {
            history: file.history.as_ref().map(|h| self.history(h)).unwrap_or_default(),
            gap: self
                .one_of(file.gap.as_ref(), "way over a gap", &gaps)
                .unwrap_or_default(),
            slow: self
                .one_of(file.slow.as_ref(), "way to treat slow clients", &slow)
                .unwrap_or_default(),
            queue: file.queue.as_ref().and_then(|at| self.queue(at)),
        }
    }

    fn queue(&mut self, at: &At<u64>) -> Option<usize> {
        if at.value == 0 || at.value > LONGEST_QUEUE {
            let message = format!("a queue holds 1 to {LONGEST_QUEUE} messages, not {}", at.value);
            self.error(&at.span, message);
            return None;
        }
        Some(at.value as usize)
    }

    fn history(&mut self, file: &HistoryFile) -> History {
        match file {
            HistoryFile::Count(at) => History {
                count: self.count(at),
                ..Default::default()
            },
            HistoryFile::Rules(at) => self.bounds(&at.value, &at.span),
        }
    }

    fn bounds(&mut self, file: &HistoryRulesFile, span: &Span) -> History {
        if file.count.is_none() && file.age.is_none() && file.bytes.is_none() {
            let message = "this history has no bound: it would keep everything, or nothing";
            self.error_hint(span, message, "give it `count`, `age` or `bytes`");
        }
        let age = file.age.as_ref().and_then(|d| self.duration(d));
        if let (Some(written), Some(age)) = (&file.age, age)
            && age.is_zero()
        {
            self.error(&written.0.span, "a history that is 0 old at most keeps nothing");
        }
        History {
            count: file.count.as_ref().map_or(USUAL_MESSAGES, |at| self.count(at)),
            age,
            bytes: file.bytes.as_ref().and_then(|s| self.kept_bytes(s)),
        }
    }

    fn kept_bytes(&mut self, written: &Scalar) -> Option<u64> {
        let bytes = self.size(written)?;
        if bytes > History::MOST_BYTES {
            let (kept, most) = (size::format(bytes), size::format(History::MOST_BYTES));
            let message = format!("a history of {kept} is too long: at most {most}");
            self.error(&written.span, message);
        }
        Some(bytes)
    }

    fn count(&mut self, at: &At<u64>) -> usize {
        if at.value > MOST_MESSAGES {
            let message = format!(
                "a history of {} messages is too long: at most {MOST_MESSAGES}",
                at.value
            );
            self.error(&at.span, message);
        }
        at.value.min(MOST_MESSAGES) as usize
    }

    /// Compiles the feeds: all topics are declared by now.
    pub(super) fn feeds(&mut self, files: &[ScenarioFile], scopes: &[Rc<FileScope>]) {
        for (file, scope) in files.iter().zip(scopes) {
            for (name, topic) in file.topics.iter().flat_map(|t| &t.0) {
                if let Some(feed) = &topic.feed {
                    self.feed(name, feed, scope);
                }
            }
        }
    }

    fn feed(&mut self, name: &At<String>, feed: &[crate::scenario::file::StepFile], scope: &Rc<FileScope>) {
        let Some(at) = self.topics.iter().position(|(span, _)| *span == name.span) else {
            return;
        };
        let names = self.topics[at].1.name.names();
        let place = Place::new(scope, names, Room::Feed);
        let steps = self.without_request(|this| this.steps(feed, &place));
        self.uses
            .published
            .push(Named::Fitting(self.topics[at].1.name.clone()));
        self.topics[at].1.feed = Some(steps);
    }

    /// The name of a topic that is published to or waited for.
    pub(super) fn topic_name(
        &mut self,
        scalar: Option<&Scalar>,
        span: &Span,
        names: &[String],
    ) -> Option<Text> {
        let Some(scalar) = scalar.filter(|s| s.text.is_some()) else {
            self.error(span, "the name of a topic is missing");
            return None;
        };
        let text = self.text(scalar, names)?;
        if !self.topics.iter().any(|(_, t)| named(&text).may_be(&t.name)) {
            self.unknown_topic(scalar);
        }
        Some(text)
    }

    fn unknown_topic(&mut self, scalar: &Scalar) {
        let name = scalar.text.as_deref().unwrap_or("");
        let known: Vec<&str> = self.topics.iter().map(|(_, t)| t.name.source()).collect();
        let hint = match known.is_empty() {
            true => format!(
                "declare it:\n\ntopics:\n  {}: {{ history: 100 }}",
                declared_as(name)
            ),
            false => suggest(name, &known),
        };
        let message = match name.contains('{') {
            true => format!("`{name}` fits no topic"),
            false => format!("there is no topic `{name}`"),
        };
        self.error_hint(&scalar.span, message, hint);
    }

    /// A topic that is published to.
    pub(super) fn published(&mut self, name: &Text) {
        self.uses.published.push(named(name));
    }

    /// A topic that is followed or waited for.
    pub(super) fn followed(&mut self, name: &Text) {
        self.uses.followed.push(named(name));
    }

    /// Several topics by a pattern: one that could fit a declared topic.
    pub(super) fn topic_pattern(&mut self, scalar: &Scalar, source: &str) -> Option<TopicName> {
        let pattern = match Pattern::parse(source) {
            Ok(pattern) => pattern,
            Err(message) => {
                self.error(&scalar.span, message);
                return None;
            }
        };
        if !self.topics.iter().any(|(_, t)| t.name.overlaps(&pattern)) {
            self.unknown_topic(scalar);
        }
        self.uses.followed.push(Named::Fitting(pattern.clone()));
        Some(TopicName::Pattern(pattern))
    }

    /// Topics that expressions ask for, and that there are not.
    fn warn_of_names(&mut self) {
        for (span, name) in std::mem::take(&mut self.uses.named) {
            if self
                .topics
                .iter()
                .any(|(_, topic)| topic.name.matches(&name).is_some())
            {
                continue;
            }
            let known: Vec<&str> = self.topics.iter().map(|(_, t)| t.name.source()).collect();
            let hint = match known.is_empty() {
                true => "declare it under `topics`".to_owned(),
                false => suggest(&name, &known),
            };
            self.warn(
                &span,
                format!("there is no topic `{name}`: it is always empty"),
                hint,
            );
        }
    }

    /// Topics that nobody publishes to, or nobody follows.
    pub(super) fn warn_of_topics(&mut self) {
        self.warn_of_names();
        let all: Vec<(Span, String, bool, bool)> = self
            .topics
            .iter()
            .map(|(span, topic)| {
                let name = &topic.name;
                let published = self.uses.is_published(name);
                (
                    span.clone(),
                    name.source().to_owned(),
                    published,
                    self.uses.is_followed(name),
                )
            })
            .collect();
        for (span, name, published, followed) in all {
            match (published, followed) {
                (true, true) => {}
                (false, true) => self.warn(
                    &span,
                    format!("nothing publishes to the topic `{name}`: whoever follows it waits for ever"),
                    format!("add `publish: {name}` to an endpoint or a stream, or a `feed` to the topic"),
                ),
                (true, false) => self.warn(
                    &span,
                    format!("nothing follows the topic `{name}`: its messages reach nobody"),
                    format!("add `- follow: {name}` to a stream"),
                ),
                (false, false) => self.warn(
                    &span,
                    format!("nothing publishes to the topic `{name}`, and nothing follows it"),
                    "remove it, or use it",
                ),
            }
        }
    }
}

fn named(name: &Text) -> Named {
    match name {
        Text::Fixed(name) => Named::Exactly(name.to_string()),
        Text::Template(expr) | Text::Value(expr) => {
            let source = expr.source();
            let end = ["{{", "{%", "{#"].iter().filter_map(|b| source.find(b)).min();
            Named::Beginning(source[..end.unwrap_or(0)].to_owned())
        }
    }
}

/// `room/{{ room }}` as a pattern: `room/{room}`.
fn declared_as(name: &str) -> String {
    match name.find("{{") {
        Some(at) => format!("{}{{name}}", &name[..at]),
        None => name.to_owned(),
    }
}
