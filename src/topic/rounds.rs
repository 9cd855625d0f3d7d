//! When the followers of a topic are woken: at once, or together for several messages.
//!
//! To wake thousands of followers for a message takes them all some milliseconds. If the next message wakes
//! them again meanwhile, every write carries little, and everybody waits for all those writes, the publisher
//! included. So a topic's followers are woken in rounds: what comes before the last round can be over waits
//! for that, and then goes out in one write to each.

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::lock;
use crate::clock::real_time;

/// A follower's share of a round: a write to it takes a thread half as long or more, and the other half is
/// for those who read and publish, perhaps on the same processors.
const SHARE: Duration = Duration::from_micros(10);
/// Shorter rounds are not waited for: timers go by milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);
/// Longer ones are not waited for to the end.
const LONGEST: Duration = Duration::from_millis(25);

/// The rounds of one topic.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds(Arc<Mutex<Round>>);

impl Rounds {
    /// A message has reached those who are `woken`, of so many followers. They are woken at once, unless
    /// the last round is under way: then when it is over, or when `most` messages wait for that.
    ///
    /// They must follow nothing else: what another topic has for them would have to wait, too.
    pub fn call(&self, woken: Vec<Waker>, followers: usize, most: usize) {
        let length = match Handle::try_current() {
            Ok(runtime) => length(followers, runtime.metrics().num_workers()),
            Err(_) => Duration::ZERO,
        };
        let most = if length < SHORTEST { 0 } else { most };
        let next = lock(&self.0).call(woken, Instant::now(), length, most);
        match next {
            Next::Wake(woken) => wake(woken),
            Next::Await(over) => drop(tokio::spawn(Watch(Some(self.clone())).until(over, length))),
            Next::Nothing => {}
        }
    }
}

/// Whoever waits for the end of a round.
struct Watch(Option<Rounds>);

impl Watch {
    async fn until(mut self, mut over: Instant, length: Duration) {
        while let Some(Rounds(round)) = &self.0 {
            real_time(over).await;
            let next = lock(round).end(Instant::now(), length);
            match next {
                Next::Await(later) => over = later,
                Next::Wake(woken) => {
                    self.0 = None;
                    wake(woken);
                }
                Next::Nothing => self.0 = None,
            }
        }
    }
}

/// If the runtime of whoever published is gone before the round is over, it ends at once.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(Rounds(round)) = &self.0 {
            let woken = lock(round).give_up();
            wake(woken);
        }
    }
}

#[derive(Debug, Default)]
struct Round {
    /// When followers were woken last.
    began: Option<Instant>,
    /// Who has got something since.
    late: Vec<Waker>,
    /// How many messages there were since.
    messages: usize,
    /// Somebody waits for its end.
    awaited: bool,
}

/// What is to be done about a round.
#[derive(Debug)]
enum Next {
    /// Another one begins, with these.
    Wake(Vec<Waker>),
    /// Somebody has to wait until then, when it may be over.
    Await(Instant),
    Nothing,
}

impl Round {
    fn call(&mut self, woken: Vec<Waker>, now: Instant, length: Duration, most: usize) -> Next {
        self.late.extend(woken);
        self.messages += 1;
        let over = self.over(now, length);
        if over <= now || self.messages >= most {
            return self.begin(now);
        }
        match std::mem::replace(&mut self.awaited, true) {
            true => Next::Nothing,
            false => Next::Await(over),
        }
    }

    /// It may be over. If too many messages have begun another one meanwhile, that one has its time.
    fn end(&mut self, now: Instant, length: Duration) -> Next {
        let over = self.over(now, length);
        if self.messages > 0 && over > now {
            return Next::Await(over);
        }
        self.awaited = false;
        match self.messages {
            0 => Next::Nothing,
            _ => self.begin(now),
        }
    }

    /// Nobody waits for its end any more.
    fn give_up(&mut self) -> Vec<Waker> {
        self.awaited = false;
        self.messages = 0;
        std::mem::take(&mut self.late)
    }

