//! Steps that meet other streams: follow, publish, signal, wait for, disconnect.

use std::sync::Arc;

use super::Compiler;
use super::end::ENDINGS_OF_OTHERS;
use super::place::{Place, Room};
use super::steps::{Given, with_defaults};
use crate::expr::Text;
use crate::scenario::decode::{At, Scalar};
use crate::scenario::file::{
    DisconnectRulesFile, DisconnectTargetFile, FollowRulesFile, PublishFile, WaitForRulesFile,
};
use crate::scenario::model::{
    Action, Awaited, Data, Disconnect, EventTemplate, Follow, From, Publish, TopicName, WaitFor,
};
use crate::spelling::suggest;

/// Names and patterns in one `follow`: each is held against every topic.
const MOST_FOLLOWED: usize = 100;

impl Compiler<'_> {
    /// Topics and how they are relayed.
    pub(super) fn follow(&mut self, rules: &At<FollowRulesFile>, names: &[String]) -> Option<Follow> {
        let beginnings = [
            ("live", From::Live),
            ("earliest", From::Earliest),
            ("last_event_id", From::LastEventId),
        ];
        let from = match &rules.value.from {
            None => From::LastEventId,
            from => self.one_of(from.as_ref(), "place to begin", &beginnings)?,
        };
        if let Some(limit) = rules.value.limit.as_ref().filter(|limit| limit.value == 0) {
            self.error(&limit.span, "a limit of 0 relays nothing");
        }
        let duration = rules.value.r#for.as_ref();
        let duration = duration.and_then(|d| self.some_time(d, "`for`", names));
        let Some(topics) = rules.value.topic.as_ref().filter(|list| !list.0.is_empty()) else {
            self.error(&rules.span, "the name of a topic is missing");
            return None;
        };
        if topics.0.len() > MOST_FOLLOWED {
            let message = format!(
                "{} topics in one `follow` are too many: at most {MOST_FOLLOWED}",
                topics.0.len()
            );
            self.error_hint(&rules.span, message, "a pattern follows many: `room/{room}`");
            return None;
        }
        let topics = topics
            .0
            .iter()
            .filter_map(|scalar| self.followed_topic(scalar, names))
            .collect();
        Some(Follow {
            topics,
            from,
            limit: rules.value.limit.as_ref().map(|at| at.value),
            duration,
        })
    }

    fn followed_topic(&mut self, scalar: &Scalar, names: &[String]) -> Option<TopicName> {
        if let Some(source) = &scalar.text
            && source.contains('{')
            && !source.contains("{{")
            && !source.contains("{%")
        {
            return self.topic_pattern(scalar, source);
        }
        let text = self.topic_name(Some(scalar), &scalar.span, names)?;
        self.followed(&text);
        Some(TopicName::Name(text))
    }

    /// Messages, of an endpoint or a step.
    pub(super) fn publishes(&mut self, files: &[PublishFile], place: &Place) -> Vec<Publish> {
        files
            .iter()
            .filter_map(|file| self.publish(file, place))
            .collect()
    }

    /// A message for a topic; the file's defaults apply as they do to events in streams.
    fn publish(&mut self, file: &PublishFile, place: &Place) -> Option<Publish> {
        let (rules, names) = (&file.0.value, &place.names);
        let topic = self.topic_name(rules.topic.as_ref(), &file.0.span, names)?;
        self.published(&topic);
        let relays = rules.data.is_none();
        if relays && place.room == Room::Feed {
            let message = "a feed has no request whose query and body it could publish";
            self.error_hint(
                &file.0.span,
                message,
                "add `data`: `publish: { topic: …, data: … }`",
            );
        }
        let data = match &rules.data {
            Some(data) => self.data(data, names),
            // What is relayed is known only when it comes, but it is data: the defaults apply.
            None => Some(Data::Text(Text::fixed(""))),
        };
        if data.is_none() {
            self.error(&file.0.span, "a message without data reaches nobody");
        }
        let event = EventTemplate {
            event: rules.event.as_ref().and_then(|s| self.text(s, names)),
            data,
            id: rules.id.as_ref().and_then(|s| self.id(s, names)),
            ..Default::default()
        };
        let given = Given {
            event: rules.event.is_some(),
            id: rules.id.is_some(),
            retry: false,
        };
        let mut event = with_defaults(event, given, &place.scope.defaults);
        if relays {
            event.data = None;
        }
        Some(Publish { topic, event })
    }

    /// Waiting for a signal, for clients or for a message.
    pub(super) fn wait_for(&mut self, at: &At<WaitForRulesFile>, place: &Place) -> Option<Action> {
        let rules = &at.value;
        let what = self.awaited(at, place);
        let limit = rules.r#for.as_ref();
        let limit = limit.and_then(|d| self.some_time(d, "`for`", &place.names));
        if rules.r#else.is_some() && rules.r#for.is_none() {
            let message = "`else` is for when the time is up, but there is no `for`";
            self.error_hint(&at.span, message, "add for example `for: 10s`");
        }
        let otherwise = self.steps(rules.r#else.as_deref().unwrap_or_default(), place);
        Some(Action::WaitFor(Arc::new(WaitFor {
            what: what?,
            limit,
            otherwise,
        })))
    }

    fn awaited(&mut self, at: &At<WaitForRulesFile>, place: &Place) -> Option<Awaited> {
        let rules = &at.value;
        match (&rules.signal, &rules.clients, &rules.publish) {
            (Some(signal), None, None) => {
                let limited = rules.r#for.is_some();
                let name = self.awaited_signal(signal, &place.names, limited);
                name.map(Awaited::Signal)
            }
            (None, Some(clients), None) => {
                if clients.value == 0 {
                    let message = "there are always 0 clients, this one included";
                    self.error_hint(&clients.span, message, "write 1 or more");
                } else if place.room == Room::Feed {
                    let message = "a feed has no endpoint whose clients it could wait for";
                    self.error_hint(&clients.span, message, "a feed begins with the first follower");
                }
                Some(Awaited::Clients(clients.value))
            }
            (None, None, Some(topic)) => {
                let topic = self.topic_name(Some(topic), &topic.span, &place.names)?;
                self.followed(&topic);
                Some(Awaited::Publish(topic))
            }
            (None, None, None) => {
                let message = "`wait_for` does not say what it waits for";
                self.error_hint(&at.span, message, "add one of `signal`, `clients`, `publish`");
                None
            }
            _ => {
                let message = "`wait_for` waits for one thing: a `signal`, `clients` or a `publish`";
                self.error_hint(&at.span, message, "write a step for each");
                None
            }
        }
    }

    /// Which streams are ended, and how.
    pub(super) fn disconnect(&mut self, file: &DisconnectTargetFile) -> Option<Action> {
        let rules: &DisconnectRulesFile = &file.0.value;
        let end = match (&rules.end, &rules.code) {
            (None, code) => crate::scenario::model::End::Cut {
                code: self.code(code.as_ref())?,
            },
            (end, code) => self.ending(end.as_ref(), code.as_ref(), ENDINGS_OF_OTHERS)?,
        };
        let endpoints = match &rules.endpoint {
            None => None,
            Some(named) => Some(self.endpoints_named(named)?),
        };
        Some(Action::Disconnect(Arc::new(Disconnect { endpoints, end })))
    }

    /// The keys of the endpoints with this path, or with this method and path.
    fn endpoints_named(&mut self, named: &At<String>) -> Option<Vec<String>> {
        let found = self.endpoints.iter().filter(|e| e.is_named(&named.value));
        let keys: Vec<String> = found.map(|e| e.key.clone()).collect();
        if keys.is_empty() {
            let with_method = named.value.contains(' ');
            let names: Vec<String> = self.endpoints.iter().flat_map(|e| e.names(with_method)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!("there is no endpoint `{}`", named.value);
            self.error_hint(&named.span, message, suggest(&named.value, &names));
            return None;
        }
        Some(keys)
    }
}
