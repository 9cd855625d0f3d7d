//! Topics within this process.

mod look;

mod bounds;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use indexmap::IndexMap;

use super::inbox::{At, Inbox, Wakers};
use super::lock;
use super::log::Log;
use super::message::{Message, PublishError, Start};
use super::resume::Resume;
use super::rounds::Rounds;
use super::subscription::Subscription;
use crate::board::Board;
use crate::clock::{Clock, Mode};
use crate::event::Event;
use crate::name::short;
use crate::news::Happening;
use crate::scenario::model::{Gap, Selector, TopicRules};
use crate::scenario::pattern::Pattern;
use crate::text;
use crate::wire::{Digest, Frame, Style, encode};

/// Topics at once; names may come from requests, so there must be a bound.
pub(super) const MOST_TOPICS: usize = 2_000;
/// In bytes.
pub(super) const LONGEST_NAME: usize = 4_096;
/// Messages that go out together, at the most: as many as a stream writes at once.
const MOST_LATE: usize = 16;
const MOST_LATE_BYTES: usize = 1 << 20;

/// All topics of a session.
#[derive(Debug)]
pub struct Topics {
    shared: Arc<Shared>,
}

/// What topics and their subscriptions share.
#[derive(Debug)]
pub(super) struct Shared {
    pub clock: Arc<Clock>,
    board: Arc<Board>,
    world: Mutex<World>,
}

#[derive(Debug, Default)]
struct World {
    topics: HashMap<Arc<str>, Topic>,
    /// Who follows patterns, by where the inbox lies.
    patterns: IndexMap<usize, (Vec<Pattern>, Arc<Inbox>)>,
    /// Names that are declared, not captured: their topics are the last to be forgotten.
    declared: HashSet<String>,
    /// What all topics hold, in bytes on the wire.
    kept: u64,
    /// How often topics have been used.
    uses: u64,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    log: Log,
    /// Each knows its place.
    followers: Vec<Follower>,
    rounds: Rounds,
    /// When it was last used: as many uses of topics were before.
    used: u64,
    /// Whether its name is declared, not captured.
    declared: bool,
    /// How many follow it by its name: it stays as long as somebody does. Followers of patterns get
    /// whatever there is, and keep no topic alive.
    pins: usize,
}

#[derive(Debug)]
struct Follower {
    inbox: Arc<Inbox>,
    /// The inbox's lane for this topic.
    lane: u32,
    /// Whether the topic is followed by its name.
    by_name: bool,
}

impl Topics {
    /// No topics yet. The clock is told of deliveries under way, the board of all that changes; the
    /// board's stamps number the messages.
    pub fn new(clock: Arc<Clock>, board: Arc<Board>) -> Topics {
        let world = Mutex::default();
        Topics {
            shared: Arc::new(Shared { clock, board, world }),
        }
    }

    /// Says which names are declared as they are, instead of the ones before. When there are too many
    /// topics, those with other names are forgotten first.
    pub fn declare(&self, names: impl IntoIterator<Item = String>) {
        let mut world = lock(&self.shared.world);
        world.declared = names.into_iter().collect();
        let World { topics, declared, .. } = &mut *world;
        for topic in topics.values_mut() {
            topic.declared = declared.contains(&*topic.name);
        }
    }

    /// Publishes an event, which is kept as the rules say; answers with how many subscribers it
    /// reached. With `counted` the event's id becomes the message's number.
    ///
    /// # Errors
    ///
    /// The topic would be one too many, or its name is too long.
    pub fn publish(
        &self,
        name: &str,
        rules: &TopicRules,
        event: Event,
        counted: bool,
    ) -> Result<usize, PublishError> {
        self.put(name, rules, event, counted).map(|(_, reached)| reached)
    }

