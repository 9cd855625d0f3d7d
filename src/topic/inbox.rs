//! What waits for one follower, of all its topics.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use super::lock;
use super::message::{Message, Messages};
use crate::scenario::model::{Slow, TopicRules};

/// Messages of a topic that may wait for a follower, where the topic's rules don't say.
const QUEUE: usize = 1024;
/// Messages that may wait for a follower, whatever the rules say, of all its topics together.
const MOST_WAITING: usize = 65_536;

/// What may wait for a follower, in bytes on the wire; one message more may be begun.
const MOST_BYTES: usize = 64 << 20;

/// One follower's inbox.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In order of stamps.
    waiting: Waiting,
    /// Of what waits, on the wire.
    bytes: usize,
    /// Most follow one topic.
    lanes: SmallVec<[Lane; 1]>,
    /// How many lanes may be used again.
    free: u32,
    /// How many lanes lag.
    lagging: u32,
    /// Of what waits and of what lags, how much the clock counts as work.
    counted: u32,
    dropped: u32,
    waker: Option<Waker>,
}

/// What waits. The first has a place of its own: seldom is there more than one.
#[derive(Debug, Default)]
struct Waiting {
    first: Option<Entry>,
    #[expect(
        clippy::box_collection,
        reason = "a pointer instead of four words, and mostly there are no more"
    )]
    more: Option<Box<VecDeque<Entry>>>,
}

/// A message, and its lane.
type Entry = (usize, Arc<Message>);

impl Waiting {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.as_ref().map_or(0, |more| more.len())
    }

    fn push_back(&mut self, entry: Entry) {
        match &mut self.first {
            Some(_) => self.more.get_or_insert_default().push_back(entry),
            none => *none = Some(entry),
        }
    }

    fn pop_front(&mut self) -> Option<Entry> {
        let next = self.more.as_mut().and_then(|more| more.pop_front());
        std::mem::replace(&mut self.first, next)
    }

    /// Takes out the first of a lane.
    fn pop_of(&mut self, lane: usize) -> Option<Entry> {
        if self.first.as_ref().is_some_and(|(at, _)| *at == lane) {
            return self.pop_front();
        }
        let more = self.more.as_mut()?;
        let at = more.iter().position(|(at, _)| *at == lane)?;
        more.remove(at)
    }

    /// Takes out all of a lane: how many bytes they have on the wire.
    fn remove_lane(&mut self, lane: usize) -> usize {
        let mut bytes = 0;
        let mut stays = |entry: &Entry| {
            let stays = entry.0 != lane;
            bytes += if stays { 0 } else { entry.1.frame.len() };
            stays
        };
        if let Some(more) = &mut self.more {
            more.retain(&mut stays);
        }
        if self.first.as_ref().is_some_and(|first| !stays(first)) {
            self.pop_front();
        }
        bytes
    }

    /// Gives memory back that is not needed in the long run.
    fn shrink(&mut self) {
        match &mut self.more {
            Some(more) if !more.is_empty() => more.shrink_to(QUEUE),
            none => *none = None,
        }
    }
}

/// A topic that is followed.
#[derive(Debug)]
pub(super) struct Lane {
    pub topic: Arc<str>,
    /// The number of the last message that has been taken from the lane, or passed over.
    pub last: u64,
    pub at: At,
    waiting: u32,
    /// It has fallen too far behind and gets nothing more until it takes up from the history.
    lags: bool,
}

/// Where a lane comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// A topic, among whose followers it has this place.
    Topic(u32),
    /// A topic that has been forgotten. So many messages are lost with it, as the lane lagged.
    Forgotten(u32),
}

impl Lane {
    fn is_open(&self) -> bool {
        matches!(self.at, At::Topic(_))
    }

    fn is_free(&self) -> bool {
        !self.is_open() && self.waiting == 0 && !self.lags
    }
}

/// What an inbox has.
pub(super) enum Next {
    /// A message, and how much work is to be given back once it has been dealt with.
    Message(Arc<Message>, u32),
    /// It must take up from the history first.
    Lags,
}

