//! A manual clock's accounts: time stands while a message is on its way, and nothing is left behind.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const SECOND: Duration = Duration::from_secs(1);

fn rules(slow: Slow, queue: usize, history: usize) -> TopicRules {
    TopicRules {
        slow,
        queue: Some(queue),
        ..keep(history)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn time_goes_on_when_all_is_delivered() {
    for rules in [
        rules(Slow::Disconnect, 1000, 0),
        rules(Slow::Disconnect, 3, 1000),
        rules(Slow::DropOldest, 3, 0),
    ] {
        let clock = Clock::manual();
        let topics = on(clock.clone());
        let got = Arc::new(AtomicUsize::new(0));
        let all = [pattern("{any}"), Selector::Name("t".into())];
        for _ in 0..4 {
            let mut worker = clock.worker();
            let mut subscription = topics.subscribe(&all, Start::Live, &|_| rules.clone()).unwrap();
            let got = got.clone();
            tokio::spawn(async move {
                while let Some(message) = worker.wait(Some(9 * SECOND), subscription.live()).await {
                    message.unwrap();
                    tokio::task::yield_now().await;
                    got.fetch_add(1, SeqCst);
                    subscription.taken();
                }
                got.fetch_add(subscription.dropped() as usize, SeqCst);
            });
        }
        for round in 0..50 {
            for name in ["t", "u", &format!("new {round}")] {
                assert_eq!(publish_to(&topics, name, &rules, "x"), 4);
            }
            clock.advance(SECOND / 10).await;
        }
        clock.advance(9 * SECOND).await;
        assert_eq!(got.load(SeqCst), 4 * 3 * 50);
        assert_eq!((clock.next_due().await, clock.busy()), (None, 0));
    }
}

#[tokio::test]
async fn every_way_to_leave_gives_the_work_back() {
    for rules in [
        rules(Slow::Disconnect, 3, 100),
        rules(Slow::Disconnect, 3, 0),
        rules(Slow::DropOldest, 3, 0),
    ] {
        for (published, taken) in [(0, 0), (2, 0), (2, 1), (2, 2), (9, 0), (9, 1), (9, 3)] {
            let clock = Clock::manual();
            let topics = on(clock.clone());
            let which = named(&["t", "u"]);
            let subscribe = || topics.subscribe(&which, Start::Live, &|_| rules.clone()).unwrap();
            let (mut stays, mut leaves) = (subscribe(), subscribe());
            publish(&topics, &rules, 0..published);
            publish_to(&topics, "u", &rules, "u");
            for _ in 0..taken {
                let _ = futures_util::poll!(std::pin::pin!(leaves.live()));
            }
            // In mid-write: given by `live`, and not yet dealt with.
            drop(leaves);
            assert!(clock.busy() > 0);
            while let Ok(got) = there(&mut stays).await
                && !got.is_empty()
            {}
            stays.taken();
            assert_eq!(clock.busy(), 0, "{rules:?} {published} {taken}");
        }
    }
}

#[tokio::test]
async fn a_message_counts_until_it_has_been_dealt_with() {
    let clock = Clock::manual();
    let topics = on(clock.clone());
    let mut subscription = subscribe(&topics, Start::Live, &keep(0));
    publish(&topics, &keep(0), 1..=2);
    assert_eq!(clock.busy(), 2);
    subscription.live().await.unwrap();
    assert_eq!(clock.busy(), 2);
    subscription.taken();
    subscription.taken();
    assert_eq!(clock.busy(), 1);
    subscription.live().await.unwrap();
    drop(subscription);
    assert_eq!(clock.busy(), 0);
}

#[tokio::test]
async fn time_does_not_wait_for_whoever_takes_nothing() {
    for rules in [
        rules(Slow::Disconnect, 99, 0),
        rules(Slow::Disconnect, 3, 100),
        rules(Slow::DropOldest, 3, 0),
    ] {
        for after in [0, 1, 9] {
            let clock = Clock::manual();
            let topics = on(clock.clone());
            let mut subscription = subscribe(&topics, Start::Live, &rules);
            let mut rests = Box::pin(std::future::poll_fn(|cx| {
                subscription.rest(cx);
                Poll::<()>::Pending
            }));
            publish(&topics, &rules, 0..2);
            for ids in [2..3, 3..9, 9..9] {
                assert!(futures_util::poll!(&mut rests).is_pending());
                assert_eq!(clock.busy(), 0);
                publish(&topics, &rules, ids);
            }
            drop(rests);
            publish(&topics, &rules, 9..9 + after);
            assert!(clock.busy() as u64 <= after);
            let got = there(&mut subscription).await.unwrap();
            let all = got.len() as u64 + subscription.dropped();
            assert_eq!((all, clock.busy()), (9 + after, 0), "{rules:?} {after}");
            assert_eq!(got.last().unwrap().number, 9 + after);
        }
    }
}

#[tokio::test]
async fn whoever_takes_nothing_is_woken_by_what_comes() {
    let clock = Clock::manual();
    let topics = on(clock.clone());
    let mut worker = clock.worker();
    let subscription = subscribe(&topics, Start::Live, &keep(0));
    let rests = tokio::spawn(async move {
        let rest = std::future::poll_fn(|cx| {
            subscription.rest(cx);
            Poll::<()>::Pending
        });
        worker.wait(Some(9 * SECOND), rest).await
    });
    for n in 0..8 {
        publish(&topics, &keep(0), [n]);
        clock.advance(SECOND).await;
        assert!(!rests.is_finished());
    }
    clock.advance(SECOND).await;
    assert_eq!((rests.await.unwrap(), clock.busy()), (None, 0));
}

#[tokio::test]
async fn the_board_hears_of_messages_and_of_who_comes_and_goes() {
    let session = Session::new(Clock::manual());
    let (topics, board) = (session.topics.clone(), session.board.clone());
    board.signal("before");
    let since = board.stamp();
    let mut published = Box::pin(board.until(|| topics.published("t") > Some(since)));
    let mut followed = Box::pin(board.until(|| topics.clients("t") == 1));
    assert!(futures_util::poll!(&mut published).is_pending());
    assert!(futures_util::poll!(&mut followed).is_pending());
    publish(&topics, &keep(0), [1]);
    assert!(futures_util::poll!(&mut published).is_ready());
    assert!(futures_util::poll!(&mut followed).is_pending());
    let subscription = subscribe(&topics, Start::Live, &keep(0));
    assert_eq!(session.clock.busy(), 1);
    assert!(futures_util::poll!(&mut followed).is_ready());
    let mut left = Box::pin(board.until(|| topics.clients("t") == 0));
    assert!(futures_util::poll!(&mut left).is_pending());
    drop(subscription);
    assert!(futures_util::poll!(&mut left).is_ready());
    assert_eq!(topics.published("t"), Some(since + 1));
}
