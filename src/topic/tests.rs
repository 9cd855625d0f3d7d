//! Tests of topics as their users see them.

mod accounts;
mod crowd;
mod heavy;
mod several;

use crate::scenario::model::{Gap, History, Selector, Slow, TopicRules};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::event::Event;
use crate::expr::TopicView;
use crate::scenario::pattern::Pattern;
use crate::session::Session;

fn topics() -> Arc<Topics> {
    on(Clock::real())
}

fn on(clock: Arc<Clock>) -> Arc<Topics> {
    Session::new(clock).topics
}

/// Rules with a history of so many messages.
fn keep(count: usize) -> TopicRules {
    TopicRules {
        history: History {
            count,
            ..History::default()
        },
        ..TopicRules::default()
    }
}

fn publish_to(topics: &Topics, name: &str, rules: &TopicRules, id: &str) -> usize {
    let event = Event {
        id: Some(id.to_owned().into()),
        data: Some("x".into()),
        ..Event::default()
    };
    topics.publish(name, rules, event, false).unwrap()
}

fn publish(topics: &Topics, rules: &TopicRules, ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        publish_to(topics, "t", rules, &id.to_string());
    }
}

fn named(names: &[&str]) -> Vec<Selector> {
    names.iter().map(|n| Selector::Name((*n).to_owned())).collect()
}

fn pattern(source: &str) -> Selector {
    Selector::Pattern(Pattern::parse(source).unwrap())
}

fn subscribe(topics: &Topics, start: Start, rules: &TopicRules) -> Subscription {
    topics
        .subscribe(&named(&["t"]), start, &|_| rules.clone())
        .unwrap()
}

fn id(message: &Message) -> String {
    String::from_utf8(message.event.id.clone().unwrap().to_vec()).unwrap()
}

fn backlog(subscription: &mut Subscription) -> String {
    let ids: Vec<_> = std::iter::from_fn(|| subscription.backlog())
        .map(|m| id(&m))
        .collect();
    ids.join(" ")
}

/// All that there is at once, live or not.
async fn there(subscription: &mut Subscription) -> Result<Vec<Arc<Message>>, TooSlow> {
    let mut got = Vec::new();
    // Otherwise it seems now and then as if there were no more.
    let all = tokio::task::unconstrained(async {
        while let Poll::Ready(message) = futures_util::poll!(std::pin::pin!(subscription.live())) {
            got.push(message?);
        }
        Ok(())
    });
    all.await?;
    Ok(got)
}

async fn ids_there(subscription: &mut Subscription) -> String {
    let ids: Vec<_> = there(subscription).await.unwrap().iter().map(|m| id(m)).collect();
    ids.join(" ")
}

#[test]
fn resuming_starts_strictly_behind_the_id() {
    let topics = topics();
    publish(&topics, &keep(3), 1..=4);
    for (start, expected, gap) in [
        (Start::Live, "", None),
        (Start::Earliest, "2 3 4", None),
        (Start::After(b"3"), "4", None),
        (Start::After(b"4"), "", None),
        (Start::After(b"1"), "2 3 4", Some(Gap::Replay)),
        (Start::Behind(3), "4", None),
        (Start::Behind(1), "2 3 4", None),
        (Start::Behind(0), "2 3 4", Some(Gap::Replay)),
        (Start::Behind(99), "", None),
    ] {
        let mut subscription = subscribe(&topics, start, &keep(3));
        assert_eq!(
            (backlog(&mut subscription).as_str(), subscription.gap()),
            (expected, gap),
            "{start:?}"
        );
    }
}

#[test]
fn the_last_id_is_known_without_a_history() {
    let topics = topics();
    publish(&topics, &keep(0), 1..=2);
    for (start, gap) in [
        (Start::After(b"2"), None),
        (Start::After(b"1"), Some(Gap::Replay)),
        (Start::Earliest, None),
    ] {
        let mut subscription = subscribe(&topics, start, &keep(0));
        assert_eq!(
            (backlog(&mut subscription).as_str(), subscription.gap()),
            ("", gap)
        );
    }
}

#[tokio::test]
async fn a_gap_is_filled_as_the_rules_say() {
    for (gap, expected) in [(Gap::Replay, "2 3"), (Gap::Live, ""), (Gap::Error, "")] {
        let topics = topics();
        let rules = TopicRules { gap, ..keep(2) };
        publish(&topics, &rules, 1..=3);
        let mut subscription = subscribe(&topics, Start::After(b"gone"), &rules);
        assert_eq!(subscription.gap(), Some(gap));
        assert_eq!(backlog(&mut subscription), expected);
        publish(&topics, &rules, [4]);
        assert_eq!(ids_there(&mut subscription).await, "4");
    }
}