    /// The same; answers with the message too.
    ///
    /// # Errors
    ///
    /// The topic would be one too many, or its name is too long.
    pub fn put(
        &self,
        name: &str,
        rules: &TopicRules,
        mut event: Event,
        counted: bool,
    ) -> Result<(Arc<Message>, usize), PublishError> {
        // Encoded before the lock is taken, where that is possible.
        let made = |event: &Event| {
            let frame = Frame::new(&encode(event, &Style::STANDARD));
            let digest = Digest::of(frame.as_bytes());
            (frame, digest)
        };
        let ready = (!counted).then(|| made(&event));
        let mut world = lock(&self.shared.world);
        let topic = world.topic(name)?;
        let number = topic.log.count + 1;
        let (frame, digest) = ready.unwrap_or_else(|| {
            event.id = Some(number.to_string().into());
            made(&event)
        });
        let message = Arc::new(Message {
            topic: topic.name.clone(),
            number,
            stamp: self.shared.board.next_stamp(),
            at: self.shared.clock.now(),
            event,
            frame,
            digest,
        });
        let before = topic.log.weight();
        topic.log.add(message.clone(), &rules.history);
        let (after, name) = (topic.log.weight(), topic.name.clone());
        let reached = topic.followers.len();
        let (mut woken, rounds) = (Wakers::default(), topic.rounds.clone());
        // Counted before anybody can take it up.
        self.shared.clock.begin(reached);
        let surplus = topic.followers.iter().map(|Follower { inbox, lane, by_name }| {
            inbox.put((*lane, *by_name), &message, rules, &mut woken)
        });
        let surplus = surplus.sum();
        self.shared.clock.done(surplus);
        world.kept = world.kept - before + after;
        world.lighten(&name);
        drop(world);
        woken.of_several.into_iter().for_each(Waker::wake);
        rounds.call(woken.of_one, reached, self.most_late(rules, message.frame.len()));
        self.shared.board.changed();
        self.shared.board.tell(|| Happening::Published {
            topic: message.topic.clone(),
            number: message.number,
            id: message
                .event
                .id
                .as_ref()
                .map(|id| short(&text::from_bytes(id)).into_owned()),
            reached,
        });
        Ok((message, reached))
    }

    /// Follows topics, each once however often it is named; what is missed from `start` on comes
    /// first, then what is published, all in order of stamps. `rules` must know any topic's rules, and
    /// must not look at topics itself.
    ///
    /// # Errors
    ///
    /// A topic would be one too many, or a name is too long.
    pub fn subscribe(
        &self,
        which: &[Selector],
        start: Start,
        rules: &dyn Fn(&str) -> TopicRules,
    ) -> Result<Subscription, PublishError> {
        let mut world = lock(&self.shared.world);
        let inbox = Arc::<Inbox>::default();
        if let Err(error) = world.follow(which, &inbox) {
            world.unfollow(&inbox);
            return Err(error);
        }
        let resume = world.resume(which, &inbox, rules, self.shared.clock.now());
        let (backlog, gap) = resume.begin(start);
        drop(world);
        self.shared.board.changed();
        Ok(Subscription {
            shared: self.shared.clone(),
            inbox,
            backlog: (!backlog.is_empty()).then(|| Box::new(backlog.into())),
            gap,
            held: 0,
        })
    }

    /// How many messages may wait for a round of their topic to be over: a manual clock waits for them all,
    /// and nobody is to fall behind by that.
    fn most_late(&self, rules: &TopicRules, bytes: usize) -> usize {
        let most = rules.queue.map_or(MOST_LATE, |most| MOST_LATE.min(most / 4));
        match self.shared.clock.mode() {
            Mode::Manual => 0,
            Mode::Scaled(_) => most.min(MOST_LATE_BYTES / bytes.max(1)),
        }
    }

    fn look<T: Default>(&self, name: &str, f: impl FnOnce(&Topic) -> T) -> T {
        lock(&self.shared.world)
            .topics
            .get(name)
            .map(f)
            .unwrap_or_default()
    }
}

impl Shared {
    /// Takes all that waits for a follower, and what it has missed: the messages, how much work is to
    /// be given back, and how many messages are lost.
    pub fn take_up(&self, inbox: &Inbox) -> (Vec<Arc<Message>>, usize, u64) {
        let world = lock(&self.world);
        let now = self.clock.now();
        let mut missed = 0;
        let (messages, counted) = inbox.take_all(|lane, to| {
            if let At::Forgotten(lost) = lane.at {
                missed += u64::from(lost);
            } else if let Some(topic) = world.topics.get(&lane.topic) {
                missed += topic.log.behind(lane.last, now, to);
                lane.last = topic.log.count;
            }
        });
        (messages, counted, missed)
    }

    /// Follows no longer; answers with how much work is to be given back.
    pub fn unfollow(&self, inbox: &Inbox) -> usize {
        lock(&self.world).unfollow(inbox);
        // Nobody can put anything into it any more.
        let (_, counted) = inbox.take_all(|_, _| {});
        self.board.changed();
        counted
    }
}

