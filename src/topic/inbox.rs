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
#[derive(Debug)]
pub(super) struct Inbox {
    /// Names the follower.
    pub id: u64,
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
    /// Places among the lanes that may be used again.
    free: Vec<usize>,
    /// How many lanes lag.
    lagging: usize,
    /// Of what waits and of what lags, how much the clock counts as work.
    counted: usize,
    dropped: u64,
    waker: Option<Waker>,
}

/// What waits. The first has a place of its own: seldom is there more than one.
#[derive(Debug, Default)]
struct Waiting {
    first: Option<Entry>,
    more: VecDeque<Entry>,
}

/// A message, and its lane.
type Entry = (usize, Arc<Message>);

impl Waiting {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    fn push_back(&mut self, entry: Entry) {
        match &mut self.first {
            Some(_) => self.more.push_back(entry),
            none => *none = Some(entry),
        }
    }

    fn pop_front(&mut self) -> Option<Entry> {
        let first = self.first.take()?;
        self.first = self.more.pop_front();
        Some(first)
    }

    /// Takes out the first of a lane.
    fn pop_of(&mut self, lane: usize) -> Option<Entry> {
        if self.first.as_ref().is_some_and(|(at, _)| *at == lane) {
            return self.pop_front();
        }
        let at = self.more.iter().position(|(at, _)| *at == lane)?;
        self.more.remove(at)
    }

    /// Takes out all of a lane: how many bytes they have on the wire.
    fn remove_lane(&mut self, lane: usize) -> usize {
        let mut bytes = 0;
        let mut stays = |entry: &Entry| {
            let stays = entry.0 != lane;
            bytes += if stays { 0 } else { entry.1.frame.len() };
            stays
        };
        self.more.retain(&mut stays);
        if self.first.as_ref().is_some_and(|first| !stays(first)) {
            self.first = self.more.pop_front();
        }
        bytes
    }

    /// Gives memory back that is not needed in the long run.
    fn shrink(&mut self) {
        self.more.shrink_to(if self.more.is_empty() { 0 } else { QUEUE });
    }
}

/// A topic that is followed.
#[derive(Debug)]
pub(super) struct Lane {
    pub topic: Arc<str>,
    /// The number of the last message that has been taken from the lane, or passed over.
    pub last: u64,
    waiting: usize,
    /// It has fallen too far behind and gets nothing more until it takes up from the history.
    lags: bool,
    /// The topic has been forgotten, after so many messages.
    pub closed: Option<u64>,
}

/// What an inbox has.
pub(super) enum Next {
    /// A message, and how much work is to be given back once it has been dealt with.
    Message(Arc<Message>, usize),
    /// It must take up from the history first.
    Lags,
}

/// What an inbox has, several at once.
pub(super) enum Batch {
    /// Messages were taken, and so much work is to be given back once they have been dealt with.
    Taken(usize),
    /// It must take up from the history first.
    Lags,
}

impl Inbox {
    pub fn new(id: u64) -> Inbox {
        Inbox {
            id,
            queue: Mutex::default(),
        }
    }

    /// Opens a lane for a topic that has had `last` messages; answers with its place.
    pub fn open(&self, topic: Arc<str>, last: u64) -> usize {
        let mut queue = lock(&self.queue);
        let lane = Lane {
            topic,
            last,
            waiting: 0,
            lags: false,
            closed: None,
        };
        if let Some(place) = queue.free.pop() {
            queue.lanes[place] = lane;
            return place;
        }
        queue.lanes.push(lane);
        queue.lanes.len() - 1
    }

    /// Nothing more comes in a lane: its topic is forgotten, after `count` messages. What waits there
    /// can still be taken.
    pub fn close(&self, lane: usize, count: u64) {
        let mut queue = lock(&self.queue);
        queue.lanes[lane].closed = Some(count);
        queue.free_if_done(lane);
    }

    /// Puts a message, which counts as work on the clock, into a lane, as the rules allow. Answers with
    /// how many messages will not be taken up, whose work is to be given back.
    pub fn put(
        &self,
        lane: usize,
        message: &Arc<Message>,
        rules: &TopicRules,
        woken: &mut Vec<Waker>,
    ) -> usize {
        let most = rules.queue.unwrap_or(QUEUE).clamp(1, MOST_WAITING);
        let mut queue = lock(&self.queue);
        if queue.lanes[lane].lags {
            return 1;
        }
        queue.counted += 1;
        match rules.slow {
            Slow::Disconnect if queue.is_full(lane, most) => queue.lag(lane),
            Slow::Disconnect => queue.push(lane, message),
            Slow::DropOldest => queue.push_dropping(lane, message, most),
        }
        woken.extend(queue.waker.take());
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
        let held = queue.counted.min(into.len() - before);
        queue.counted -= held;
        Poll::Ready(Batch::Taken(held))
    }

    /// For a follower that takes nothing for now: how much work is to be given back. It is woken when
    /// there is more.
    pub fn rest(&self, cx: &mut Context<'_>) -> usize {
        let mut queue = lock(&self.queue);
        queue.wake_later(cx);
        std::mem::take(&mut queue.counted)
    }

    /// Takes out all that waits, in order of stamps, asking `take_up` for what the lanes that lag have
    /// missed; answers with it and with how much work is to be given back.
    pub fn take_all(
        &self,
        mut take_up: impl FnMut(&mut Lane, &mut Vec<Arc<Message>>),
    ) -> (Vec<Arc<Message>>, usize) {
        let mut queue = lock(&self.queue);
        let mut messages = Vec::new();
        let counted = std::mem::take(&mut queue.counted);
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

    /// The topics followed, but for those that are forgotten.
    pub fn topics(&self) -> Vec<Arc<str>> {
        let queue = lock(&self.queue);
        let open = queue.lanes.iter().filter(|lane| lane.closed.is_none());
        open.map(|lane| lane.topic.clone()).collect()
    }

    /// How many messages were dropped because the follower was too slow.
    pub fn dropped(&self) -> u64 {
        lock(&self.queue).dropped
    }
}

impl Queue {
    fn is_full(&self, lane: usize, most: usize) -> bool {
        self.lanes[lane].waiting >= most || self.waiting.len() >= MOST_WAITING || self.bytes >= MOST_BYTES
    }

    fn wake_later(&mut self, cx: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// What is counted, but no longer there to be dealt with.
    fn surplus(&mut self) -> usize {
        let counted = self.counted.min(self.lagging + self.waiting.len());
        std::mem::replace(&mut self.counted, counted) - counted
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
        let Lane {
            closed,
            waiting,
            lags,
            ..
        } = &self.lanes[lane];
        if closed.is_some() && *waiting == 0 && !lags {
            self.free.push(lane);
        }
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
            self.dropped += 1;
        }
        if self.is_full(lane, most) {
            // Full of other topics' messages: this one is the oldest of its own.
            self.lanes[lane].last = message.number;
            self.dropped += 1;
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
