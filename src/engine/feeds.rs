//! Feeds: scripts that publish to a topic from its first follower on.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Performance;
use super::outcome::Outcome;
use super::sink::{Gone, Sink};
use super::stage::{Stage, Wanted};
use super::stepping::Stepping;
use super::waits::Waits;
use crate::clock::Worker;
use crate::expr::RequestScope;
use crate::name::printable;
use crate::plan::{Chance, Plan};
use crate::random::{Draw, DrawKey, Purpose};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::{Script, Selector, Steps, TopicSpec};
use crate::wire::Frame;

impl Stage {
    /// Starts the feeds of topics that are followed now: those of the scenario in force, if it has
    /// the topic, whichever the follower began with.
    ///
    /// # Errors
    ///
    /// It would be one too many.
    pub(super) fn feed(
        self: &Arc<Stage>,
        scenario: &Arc<Scenario>,
        topics: &[Selector],
    ) -> Result<(), String> {
        for topic in topics {
            match topic {
                Selector::Name(name) => self.feed_one(scenario, name)?,
                // Declared by name; of those declared by a pattern none exists before it is named.
                Selector::Pattern(pattern) => {
                    let fits = |name: &str| !name.contains('{') && pattern.matches(name).is_some();
                    let names = scenario.topics.iter().map(|spec| spec.name.source());
                    for name in names.filter(|name| fits(name)) {
                        self.feed_one(scenario, name)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn feed_one(self: &Arc<Stage>, scenario: &Arc<Scenario>, topic: &str) -> Result<(), String> {
        let mut feeds = self.feeds();
        let current = self.catalog.current();
        let (scenario, spec) = match (current.topic(topic), scenario.topic(topic)) {
            (Some(spec), _) => (&current, spec),
            (None, Some(spec)) => (scenario, spec),
            (None, None) => return Ok(()),
        };
        let Some(steps) = &spec.feed else {
            feeds.end(topic);
            return Ok(());
        };
        let captures = spec.name.matches(topic).unwrap_or_default();
        let captures = captures.into_iter().map(|(name, value)| (name.to_owned(), value));
        let captures: Vec<(String, String)> = captures.collect();
        let wanted = Wanted {
            topic,
            scenario,
            captured: !captures.is_empty(),
        };
        let fingerprint = || self.fingerprint(scenario, spec);
        feeds.start(&wanted, &self.topics, fingerprint, || {
            // A worker from the start: a clock that is moved by hand waits for what the feed does first.
            let worker = self.clock.worker();
            let mut feed = self.performance(scenario, topic, steps.clone(), captures, worker);
            let topic = topic.to_owned();
            async move {
                let outcome = feed.play(&mut Nobody).await;
                drop(feed);
                if let Outcome::Failed(why) = outcome {
                    let (topic, why) = (printable(&topic), printable(&why));
                    tracing::warn!("the feed of the topic `{topic}` could not go on: {why}");
                }
            }
        })
    }

    /// What a feed is made of, the text of its templates instead of their places.
    fn fingerprint(&self, scenario: &Scenario, spec: &TopicSpec) -> u64 {
        let mut hasher = DefaultHasher::new();
        let seed = self.seed.of(scenario);
        format!("{spec:?} {:?} {seed}", scenario.vars).hash(&mut hasher);
        hasher.finish()
    }

    fn performance(
        self: &Arc<Stage>,
        scenario: &Arc<Scenario>,
        topic: &str,
        steps: Steps,
        captures: Vec<(String, String)>,
        worker: Worker,
    ) -> Performance {
        let key = DrawKey::first(format!("topic {topic}"));
        let seed = self.seed.of(scenario);
        let draw = |purpose| Draw::new(seed, &key, purpose);
        let request = Arc::new(Request::example("GET", topic));
        let scope = RequestScope::new(
            request,
            scenario.vars.clone(),
            1,
            captures,
            draw(Purpose::Data),
            self.topics.clone(),
            self.state.clone(),
        );
        let chance = Chance::new(draw);
        let began = self.clock.now().into();
        let script = Arc::new(Script::of(steps));
        let plan = Plan::new(scenario.clone(), script, scope, chance, self.clock.wall_ms());
        Performance {
            plan: plan.feeding(topic.to_owned()),
            worker,
            stage: self.clone(),
            live: self.connections.unlisted(&key.endpoint),
            began,
            wrote: began,
            stepping: Stepping::behind(None),
            waits: Waits::begin(self.board.stamp()),
            outlet: None,
            held: false,
            sized: false,
            witnessed: None,
            rests_until: None,
            passing: None,
            prepared: None,
        }
    }
}

/// A feed's client: there is none.
struct Nobody;

impl Sink for Nobody {
    fn poll_write(&mut self, _: &mut Context<'_>, _: &[&Frame]) -> Poll<Result<(), Gone>> {
        Poll::Ready(Ok(()))
    }

    async fn write_part(&mut self, _: &Frame, _: usize) -> Result<(), Gone> {
        Ok(())
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