#[tokio::test]
async fn a_history_is_bounded_by_count_bytes_and_age_together() {
    let clock = Clock::manual();
    let topics = on(clock.clone());
    // "data: x\nid: 1\n\n"
    let bytes = 15;
    let second = Duration::from_secs(1);
    let rules = |count, bytes, age| TopicRules {
        history: History { count, bytes, age },
        ..TopicRules::default()
    };
    let kept = |rules: &TopicRules| backlog(&mut subscribe(&topics, Start::Earliest, rules));
    let all = rules(9, Some(9 * bytes), Some(9 * second));
    for n in 1..=6 {
        publish(&topics, &all, [n]);
        clock.advance(second).await;
    }
    assert_eq!(kept(&all), "1 2 3 4 5 6");
    // Now is 6 s; 4 was published at 3 s.
    assert_eq!(kept(&rules(9, None, Some(3 * second))), "4 5 6");
    publish(&topics, &rules(4, Some(9 * bytes), Some(9 * second)), [7]);
    assert_eq!(kept(&all), "4 5 6 7");
    publish(&topics, &rules(9, Some(3 * bytes + 14), Some(9 * second)), [8]);
    assert_eq!(kept(&all), "6 7 8");
    publish(&topics, &rules(9, None, Some(second / 2)), [9]);
    assert_eq!(kept(&all), "7 8 9");
    // Too old when read, though nothing was published since.
    clock.advance(10 * second).await;
    assert_eq!(kept(&all), "");
    let gap = |id: &'static [u8]| subscribe(&topics, Start::After(id), &all).gap();
    assert_eq!((gap(b"8"), gap(b"9")), (Some(Gap::Replay), None));
    publish(&topics, &rules(9, Some(14), None), [1]);
    assert_eq!(kept(&all), "");
}

#[tokio::test]
async fn everyone_gets_the_same_message() {
    let topics = topics();
    let mut a = subscribe(&topics, Start::Live, &keep(0));
    let mut b = subscribe(&topics, Start::Live, &keep(0));
    assert_eq!(publish_to(&topics, "t", &keep(0), "1"), 2);
    let (a, b) = (a.live().await.unwrap(), b.live().await.unwrap());
    assert!(Arc::ptr_eq(&a, &b));
    assert_eq!(
        (&*a.topic, a.number, Some(a.stamp)),
        ("t", 1, topics.published("t"))
    );
    let seen = (topics.clients("t"), topics.count("t"), topics.last("t"));
    assert_eq!(seen, (2, 1, Some("x".into())));
    assert_eq!(topics.published("other"), None);
}

#[tokio::test]
async fn a_counted_message_has_its_number_for_an_id() {
    let topics = topics();
    let mut subscription = subscribe(&topics, Start::Live, &keep(0));
    for _ in 0..2 {
        topics.publish("t", &keep(0), Event::default(), true).unwrap();
    }
    assert_eq!(ids_there(&mut subscription).await, "1 2");
}

#[tokio::test]
async fn a_slow_subscriber_catches_up_from_the_history_or_is_told() {
    for (history, missed) in [(5000, None), (10, Some(2990))] {
        let topics = topics();
        let mut slow = subscribe(&topics, Start::Live, &keep(history));
        publish(&topics, &keep(history), 1..=3000);
        match there(&mut slow).await {
            Ok(got) => assert!(got.iter().map(|m| m.number).eq(1..=3000)),
            Err(TooSlow { missed: n }) => assert_eq!(Some(n), missed),
        }
    }
}

#[tokio::test]
async fn a_queue_is_exactly_as_long_as_the_rules_say() {
    for queue in [1, 3, 5, 1000] {
        let rules = TopicRules {
            queue: Some(queue as usize),
            ..keep(0)
        };
        let topics = topics();
        let mut slow = subscribe(&topics, Start::Live, &rules);
        publish(&topics, &rules, 1..=queue);
        assert_eq!(there(&mut slow).await.unwrap().len() as u64, queue);
        publish(&topics, &rules, 1..=queue + 1);
        let missed = queue + 1;
        assert_eq!(there(&mut slow).await.unwrap_err(), TooSlow { missed });
        assert_eq!(slow.dropped(), 0);
    }
}

