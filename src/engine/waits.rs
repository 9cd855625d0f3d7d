//! What the branches of a stream wait for besides time: topics they relay, and what happens elsewhere.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{FutureExt, select_all};

use super::stage::Stage;
use crate::plan::{Awaiting, BranchId, Following, Wanted};
use crate::scenario::Scenario;
use crate::scenario::model::{From, Gap, Selector, TopicRules};
use crate::topic::{Message, PublishError, Start, Subscription, TooSlow};

/// A subscription under way.
pub(super) struct Relay {
    pub(super) branch: BranchId,
    topics: Vec<Selector>,
    pub(super) subscription: Subscription,
    left: Option<u64>,
    until: Option<Duration>,
    /// The stamp of the last message relayed, or of the beginning.
    last: u64,
}

/// A branch that waits for what happens elsewhere.
struct Pending {
    branch: BranchId,
    awaiting: Awaiting,
}

/// Where a stream is in a topic or a signal it has dealt with before.
enum Mark {
    Relayed(Vec<Selector>, u64),
    Awaited(Wanted, u64),
}

/// All that a stream's branches wait for.
#[derive(Default)]
pub(super) struct Waits {
    relays: Vec<Relay>,
    pending: Vec<Pending>,
    marks: Vec<Mark>,
    /// The stamp at which the stream began: what happened before is not waited for.
    began: u64,
}

/// What came.
pub(super) enum Came {
    /// A message for the relay with this index; live ones are to be acknowledged.
    Message {
        relay: usize,
        message: Arc<Message>,
        live: bool,
    },
    /// What these branches waited for.
    Awaited(Vec<BranchId>),
    /// A relay lost messages.
    TooSlow(u64),
}

impl Waits {
    /// For a stream that begins now.
    pub(super) fn begin(began: u64) -> Waits {
        Waits {
            began,
            ..Waits::default()
        }
    }

    /// The strictest rule that was applied because messages are missing before a relay's first.
    pub(super) fn gap(&self) -> Option<Gap> {
        let gaps = self.relays.iter().filter_map(|relay| relay.subscription.gap());
        gaps.max_by_key(|gap| match gap {
            Gap::Replay => 0,
            Gap::Live => 1,
            Gap::Error => 2,
        })
    }

    pub(super) fn relay(&mut self, index: usize) -> &mut Relay {
        &mut self.relays[index]
    }

    /// Subscribes to what a branch wants to relay.
    pub(super) fn subscribe(
        &mut self,
        branch: BranchId,
        what: Following,
        last_event_id: Option<&[u8]>,
        stage: &Stage,
        scenario: &Scenario,
    ) -> Result<(), PublishError> {
        let relayed = self.marks.iter().find_map(|mark| match mark {
            Mark::Relayed(topics, stamp) if *topics == what.topics => Some(*stamp),
            _ => None,
        });
        let start = match (what.from, relayed, last_event_id) {
            (From::Earliest, ..) => Start::Earliest,
            (From::Live, ..) => Start::Live,
            // A later `follow` of a topic goes on where the one before stopped.
            (From::LastEventId, Some(stamp), _) => Start::Behind(stamp),
            (From::LastEventId, None, Some(id)) => Start::After(id),
            (From::LastEventId, None, None) => Start::Live,
        };
        // Whatever comes while it is being subscribed to has a later stamp.
        let last = stage.board.stamp();
        let rules = |name: &str| -> TopicRules {
            scenario
                .topic(name)
                .map(|spec| spec.rules.clone())
                .unwrap_or_default()
        };
        let subscription = stage.topics.subscribe(&what.topics, start, &rules)?;
        self.relays.push(Relay {
            branch,
            topics: what.topics,
            subscription,
            left: what.limit,
            until: what.until,
            last,
        });
        Ok(())
    }

    /// A branch waits for what happens elsewhere.
    pub(super) fn wait(&mut self, branch: BranchId, awaiting: Awaiting) {
        self.pending.push(Pending { branch, awaiting });
    }

    /// When the first of them has waited long enough.
    pub(super) fn first_until(&self) -> Option<Duration> {
        let relays = self.relays.iter().filter_map(|relay| relay.until);
        let pending = self.pending.iter().filter_map(|pending| pending.awaiting.until);
        relays.chain(pending).min()
    }

    /// Takes out one that has waited long enough, when its time was up, and whether it got what it
    /// waited for.
    pub(super) fn expired(&mut self, elapsed: Duration) -> Option<(BranchId, Duration, bool)> {
        let late = |until: Option<Duration>| until.filter(|until| *until <= elapsed);
        let relay = self.relays.iter().enumerate();
        if let Some((at, until)) = { relay }.find_map(|(at, relay)| Some((at, late(relay.until)?))) {
            return Some((self.close(at), until, true));
        }
        let mut pending = self.pending.iter().enumerate();
        let (at, until) = pending.find_map(|(at, p)| Some((at, late(p.awaiting.until)?)))?;
        Some((self.pending.remove(at).branch, until, false))
    }