/// What an inbox has, several at once.
pub(super) enum Batch {
    /// Messages were taken, and so much work is to be given back once they have been dealt with.
    Taken(u32),
    /// It must take up from the history first.
    Lags,
}

/// Followers that have got something, and are to be woken.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    /// They follow this topic alone.
    pub of_one: Vec<Waker>,
    pub of_several: Vec<Waker>,
}

impl Inbox {
    /// Opens a lane for a topic that has had `last` messages, and knows this follower at `place`; answers
    /// with the lane's number.
    pub fn open(&self, topic: Arc<str>, last: u64, place: usize) -> u32 {
        let mut queue = lock(&self.queue);
        let lane = Lane {
            topic,
            last,
            at: At::Topic(place as u32),
            waiting: 0,
            lags: false,
        };
        if queue.free > 0
            && let Some(free) = queue.lanes.iter().position(Lane::is_free)
        {
            queue.free -= 1;
            queue.lanes[free] = lane;
            return free as u32;
        }
        queue.lanes.push(lane);
        queue.lanes.len() as u32 - 1
    }

    /// The topic of a lane knows the follower at another place from now on.
    pub fn moved(&self, lane: u32, place: usize) {
        lock(&self.queue).lanes[lane as usize].at = At::Topic(place as u32);
    }

    /// Nothing more comes in a lane: its topic is forgotten, after `count` messages. What waits there
    /// can still be taken.
    pub fn close(&self, lane: u32, count: u64) {
        let (mut queue, lane) = (lock(&self.queue), lane as usize);
        let Lane { at, last, lags, .. } = &mut queue.lanes[lane];
        let lost = if *lags { count - *last } else { 0 };
        *at = At::Forgotten(u32::try_from(lost).unwrap_or(u32::MAX));
        queue.free_if_done(lane);
    }

    /// Puts a message, which counts as work on the clock, into a lane, as the rules allow. Answers with
    /// how many messages will not be taken up, whose work is to be given back. `by_name`: the topic is followed
    /// by its name, not by a pattern.
    pub fn put(
        &self,
        (lane, by_name): (u32, bool),
        message: &Arc<Message>,
        rules: &TopicRules,
        woken: &mut Wakers,
    ) -> usize {
        let most = rules.queue.unwrap_or(QUEUE).clamp(1, MOST_WAITING);
        let (mut queue, lane) = (lock(&self.queue), lane as usize);
        if queue.lanes[lane].lags {
            return 1;
        }
        queue.counted += 1;
        match rules.slow {
            Slow::Disconnect if queue.is_full(lane, most) => queue.lag(lane),
            Slow::Disconnect => queue.push(lane, message),
            Slow::DropOldest => queue.push_dropping(lane, message, most),
        }
        let wakers = match by_name && queue.lanes.len() == 1 {
            true => &mut woken.of_one,
            false => &mut woken.of_several,
        };
        wakers.extend(queue.waker.take());
        queue.surplus()
    }

