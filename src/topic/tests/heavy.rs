//! Large messages: what is kept and what waits is bounded in bytes, not in messages alone.

use super::*;

/// Publishes so many messages of a little more than 4 MiB each.
fn publish_heavy(topics: &Topics, name: &str, rules: &TopicRules, count: u64) {
    let data: bytes::Bytes = vec![b'x'; 4 << 20].into();
    for _ in 0..count {
        let event = Event {
            data: Some(data.clone()),
            ..Event::default()
        };
        topics.publish(name, rules, event, true).unwrap();
    }
}

fn kept(topics: &Topics, name: &str) -> usize {
    let rules = |_: &str| keep(1000);
    let mut all = topics
        .subscribe(&named(&[name]), Start::Earliest, &rules)
        .unwrap();
    std::iter::from_fn(|| all.backlog()).count()
}

#[test]
fn a_history_has_a_bound_in_bytes_whatever_the_rules_say() {
    let topics = topics();
    publish_heavy(&topics, "t", &keep(1000), 20);
    assert_eq!(kept(&topics, "t"), 15, "64 MiB");
}

#[test]
fn all_histories_have_a_bound_together() {
    let topics = topics();
    for name in ["a", "b", "c", "d"] {
        publish_heavy(&topics, name, &keep(1000), 15);
    }
    let last = |name: &str| topics.last(name).is_some();
    // Without a history there is the last message still: those that nobody follows make room.
    for name in ["e", "f", "g", "h"] {
        publish_heavy(&topics, name, &keep(0), 1);
    }
    assert_eq!(
        ["d", "e", "f", "g", "h"].map(last),
        [true, false, true, true, true]
    );
    // With one the topic that is published to pays.
    publish_heavy(&topics, "a", &keep(1000), 1);
    assert_eq!(["a", "b", "c", "d"].map(|name| kept(&topics, name)), [15; 4]);
    publish_heavy(&topics, "h", &keep(1000), 2);
    assert_eq!(kept(&topics, "h"), 1);
}

#[tokio::test]
async fn what_waits_has_a_bound_in_bytes() {
    for slow in [Slow::Disconnect, Slow::DropOldest] {
        let rules = TopicRules { slow, ..keep(0) };
        let topics = topics();
        let mut lazy = subscribe(&topics, Start::Live, &rules);
        publish_heavy(&topics, "t", &rules, 17);
        let got = there(&mut lazy).await;
        match slow {
            Slow::Disconnect => assert_eq!(got.unwrap_err(), TooSlow { missed: 17 }),
            Slow::DropOldest => assert_eq!((got.unwrap().len(), lazy.dropped()), (16, 1)),
        }
        // It is empty again.
        publish_heavy(&topics, "t", &rules, 16);
        assert_eq!(there(&mut lazy).await.unwrap().len(), 16);
    }
}