#[tokio::test]
async fn the_oldest_are_dropped_and_counted() {
    let rules = |queue| TopicRules {
        queue: Some(queue),
        slow: Slow::DropOldest,
        ..keep(0)
    };
    let topics = topics();
    let mut slow = subscribe(&topics, Start::Live, &rules(3));
    publish(&topics, &rules(3), 1..=5);
    assert_eq!(ids_there(&mut slow).await, "3 4 5");
    assert_eq!(slow.dropped(), 2);
    // A queue that became shorter.
    publish(&topics, &rules(3), 6..=8);
    publish(&topics, &rules(2), [9]);
    assert_eq!(ids_there(&mut slow).await, "8 9");
    assert_eq!(slow.dropped(), 4);
    // The first of a whole history is no message that waits.
    publish(&topics, &keep(9), 10..=13);
    let mut late = subscribe(&topics, Start::Earliest, &rules(1));
    assert_eq!(ids_there(&mut late).await, "10 11 12 13");
}

#[tokio::test]
async fn a_queue_has_a_bound_whatever_the_rules_say() {
    for slow in [Slow::Disconnect, Slow::DropOldest] {
        let queue = Some(usize::MAX);
        let rules = TopicRules {
            queue,
            slow,
            ..keep(0)
        };
        let topics = topics();
        let which = named(&["t", "u"]);
        let mut lazy = topics.subscribe(&which, Start::Live, &|_| rules.clone()).unwrap();
        publish(&topics, &rules, 1..=65_536);
        publish_to(&topics, "u", &rules, "u");
        publish(&topics, &rules, [0]);
        let got = there(&mut lazy).await;
        match slow {
            Slow::Disconnect => assert_eq!(got.unwrap_err(), TooSlow { missed: 65_538 }),
            Slow::DropOldest => assert_eq!((got.unwrap().len(), lazy.dropped()), (65_536, 2)),
        }
    }
}

#[test]
fn topics_have_a_bound_and_unused_ones_make_room() {
    let topics = topics();
    let create = |name: String, history| topics.publish(&name, &keep(history), Event::default(), true);
    for n in 0..2000 {
        create(n.to_string(), n % 2).unwrap();
    }
    // Those that nobody follows and that keep nothing go first.
    create("more".into(), 1).unwrap();
    assert_eq!((topics.count("0"), topics.count("1")), (0, 1));
    let hold: Vec<_> = (2000..4000)
        .filter_map(|n: u32| {
            topics
                .subscribe(&named(&[&n.to_string()]), Start::Live, &|_| keep(0))
                .ok()
        })
        .collect();
    assert_eq!(hold.len(), 2000);
    assert_eq!(create("one more".into(), 0), Err(PublishError::TooMany));
    let several = topics.subscribe(&named(&["2000", "one more"]), Start::Live, &|_| keep(0));
    assert_eq!(several.err(), Some(PublishError::TooMany));
    assert_eq!(topics.clients("2000"), 1);
    drop(hold);
    create("one more".into(), 0).unwrap();
    create("x".repeat(4096), 0).unwrap();
    assert_eq!(create("x".repeat(4097), 0), Err(PublishError::LongName));
}

#[test]
fn the_least_recently_used_topic_makes_room_and_declared_ones_last() {
    let topics = topics();
    topics.declare(["declared".to_owned()]);
    let create = |name: &str| assert!(topics.publish(name, &keep(1), Event::default(), true).is_ok());
    create("declared");
    (0..1999).for_each(|n| create(&n.to_string()));
    create("0");
    drop(subscribe(&topics, Start::Live, &keep(1)));
    (2000..2010).for_each(|n| create(&n.to_string()));
    let count = |name: &str| topics.count(name);
    assert_eq!([count("declared"), count("0"), count("1")], [1, 2, 0]);
    assert_eq!((1..1999).filter(|n| count(&n.to_string()) == 1).count(), 1988);
    // A follower counts until it leaves.
    let follower = topics.subscribe(&named(&["20"]), Start::Live, &|_| keep(1));
    (0..3000).for_each(|n| create(&format!("b{n}")));
    assert_eq!([count("declared"), count("20"), count("21")], [1, 1, 0]);
    drop(follower);
    create("one more");
    assert_eq!(count("20"), 1);
    // Not declared any more.
    topics.declare([]);
    create("and one more");
    assert_eq!([count("declared"), count("20")], [0, 1]);
}
