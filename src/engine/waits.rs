//! What the branches of a stream wait for besides time: topics they relay, and what happens elsewhere.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{FutureExt, select_all};
use smallvec::SmallVec;

use super::connections::LiveConnection;
use super::parcel::Parcel;
use super::stage::Stage;
use crate::plan::{Awaiting, BranchId, Following, Wanted};
use crate::scenario::Scenario;
use crate::scenario::model::{From, Gap, Selector, TopicRules};
use crate::topic::{Message, Messages, PublishError, Start, Subscription, TooSlow};

/// A subscription under way.
pub(super) struct Relay {
    pub(super) subscription: Subscription,
    /// `None`: it never ends, which there may be very many of.
    ends: Option<Box<Ends>>,
}

/// What is known of a relay that comes to its end.
struct Ends {
    branch: BranchId,
    topics: Vec<Selector>,
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

/// Topics, signals and the like that a stream remembers to have dealt with; their names may be drawn
/// anew again and again, so there must be a bound.
const MOST_MARKS: usize = 1_000;

/// Messages that are written at once to a stream that is behind.
pub(super) const BATCH: usize = 16;

/// All that a stream's branches wait for.
#[derive(Default)]
pub(super) struct Waits {
    /// Most relay one topic.
    relays: SmallVec<[Relay; 1]>,
    /// `None`: the script will never wait for anything else.
    elsewhere: Option<Box<Elsewhere>>,
}

/// What besides relays a stream waits for, and what it has dealt with.
#[derive(Default)]
struct Elsewhere {
    pending: Vec<Pending>,
    /// The stamp at which the stream began: what happened before is not waited for.
    began: u64,
    /// Where it is in topics it has relayed before.
    relayed: VecDeque<(Vec<Selector>, u64)>,
    /// Where it is in what it has waited for before.
    awaited: VecDeque<(Wanted, u64)>,
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
    /// Events from outside the script.
    HandedIn(Parcel),
}

impl Waits {
    /// For a stream that begins now.
    pub(super) fn begin(began: u64) -> Waits {
        let elsewhere = Elsewhere {
            began,
            ..Elsewhere::default()
        };
        Waits {
            relays: SmallVec::new(),
            elsewhere: Some(Box::new(elsewhere)),
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
        let mut relayed = self.elsewhere.iter().flat_map(|marks| &marks.relayed);
        let relayed = relayed.find(|(topics, _)| *topics == what.topics);
        let relayed = relayed.map(|(_, stamp)| *stamp);
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
        let ends = (what.limit.is_some() || what.until.is_some()).then(|| {
            Box::new(Ends {
                branch,
                topics: what.topics,
                left: what.limit,
                until: what.until,
                last,
            })
        });
        self.relays.push(Relay { subscription, ends });
        Ok(())
    }

    /// A branch waits for what happens elsewhere.
    pub(super) fn wait(&mut self, branch: BranchId, awaiting: Awaiting) {
        let elsewhere = self.elsewhere.get_or_insert_default();
        elsewhere.pending.push(Pending { branch, awaiting });
    }

    fn pending(&self) -> &[Pending] {
        self.elsewhere
            .as_ref()
            .map_or(&[], |elsewhere| &elsewhere.pending)
    }

    /// When the first of them has waited long enough.
    pub(super) fn first_until(&self) -> Option<Duration> {
        let relays = self.relays.iter().filter_map(Relay::until);
        let pending = self.pending().iter();
        let pending = pending.filter_map(|pending| pending.awaiting.until);
        relays.chain(pending).min()
    }

    /// Takes out one that has waited long enough, when its time was up, and whether it got what it
    /// waited for.
    pub(super) fn expired(&mut self, elapsed: Duration) -> Option<(BranchId, Duration, bool)> {
        let late = |until: Option<Duration>| until.filter(|until| *until <= elapsed);
        let relay = self.relays.iter().enumerate();
        if let Some((at, until)) = { relay }.find_map(|(at, relay)| Some((at, late(relay.until())?))) {
            return Some((self.close(at)?, until, true));
        }
        let pending = &mut self.elsewhere.as_mut()?.pending;
        let mut all = pending.iter().enumerate();
        let (at, until) = all.find_map(|(at, p)| Some((at, late(p.awaiting.until)?)))?;
        Some((pending.remove(at).branch, until, false))
    }

    /// Takes one message off a relay's count. When it was the last, the branch goes on.
    pub(super) fn counted(&mut self, index: usize, message: &Message) -> Option<BranchId> {
        let ends = self.relays[index].ends.as_mut()?;
        ends.left = ends.left.map(|left| left.saturating_sub(1));
        ends.last = message.stamp;
        match ends.left {
            Some(0) => self.close(index),
            _ => None,
        }
    }

    /// Ends a relay; a later one of the same topics goes on behind its last message.
    fn close(&mut self, index: usize) -> Option<BranchId> {
        let ends = self.relays.remove(index).ends?;
        let relayed = &mut self.elsewhere.get_or_insert_default().relayed;
        relayed.retain(|(topics, _)| *topics != ends.topics);
        if relayed.len() >= MOST_MARKS {
            relayed.pop_front();
        }
        relayed.push_back((ends.topics, ends.last));
        Some(ends.branch)
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
        self.relays.is_empty() && self.pending().is_empty()
    }

    /// How many topics (or several in one relay) there are to pass on, if it is one at most, its end is
    /// not near, and nothing else is waited for.
    pub(super) fn simple(&self) -> Option<usize> {
        let far = |relay: &Relay| relay.left().is_none_or(|left| left > BATCH as u64);
        let simple = self.pending().is_empty() && self.relays.len() <= 1 && self.relays.iter().all(far);
        simple.then_some(self.relays.len())
    }

    /// Whether there is nothing but a relay that never ends.
    pub(super) fn is_endless(&self) -> bool {
        self.pending().is_empty() && matches!(self.relays.as_slice(), [relay] if relay.ends.is_none())
    }

    /// Forgets what only matters to what comes after the waiting.
    pub(super) fn forget(&mut self) {
        self.elsewhere = None;
    }

    /// Takes up messages of the only relay, if there is one, as many as can be written at once.
    pub(super) fn poll_messages(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Messages,
    ) -> Poll<Result<(), TooSlow>> {
        match self.relays.as_mut_slice() {
            [relay] => relay.subscription.poll_batch(cx, into, BATCH),
            _ => Poll::Pending,
        }
    }

    /// The worker is busy with these messages by now: the clock waits for it, and no longer for them.
    pub(super) fn passing_on(&mut self, messages: &[Arc<Message>]) {
        if let ([relay], Some(last)) = (self.relays.as_mut_slice(), messages.last()) {
            relay.subscription.taken();
            if let Some(ends) = &mut relay.ends {
                ends.left = ends.left.map(|left| left - messages.len() as u64);
                ends.last = last.stamp;
            }
        }
    }

    /// Waits for whatever comes first. Cancel-safe.
    pub(super) async fn come(&mut self, stage: &Stage, live: &LiveConnection) -> Came {
        let Waits { relays, elsewhere } = self;
        let elsewhere = elsewhere.as_deref();
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
        let awaited = async {
            let Some(elsewhere) = elsewhere.filter(|elsewhere| !elsewhere.pending.is_empty()) else {
                return std::future::pending().await;
            };
            let pending = &elsewhere.pending;
            let holds = |p: &Pending| holds(&p.awaiting.what, elsewhere, stage, live);
            // Kept as it was found: when it is dealt with it may no longer hold.
            let mut found = None;
            let find = || {
                found = pending
                    .iter()
                    .enumerate()
                    .find_map(|(at, p)| Some((at, holds(p)?)));
                found.is_some()
            };
            stage.board.until(find).await;
            found
        };
        tokio::select! {
            biased;
            (relay, message) = messages => match message {
                Ok(message) => Came::Message { relay, message, live: true },
                Err(TooSlow { missed }) => Came::TooSlow(missed),
            },
            Some((at, stamp)) = awaited => self.take_awaited(at, stamp),
            parcel = live.handed_in() => Came::HandedIn(parcel),
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

    /// For a stream whose script is over: only what is handed in is taken. Cancel-safe.
    pub(super) async fn only_handed_in(&self, live: &LiveConnection) -> Parcel {
        tokio::select! {
            parcel = live.handed_in() => parcel,
            never = self.rest() => match never {},
        }
    }

    /// The branches whose wait is over: all that wait for the same as the one found.
    fn take_awaited(&mut self, at: usize, stamp: u64) -> Came {
        let elsewhere = self.elsewhere.get_or_insert_default();
        let awaited = elsewhere.pending[at].awaiting.what.clone();
        let same = elsewhere.pending.extract_if(.., |p| p.awaiting.what == awaited);
        let branches = same.map(|p| p.branch).collect();
        elsewhere.mark_awaited(awaited, stamp);
        Came::Awaited(branches)
    }
}

impl Relay {
    fn left(&self) -> Option<u64> {
        self.ends.as_ref()?.left
    }

    fn until(&self) -> Option<Duration> {
        self.ends.as_ref()?.until
    }
}

impl Elsewhere {
    /// Remembers that it was dealt with. The one least recently dealt with is forgotten when there are
    /// too many: what happened up to then counts as dealt with.
    fn mark_awaited(&mut self, awaited: Wanted, stamp: u64) {
        let marks = &mut self.awaited;
        marks.retain(|(what, _)| *what != awaited);
        if marks.len() >= MOST_MARKS
            && let Some((_, oldest)) = marks.pop_front()
        {
            self.began = self.began.max(oldest);
        }
        marks.push_back((awaited, stamp));
    }
}

/// The stamp at which what is waited for came, if it has come.
fn holds(what: &Wanted, marks: &Elsewhere, stage: &Stage, live: &LiveConnection) -> Option<u64> {
    let dealt_with = marks.awaited.iter().find(|(marked, _)| marked == what);
    let dealt_with = dealt_with.map(|(_, stamp)| *stamp);
    let stamp = match what {
        // The others may have left again by the time one looks. A stream counts from when it came.
        Wanted::Clients(count) => {
            let behind = dealt_with.unwrap_or(live.stamp() - 1);
            let stamp = stage.board.stamp();
            let most = stage.connections.most_since(live.endpoint(), behind);
            return (most as u64 >= *count).then_some(stamp);
        }
        Wanted::Signal(name) => stage.board.signalled(name)?,
        Wanted::Publish(topic) => stage.topics.published(topic)?,
    };
    (stamp > dealt_with.unwrap_or(marks.began)).then_some(stamp)
}

#[cfg(test)]
mod tests;
