//! Many publishers and followers at once.

use super::*;
use std::collections::HashMap;

const ROUNDS: u64 = 300;
const PUBLISHERS: u64 = 4;
const NAMES: [&str; 5] = ["room/1", "room/2", "room/3", "hall/1", "hall/2"];

/// Takes so many messages, late now and then; nothing is missing, nothing comes twice, and all are in
/// order of stamps.
async fn take(mut subscription: Subscription, count: u64) {
    let (mut stamp, mut numbers) = (0, HashMap::new());
    for n in 0..count {
        let message = subscription.live().await.unwrap();
        assert!(message.stamp > stamp, "{} after {stamp}", message.stamp);
        stamp = message.stamp;
        let last = numbers.insert(message.topic.clone(), message.number).unwrap_or(0);
        assert_eq!(message.number, last + 1, "{}", message.topic);
        if n % 100 < 10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(subscription.dropped(), 0);
    assert!(there(&mut subscription).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_and_nothing_comes_twice() {
    let per_topic = ROUNDS * PUBLISHERS;
    for queue in [2, 100_000] {
        let rules = TopicRules {
            queue: Some(queue),
            ..keep(10_000)
        };
        let clock = Clock::manual();
        let topics = on(clock.clone());
        let rooms = [pattern("room/{room}")];
        let some = [
            Selector::Name("room/2".into()),
            pattern("hall/{n}"),
            pattern("{x}/2"),
        ];
        let one = named(&["hall/2"]);
        let mut followers = Vec::new();
        for (which, followed) in [(&rooms[..], 3), (&some[..], 3), (&one[..], 1)] {
            for _ in 0..4 {
                let subscription = topics.subscribe(which, Start::Live, &|_| rules.clone()).unwrap();
                followers.push(tokio::spawn(take(subscription, followed * per_topic)));
            }
        }
        let publishers = (0..PUBLISHERS).map(|n| {
            let (topics, rules) = (topics.clone(), rules.clone());
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    for at in 0..NAMES.len() as u64 {
                        let name = NAMES[((n + round + at) % NAMES.len() as u64) as usize];
                        topics.publish(name, &rules, Event::default(), true).unwrap();
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.await.unwrap();
        }
        // Whoever comes late gets the same.
        let late = topics
            .subscribe(&some, Start::Earliest, &|_| rules.clone())
            .unwrap();
        take(late, 3 * per_topic).await;
        for follower in followers {
            follower.await.unwrap();
        }
        assert_eq!(clock.busy(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_that_come_and_go_see_each_message_once() {
    let clock = Clock::manual();
    let topics = on(clock.clone());
    let publisher = tokio::spawn({
        let topics = topics.clone();
        async move {
            for n in 0..3000 {
                let name = NAMES[n % NAMES.len()];
                topics
                    .publish(name, &keep(10_000), Event::default(), true)
                    .unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let followers = (0..8).map(|n: usize| {
        let topics = topics.clone();
        tokio::spawn(async move {
            let which = [pattern("{x}/1"), Selector::Name("room/2".into())];
            let (mut stamp, mut seen) = (0, 0);
            while seen < 1800 {
                let mut subscription = topics
                    .subscribe(&which, Start::Behind(stamp), &|_| keep(10_000))
                    .unwrap();
                assert_eq!(subscription.gap(), None);
                for _ in 0..(n + 1).min(1800 - seen) {
                    let message = subscription.live().await.unwrap();
                    assert!(message.stamp > stamp);
                    stamp = message.stamp;
                    seen += 1;
                }
            }
            stamp
        })
    });
    let followers: Vec<_> = followers.collect();
    publisher.await.unwrap();
    let last = ["room/1", "room/2", "hall/1"].map(|name| topics.published(name).unwrap());
    for follower in followers {
        assert_eq!(follower.await.unwrap(), last.into_iter().max().unwrap());
    }
    assert_eq!(clock.busy(), 0);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Takes what there is, and waits for more.
fn take_all(subscription: &mut Subscription, bell: &Arc<Bell>) -> usize {
    let waker = bell.clone().into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut count = 0;
    while let Poll::Ready(taken) = subscription.poll_batch(&mut cx, &mut Messages::new(), 1) {
        taken.unwrap();
        count += 1;
    }
    count
}

#[tokio::test]
async fn who_follows_several_topics_waits_for_no_round_of_one_of_them() {
    let topics = topics();
    // Enough for a round.
    let crowd: Vec<_> = (0..2_000)
        .map(|_| subscribe(&topics, Start::Live, &keep(0)))
        .collect();
    let which = [Selector::Name("t".into()), Selector::Name("quiet".into())];
    let rules = |_: &str| keep(0);
    let mut several = topics.subscribe(&which, Start::Live, &rules).unwrap();
    let mut one = subscribe(&topics, Start::Live, &keep(0));
    let bells = [Arc::<Bell>::default(), Arc::default()];
    let mut publish_and_take = |name: &str| {
        let taken = [take_all(&mut several, &bells[0]), take_all(&mut one, &bells[1])];
        publish_to(&topics, name, &keep(0), "1");
        let woken = [0, 1].map(|at: usize| bells[at].0.load(std::sync::atomic::Ordering::Relaxed));
        (taken, woken)
    };
    assert_eq!(publish_and_take("t"), ([0, 0], [1, 1]));
    // The round of the first is under way.
    assert_eq!(publish_and_take("t"), ([1, 1], [2, 1]));
    assert_eq!(publish_and_take("quiet"), ([1, 1], [3, 1]));
    drop(crowd);
}
