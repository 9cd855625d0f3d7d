//! Tests of the three kinds of clock.

use super::*;
use tokio::sync::mpsc;

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn advancing_answers_when_everything_due_is_done() {
    let clock = Clock::manual();
    let (tx, mut rx) = mpsc::unbounded_channel();
    for id in 0..3u64 {
        let mut worker = clock.worker();
        let tx = tx.clone();
        tokio::spawn(async move {
            for n in 1..=3 {
                worker.sleep_until(second(n * (id + 1))).await;
                // Work that takes several turns of the runtime.
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                tx.send((worker.clock().now().as_secs(), id)).unwrap();
            }
        });
    }
    clock.advance(second(3)).await;
    let mut seen = Vec::new();
    while let Ok(event) = rx.try_recv() {
        seen.push(event);
    }
    seen.sort();
    assert_eq!(seen, [(1, 0), (2, 0), (2, 1), (3, 0), (3, 2)]);
    assert_eq!(clock.now(), second(3));
    assert_eq!(clock.next_due().await, Some(second(4)));
}

#[tokio::test]
async fn a_worker_that_waits_for_something_else_blocks_nobody_until_it_comes() {
    let clock = Clock::manual();
    let (tx, mut rx) = mpsc::unbounded_channel::<()>();
    let mut worker = clock.worker();
    let task = tokio::spawn(async move {
        let got = worker.wait(None, rx.recv()).await;
        worker.clock().done(1);
        worker.sleep_until(second(9)).await;
        got
    });
    clock.advance(second(1)).await;
    clock.begin(1);
    tx.send(()).unwrap();
    assert_eq!(clock.next_due().await, Some(second(9)));
    clock.advance(second(8)).await;
    assert_eq!(task.await.unwrap(), Some(Some(())));
}

#[tokio::test]
async fn a_dropped_wait_leaves_no_sleeper_behind() {
    let clock = Clock::manual();
    let mut worker = clock.worker();
    let early = worker.wait(Some(second(5)), std::future::ready(7)).await;
    assert_eq!(early, Some(7));
    drop(worker);
    assert_eq!(clock.next_due().await, None);
}

#[tokio::test]
async fn a_scaled_clock_runs_faster() {
    let clock = Clock::scaled(1000.0);
    let mut worker = clock.worker();
    let began = std::time::Instant::now();
    worker.sleep_until(second(100)).await;
    assert!(clock.now() >= second(100));
    assert!(began.elapsed() < second(50));
}

#[tokio::test]
async fn a_worker_is_busy_while_it_looks_whether_it_may_go_on() {
    let clock = Clock::manual();
    let (tx, mut rx) = mpsc::unbounded_channel::<bool>();
    let mut worker = clock.worker();
    let watched = clock.clone();
    let task = tokio::spawn(async move {
        let looks = async {
            while rx.recv().await == Some(true) {
                // What was handed out is given back, and there is no moment of quiet.
                watched.done(1);
                assert_eq!(watched.busy(), 1);
            }
        };
        worker.wait(Some(second(7)), looks).await
    });
    for _ in 0..2 {
        assert_eq!(clock.next_due().await, Some(second(7)));
        clock.begin(1);
        tx.send(true).unwrap();
    }
    clock.advance(second(7)).await;
    assert_eq!(task.await.unwrap(), None);
    assert_eq!((clock.busy(), clock.next_due().await), (0, None));
}

#[tokio::test]
async fn nothing_is_fired_while_somebody_works() {
    let clock = Clock::manual();
    let mut worker = clock.worker();
    let task = tokio::spawn(async move { worker.sleep_until(second(1)).await });
    assert_eq!(clock.next_due().await, Some(second(1)));
    let Some(manual) = clock.by_hand() else {
        unreachable!("it is manual")
    };
    clock.begin(1);
    assert!(manual.fire(second(2)) == Fired::Some);
    assert_eq!(
        (clock.now(), clock.busy(), task.is_finished()),
        (second(0), 1, false)
    );
    clock.done(1);
    clock.advance(second(2)).await;
    task.await.unwrap();
    assert_eq!(clock.busy(), 0);
}

#[tokio::test]
async fn whoever_waits_for_a_time_hears_that_it_passes_otherwise() {
    let clock = Clock::scaled(0.001);
    let waiting = tokio::spawn({
        let clock = clock.clone();
        async move { clock.reached(second(3600)).await }
    });
    tokio::task::yield_now().await;
    clock.set_mode(Mode::Manual).unwrap();
    clock.advance(second(7200)).await;
    let patience = tokio::time::timeout(second(20), waiting).await;
    patience.expect("it is told").unwrap();
}

#[test]
fn a_time_of_years_survives_a_change() {
    let clock = Clock::manual();
    clock.set_mode(Mode::Scaled(1e6)).unwrap();
    clock.set_mode(Mode::Manual).unwrap();
    let now = clock.now();
    clock.set_mode(Mode::Scaled(0.001)).unwrap();
    assert!(clock.now() >= now && clock.now() < now + second(1));
}