    /// The next message, or a promise to wake.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Next> {
        let mut queue = lock(&self.queue);
        if queue.lagging > 0 {
            return Poll::Ready(Next::Lags);
        }
        match queue.pop() {
            Some(message) => {
                let held = queue.counted.min(1);
                queue.counted -= held;
                Poll::Ready(Next::Message(message, held))
            }
            None => {
                queue.wake_later(cx);
                Poll::Pending
            }
        }
    }

    /// Moves messages to `into`, until it has `most` or there are no more; or promises to wake.
    pub fn poll_batch(&self, cx: &mut Context<'_>, into: &mut Messages, most: usize) -> Poll<Batch> {
        let mut queue = lock(&self.queue);
        if queue.lagging > 0 {
            return Poll::Ready(Batch::Lags);
        }
        let before = into.len();
        while into.len() < most
            && let Some(message) = queue.pop()
        {
            into.push(message);
        }
        if into.len() == before {
            queue.waiting.shrink();
            queue.wake_later(cx);
            return Poll::Pending;
        }
        let held = queue.counted.min((into.len() - before) as u32);
        queue.counted -= held;
        Poll::Ready(Batch::Taken(held))
    }

    /// For a follower that takes nothing for now: how much work is to be given back. It is woken when
    /// there is more.
    pub fn rest(&self, cx: &mut Context<'_>) -> usize {
        let mut queue = lock(&self.queue);
        queue.wake_later(cx);
        std::mem::take(&mut queue.counted) as usize
    }

    /// Takes out all that waits, in order of stamps, asking `take_up` for what the lanes that lag have
    /// missed; answers with it and with how much work is to be given back.
    pub fn take_all(
        &self,
        mut take_up: impl FnMut(&mut Lane, &mut Vec<Arc<Message>>),
    ) -> (Vec<Arc<Message>>, usize) {
        let mut queue = lock(&self.queue);
        let mut messages = Vec::new();
        let counted = std::mem::take(&mut queue.counted) as usize;
        while let Some(message) = queue.pop() {
            messages.push(message);
        }
        for place in 0..queue.lanes.len() {
            if std::mem::take(&mut queue.lanes[place].lags) {
                take_up(&mut queue.lanes[place], &mut messages);
                queue.free_if_done(place);
            }
        }
        queue.lagging = 0;
        queue.waiting.shrink();
        messages.sort_unstable_by_key(|message| message.stamp);
        (messages, counted)
    }

    /// The topics followed, but for those that are forgotten, and where each knows the follower.
    pub fn topics(&self) -> Vec<(Arc<str>, usize)> {
        let queue = lock(&self.queue);
        let open = queue.lanes.iter().filter_map(|lane| match lane.at {
            At::Topic(place) => Some((lane.topic.clone(), place as usize)),
            At::Forgotten(_) => None,
        });
        open.collect()
    }

    /// How many messages were dropped because the follower was too slow.
    pub fn dropped(&self) -> u64 {
        lock(&self.queue).dropped.into()
    }
}

impl Queue {
    fn is_full(&self, lane: usize, most: usize) -> bool {
        self.lanes[lane].waiting as usize >= most
            || self.waiting.len() >= MOST_WAITING
            || self.bytes >= MOST_BYTES
    }

    fn wake_later(&mut self, cx: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// What is counted, but no longer there to be dealt with.
    fn surplus(&mut self) -> usize {
        let counted = self.counted.min(self.lagging + self.waiting.len() as u32);
        (std::mem::replace(&mut self.counted, counted) - counted) as usize
    }

    fn push(&mut self, lane: usize, message: &Arc<Message>) {
        self.lanes[lane].waiting += 1;
        self.bytes += message.frame.len();
        self.waiting.push_back((lane, message.clone()));
    }

    fn pop(&mut self) -> Option<Arc<Message>> {
        let (lane, message) = self.waiting.pop_front()?;
        self.passed(lane, &message);
        Some(message)
    }

    fn passed(&mut self, lane: usize, message: &Message) {
        self.bytes -= message.frame.len();
        self.lanes[lane].waiting -= 1;
        self.lanes[lane].last = message.number;
        self.free_if_done(lane);
    }

    fn free_if_done(&mut self, lane: usize) {
        self.free += u32::from(self.lanes[lane].is_free());
    }

    /// What waits in the lane is dropped: the history has it, or it is lost. One piece of work stays,
    /// that of taking up.
    fn lag(&mut self, lane: usize) {
        self.bytes -= self.waiting.remove_lane(lane);
        self.lagging += 1;
        self.lanes[lane].lags = true;
        self.lanes[lane].waiting = 0;
    }

    fn push_dropping(&mut self, lane: usize, message: &Arc<Message>, most: usize) {
        while self.is_full(lane, most) && self.lanes[lane].waiting > 0 {
            self.drop_oldest(lane);
            self.dropped = self.dropped.saturating_add(1);
        }
        if self.is_full(lane, most) {
            // Full of other topics' messages: this one is the oldest of its own.
            self.lanes[lane].last = message.number;
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.push(lane, message);
        }
    }

    /// A lane that is alone has its oldest in front.
    fn drop_oldest(&mut self, lane: usize) {
        if let Some((_, message)) = self.waiting.pop_of(lane) {
            self.passed(lane, &message);
        }
    }
}
