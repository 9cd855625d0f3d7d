//! Several topics in one subscription.

use super::*;

fn follow(topics: &Topics, which: &[Selector], start: Start) -> Subscription {
    topics.subscribe(which, start, &|_| keep(10)).unwrap()
}

#[tokio::test]
async fn several_topics_come_in_the_order_in_which_they_were_published() {
    let topics = topics();
    for (n, name) in ["a", "b", "b", "a", "c", "a"].into_iter().enumerate() {
        publish_to(&topics, name, &keep(10), &format!("{name}{n}"));
    }
    let mut both = follow(&topics, &named(&["b", "a"]), Start::Earliest);
    for (n, name) in ["b", "a", "c", "b"].into_iter().enumerate() {
        publish_to(&topics, name, &keep(10), &format!("{name}{}", n + 6));
    }
    assert_eq!(ids_there(&mut both).await, "a0 b1 b2 a3 a5 b6 a7 b9");
}

#[tokio::test]
async fn one_resumes_behind_an_id_of_any_of_them() {
    let topics = topics();
    for (n, name) in ["a", "b", "b", "a", "b"].into_iter().enumerate() {
        publish_to(&topics, name, &keep(10), &n.to_string());
    }
    for (start, expected, gap) in [
        (Start::After(b"1"), "2 3 4", None),
        (Start::After(b"3"), "4", None),
        (Start::After(b"4"), "", None),
        (Start::Behind(2), "2 3 4", None),
        (Start::After(b"?"), "0 1 2 3 4", Some(Gap::Replay)),
    ] {
        let mut both = follow(&topics, &named(&["a", "b"]), start);
        assert_eq!((ids_there(&mut both).await.as_str(), both.gap()), (expected, gap));
    }
}

#[test]
fn the_strictest_rule_holds_for_an_unknown_id() {
    let topics = topics();
    for name in ["replay", "live", "error"] {
        publish_to(&topics, name, &keep(10), name);
    }
    let rules = |name: &str| TopicRules {
        gap: match name {
            "live" => Gap::Live,
            "error" | "none/{yet}" => Gap::Error,
            _ => Gap::Replay,
        },
        ..keep(10)
    };
    for (which, expected, messages) in [
        (named(&["replay", "new"]), Gap::Replay, "replay"),
        (named(&["live", "replay"]), Gap::Live, ""),
        (named(&["live", "error", "replay"]), Gap::Error, ""),
        (vec![pattern("{any}")], Gap::Error, ""),
        (vec![pattern("none/{yet}")], Gap::Error, ""),
    ] {
        let mut subscription = topics.subscribe(&which, Start::After(b"?"), &rules).unwrap();
        assert_eq!(subscription.gap(), Some(expected));
        assert_eq!(backlog(&mut subscription), messages);
    }
}

#[test]
fn what_is_lost_behind_a_known_id_is_a_gap_of_its_topic() {
    let topics = topics();
    publish_to(&topics, "a", &keep(10), "known");
    publish_to(&topics, "b", &keep(0), "lost");
    publish_to(&topics, "a", &keep(10), "kept");
    for (gap, expected) in [(Gap::Replay, "kept"), (Gap::Error, "")] {
        let rules = |name: &str| TopicRules {
            gap: if name == "b" { gap } else { Gap::Live },
            ..keep(10)
        };
        let which = named(&["a", "b"]);
        let mut both = topics.subscribe(&which, Start::After(b"known"), &rules).unwrap();
        assert_eq!((backlog(&mut both).as_str(), both.gap()), (expected, Some(gap)));
    }
}