    fn over(&self, now: Instant, length: Duration) -> Instant {
        self.began.map_or(now, |began| began + length)
    }

    fn begin(&mut self, now: Instant) -> Next {
        self.began = Some(now);
        self.messages = 0;
        Next::Wake(std::mem::take(&mut self.late))
    }
}

/// How long a round is given.
fn length(followers: usize, threads: usize) -> Duration {
    let followers = u32::try_from(followers / threads.max(1)).unwrap_or(u32::MAX);
    SHARE.saturating_mul(followers).min(LONGEST)
}

fn wake(woken: Vec<Waker>) {
    woken.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;

    const LENGTH: Duration = Duration::from_millis(10);

    /// A message for so many followers.
    fn call(round: &mut Round, now: Instant, followers: usize, most: usize) -> String {
        let woken = vec![Waker::noop().clone(); followers];
        told(round.call(woken, now, LENGTH, most), now)
    }

    fn end(round: &mut Round, now: Instant) -> String {
        told(round.end(now, LENGTH), now)
    }

    fn told(next: Next, now: Instant) -> String {
        match next {
            Next::Wake(woken) => format!("wake {}", woken.len()),
            Next::Await(over) => format!("await {:?}", over - now),
            Next::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn what_comes_before_a_round_is_over_goes_out_together_at_its_end() {
        let (mut round, began) = (Round::default(), Instant::now());
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(call(&mut round, at(0), 3, 16), "wake 3");
        assert_eq!(call(&mut round, at(2), 2, 16), "await 8ms");
        assert_eq!(call(&mut round, at(9), 1, 16), "nothing");
        assert_eq!(end(&mut round, at(10)), "wake 3");
        // That was the beginning of the next round.
        assert_eq!(call(&mut round, at(19), 1, 16), "await 1ms");
        assert_eq!(end(&mut round, at(20)), "wake 1");
        assert_eq!(call(&mut round, at(30), 1, 16), "wake 1");
    }

    #[test]
    fn a_round_has_only_so_many_messages_wait() {
        let (mut round, began) = (Round::default(), Instant::now());
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(call(&mut round, at(0), 1, 2), "wake 1");
        assert_eq!(call(&mut round, at(1), 1, 2), "await 9ms");
        assert_eq!(call(&mut round, at(2), 1, 2), "wake 2");
        assert_eq!(call(&mut round, at(3), 1, 2), "nothing");
        assert_eq!(end(&mut round, at(10)), "await 2ms");
        assert_eq!(call(&mut round, at(11), 0, 2), "wake 1");
        assert_eq!(end(&mut round, at(12)), "nothing");
        assert_eq!(call(&mut round, at(13), 1, 2), "await 8ms");
    }

    #[test]
    fn rounds_are_as_long_as_there_are_followers_for_each_thread() {
        assert_eq!(length(1_000, 1), Duration::from_millis(10));
        assert_eq!(length(1_000, 4), Duration::from_micros(2_500));
        assert!(length(99, 1) < SHORTEST);
        assert_eq!(length(usize::MAX, 1), LONGEST);
    }

    #[test]
    fn whoever_waits_is_woken_if_the_runtime_of_the_publisher_is_gone() {
        let rounds = Rounds::default();
        let woken = Arc::new(Woken::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let publisher = runtime.unwrap();
        publisher.block_on(async {
            rounds.call(Vec::new(), usize::MAX, 16);
            rounds.call(vec![woken.clone().into()], usize::MAX, 16);
        });
        assert!(!woken.0.load(Relaxed));
        drop(publisher);
        assert!(woken.0.load(Relaxed));
        assert!(!lock(&rounds.0).awaited);
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let rounds = Rounds::default();
        for _ in 0..3 {
            rounds.call(Vec::new(), 100, 16);
        }
        let woken = std::future::poll_fn({
            let mut told = false;
            move |cx| {
                if std::mem::replace(&mut told, true) {
                    return std::task::Poll::Ready(());
                }
                rounds.call(vec![cx.waker().clone()], 100, 16);
                std::task::Poll::Pending
            }
        });
        woken.await;
    }
}