impl World {
    /// The topic of this name; it comes to be if it isn't there.
    fn topic(&mut self, name: &str) -> Result<&mut Topic, PublishError> {
        if !self.topics.contains_key(name) {
            if name.len() > LONGEST_NAME {
                return Err(PublishError::LongName);
            }
            self.make_room()?;
            let name: Arc<str> = name.into();
            let mut topic = Topic {
                name: name.clone(),
                log: Log::default(),
                followers: Vec::new(),
                rounds: Rounds::default(),
                used: 0,
                declared: self.declared.contains(&*name),
                pins: 0,
            };
            // Those that wait for such a topic follow it from its first message on.
            for (patterns, inbox) in self.patterns.values() {
                if patterns.iter().any(|p| p.matches(&name).is_some()) {
                    topic.attach(inbox, false);
                }
            }
            self.topics.insert(name.clone(), topic);
        }
        let topic = self.topics.get_mut(name).expect("it is there");
        self.uses += 1;
        topic.used = self.uses;
        Ok(topic)
    }

    fn follow(&mut self, which: &[Selector], inbox: &Arc<Inbox>) -> Result<(), PublishError> {
        let mut patterns = Vec::new();
        for (at, selector) in which.iter().enumerate() {
            match selector {
                Selector::Name(_) if which[..at].contains(selector) => {}
                Selector::Name(name) => self.topic(name)?.attach(inbox, true),
                Selector::Pattern(pattern) => patterns.push(pattern.clone()),
            }
        }
        if patterns.is_empty() {
            return Ok(());
        }
        let named = |topic: &Topic| {
            let is_it =
                |selector: &Selector| matches!(selector, Selector::Name(name) if *name == *topic.name);
            which.iter().any(is_it)
        };
        for topic in self.topics.values_mut() {
            if patterns.iter().any(|p| p.matches(&topic.name).is_some()) && !named(topic) {
                topic.attach(inbox, false);
            }
        }
        self.patterns.insert(address(inbox), (patterns, inbox.clone()));
        Ok(())
    }

    fn unfollow(&mut self, inbox: &Inbox) {
        self.patterns.swap_remove(&address(inbox));
        for (name, place) in inbox.topics() {
            if let Some(topic) = self.topics.get_mut(&name) {
                topic.detach(place);
                self.uses += 1;
                topic.used = self.uses;
            }
        }
    }

    fn resume(
        &self,
        which: &[Selector],
        inbox: &Inbox,
        rules: &dyn Fn(&str) -> TopicRules,
        now: std::time::Duration,
    ) -> Resume<'_> {
        let names = inbox.topics();
        let logs = names
            .iter()
            .filter_map(|(name, _)| Some((&self.topics.get(name)?.log, rules(name))));
        // A pattern that no topic fits yet: it fits itself.
        let otherwise = which.iter().find_map(|selector| match selector {
            Selector::Pattern(pattern) => Some(rules(pattern.source()).gap),
            Selector::Name(_) => None,
        });
        Resume {
            logs: logs.collect(),
            otherwise: otherwise.unwrap_or(Gap::Replay),
            now,
        }
    }
}

/// What an inbox is known by, as long as somebody has it.
fn address(inbox: &Inbox) -> usize {
    std::ptr::from_ref(inbox).addr()
}

impl Topic {
    fn attach(&mut self, inbox: &Arc<Inbox>, by_name: bool) {
        let place = self.followers.len();
        self.followers.push(Follower {
            inbox: inbox.clone(),
            lane: inbox.open(self.name.clone(), self.log.count, place),
            by_name,
        });
        self.pins += usize::from(by_name);
    }

    /// The last follower takes the place of the one that leaves.
    fn detach(&mut self, place: usize) {
        let left = self.followers.swap_remove(place);
        self.pins -= usize::from(left.by_name);
        if let Some(moved) = self.followers.get(place) {
            moved.inbox.moved(moved.lane, place);
        }
        if self.followers.is_empty() {
            self.followers = Vec::new();
        }
    }

    /// The topic is forgotten: what waits for its followers stays theirs.
    fn detach_all(self) {
        for follower in self.followers {
            follower.inbox.close(follower.lane, self.log.count);
        }
    }
}