#[tokio::test]
async fn a_pattern_means_topics_that_come_later_too() {
    let topics = topics();
    publish_to(&topics, "room/1", &keep(10), "1");
    publish_to(&topics, "hall/1", &keep(10), "2");
    let which = [
        pattern("room/{room}"),
        Selector::Name("room/2".into()),
        pattern("{x}/1"),
    ];
    let mut rooms = follow(&topics, &which, Start::Earliest);
    for (name, reached) in [
        ("room/1", 1),
        ("room/2", 1),
        ("room/3", 1),
        ("hall/2", 0),
        ("room/1", 1),
    ] {
        assert_eq!(publish_to(&topics, name, &keep(10), name), reached);
    }
    assert_eq!(ids_there(&mut rooms).await, "1 2 room/1 room/2 room/3 room/1");
    let clients = |name| topics.clients(name);
    assert_eq!(
        (clients("room/3"), clients("room/2"), clients("hall/2")),
        (1, 1, 0)
    );
    drop(rooms);
    assert_eq!(clients("room/3"), 0);
    assert_eq!(publish_to(&topics, "room/4", &keep(10), "nobody"), 0);
}

#[tokio::test]
async fn a_topic_that_lags_takes_up_among_the_others() {
    let short = TopicRules {
        queue: Some(2),
        ..keep(10)
    };
    let topics = topics();
    let mut both = follow(&topics, &named(&["short", "long"]), Start::Live);
    for n in 1..=4 {
        publish_to(&topics, "short", &short, &format!("s{n}"));
        publish_to(&topics, "long", &keep(0), &format!("l{n}"));
    }
    assert_eq!(ids_there(&mut both).await, "s1 l1 s2 l2 s3 l3 s4 l4");
    // Again, with nothing given twice, and this time too late.
    publish_to(&topics, "long", &keep(0), "l5");
    for n in 5..=17 {
        publish_to(&topics, "short", &short, &format!("s{n}"));
    }
    assert_eq!(there(&mut both).await.unwrap_err(), TooSlow { missed: 3 });
}

#[tokio::test]
async fn only_the_full_topic_drops() {
    let drops = TopicRules {
        queue: Some(2),
        slow: Slow::DropOldest,
        ..keep(0)
    };
    let topics = topics();
    let mut both = follow(&topics, &named(&["drops", "keeps"]), Start::Live);
    for n in 1..=4 {
        publish_to(&topics, "keeps", &keep(0), &format!("k{n}"));
        publish_to(&topics, "drops", &drops, &format!("d{n}"));
    }
    assert_eq!(ids_there(&mut both).await, "k1 k2 k3 d3 k4 d4");
    assert_eq!(both.dropped(), 2);
}

#[tokio::test]
async fn a_pattern_keeps_no_topic_alive_and_loses_nothing_that_waits() {
    let topics = topics();
    let create = |name: &str| topics.publish(name, &keep(1), Event::default(), true).unwrap();
    let mut all = follow(&topics, &[pattern("{any}")], Start::Live);
    for n in 0..6000 {
        assert_eq!(create(&n.to_string()), 1);
        if n % 1000 == 999 {
            assert_eq!(there(&mut all).await.unwrap().len(), 1000);
        }
    }
    assert_eq!((topics.count("3999"), topics.count("4000")), (0, 1));
    // Forgotten while their messages wait: they come all the same, and the names begin anew.
    for n in 0..2500 {
        create(&format!("b{n}"));
    }
    create("b0");
    let got = there(&mut all).await.unwrap();
    let of_b0 = got.iter().filter(|message| &*message.topic == "b0");
    assert_eq!(of_b0.map(|message| message.number).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(got.len(), 2501);
}

#[tokio::test]
async fn what_a_slow_follower_has_missed_of_a_forgotten_topic_is_lost() {
    let topics = topics();
    let rules = TopicRules {
        queue: Some(2),
        ..keep(10)
    };
    let mut all = topics
        .subscribe(&[pattern("{any}")], Start::Live, &|_| rules.clone())
        .unwrap();
    publish(&topics, &rules, 1..=3);
    for n in 0..2000 {
        publish_to(&topics, &n.to_string(), &rules, "x");
    }
    publish(&topics, &rules, 1..=2);
    let got = there(&mut all).await;
    assert_eq!(got.unwrap_err(), TooSlow { missed: 3 });
    publish(&topics, &rules, [3]);
    assert_eq!(ids_there(&mut all).await.split(' ').next_back(), Some("3"));
}