    /// Takes one message off a relay's count. When it was the last, the branch goes on.
    pub(super) fn counted(&mut self, index: usize, message: &Message) -> Option<BranchId> {
        let relay = &mut self.relays[index];
        relay.left = relay.left.map(|left| left.saturating_sub(1));
        relay.last = message.stamp;
        (relay.left == Some(0)).then(|| self.close(index))
    }

    /// Ends a relay; a later one of the same topics goes on behind its last message.
    fn close(&mut self, index: usize) -> BranchId {
        let relay = self.relays.remove(index);
        self.marks
            .retain(|mark| !matches!(mark, Mark::Relayed(topics, _) if *topics == relay.topics));
        self.marks.push(Mark::Relayed(relay.topics, relay.last));
        relay.branch
    }

    /// A message that was there at once.
    pub(super) fn backlog(&mut self) -> Option<Came> {
        for (index, relay) in self.relays.iter_mut().enumerate() {
            if let Some(message) = relay.subscription.backlog() {
                return Some(Came::Message {
                    relay: index,
                    message,
                    live: false,
                });
            }
        }
        None
    }

    /// Whether nothing is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.relays.is_empty() && self.pending.is_empty()
    }

    /// Waits for whatever comes first. Cancel-safe.
    pub(super) async fn come(&mut self, stage: &Stage, endpoint: &str) -> Came {
        let Waits {
            relays,
            pending,
            marks,
            began,
        } = self;
        let messages = async {
            match relays.as_mut_slice() {
                [] => std::future::pending().await,
                [relay] => (0, relay.subscription.live().await),
                many => {
                    let each = many.iter_mut().map(|relay| relay.subscription.live().boxed());
                    let (message, index, _) = select_all(each).await;
                    (index, message)
                }
            }
        };
        let elsewhere = async {
            if pending.is_empty() {
                return std::future::pending().await;
            }
            let holds = |p: &Pending| holds(&p.awaiting.what, marks, *began, stage, endpoint);
            stage.board.until(|| pending.iter().any(holds)).await;
        };
        let message = tokio::select! {
            biased;
            message = messages => Some(message),
            () = elsewhere => None,
        };
        match message {
            Some((relay, Ok(message))) => Came::Message {
                relay,
                message,
                live: true,
            },
            Some((_, Err(TooSlow { missed }))) => Came::TooSlow(missed),
            None => self.take_awaited(stage, endpoint),
        }
    }

    /// For a stream that is deaf for now, though time goes on: the clock does not wait until it takes
    /// what topics bring. Never resolves. Cancel-safe.
    pub(super) async fn rest(&self) -> Infallible {
        poll_fn(|cx| {
            self.relays.iter().for_each(|relay| relay.subscription.rest(cx));
            Poll::Pending
        })
        .await
    }

    /// The branches whose wait is over: all that wait for the same.
    fn take_awaited(&mut self, stage: &Stage, endpoint: &str) -> Came {
        let holds = |p: &Pending| holds(&p.awaiting.what, &self.marks, self.began, stage, endpoint);
        // What held a moment ago may no longer: a client may have left again. It has come all the same.
        let at = self.pending.iter().position(holds).unwrap_or(0);
        let awaited = self.pending[at].awaiting.what.clone();
        let same = self.pending.extract_if(.., |p| p.awaiting.what == awaited);
        let branches = same.map(|p| p.branch).collect();
        if let Some(stamp) = stamp_of(&awaited, stage) {
            self.marks
                .retain(|mark| !matches!(mark, Mark::Awaited(what, _) if *what == awaited));
            self.marks.push(Mark::Awaited(awaited, stamp));
        }
        Came::Awaited(branches)
    }
}

/// Whether what is waited for has come.
fn holds(what: &Wanted, marks: &[Mark], began: u64, stage: &Stage, endpoint: &str) -> bool {
    if let Wanted::Clients(count) = what {
        return stage.connections.count_of(endpoint) as u64 >= *count;
    }
    let dealt_with = marks.iter().find_map(|mark| match mark {
        Mark::Awaited(marked, stamp) if marked == what => Some(*stamp),
        _ => None,
    });
    stamp_of(what, stage).is_some_and(|stamp| stamp > dealt_with.unwrap_or(began))
}

/// When it last happened.
fn stamp_of(what: &Wanted, stage: &Stage) -> Option<u64> {
    match what {
        Wanted::Signal(name) => stage.board.signalled(name),
        Wanted::Publish(topic) => stage.topics.published(topic),
        Wanted::Clients(_) => None,
    }
}
