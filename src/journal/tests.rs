use bytes::Bytes;

use super::*;

mod shape;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn arrive(journal: &Arc<Journal>, at: u64) -> Record {
    journal.arrived(&Request::example("GET", "/sse"), ms(at), 0)
}

fn matched(endpoint: &str, client: &str) -> Matched {
    known(endpoint, None, client, 1)
}

fn known(key: &str, name: Option<&str>, client: &str, attempt: u64) -> Matched {
    Matched {
        endpoint: Arc::new(Named {
            name: name.map(str::to_owned),
            key: key.into(),
        }),
        client: client.into(),
        attempt,
    }
}

fn script_end() -> Ended {
    Ended::new(How::Close, By::Script)
}

fn numbers(journal: &Journal, query: &Query) -> Vec<u64> {
    journal.entries(query).iter().map(|entry| entry.number).collect()
}

fn all(journal: &Journal) -> Vec<u64> {
    numbers(journal, &Query::default())
}

#[test]
fn the_oldest_that_have_ended_go_first_and_numbers_go_on() {
    let journal = Journal::new(Bounds {
        entries: 3,
        ..Bounds::default()
    });
    let records: Vec<Record> = (0..3).map(|at| arrive(&journal, at)).collect();
    records[2].ended(ms(3), script_end());
    records[1].ended(ms(4), script_end());
    assert_eq!((all(&journal), journal.dropped()), (vec![1, 2, 3], 0));
    for (kept, dropped) in [([1, 3, 4], 1), ([1, 4, 5], 2), ([4, 5, 6], 3)] {
        let newest = arrive(&journal, 5);
        assert_eq!((all(&journal), journal.dropped()), (kept.to_vec(), dropped));
        assert_eq!(newest.number(), kept[2]);
    }
    assert!(journal.entry(1).is_none() && journal.entry(4).is_some());
    // It can still be written on.
    records[0].entry().wrote(b"data: a\n\n", None);
    records[0].ended(ms(6), script_end());
    assert_eq!((records[0].entry().sent().events, all(&journal).len()), (1, 3));
}

#[test]
fn bytes_are_bounded() {
    let mut request = Request::example("POST", "/");
    request.body = Bytes::from(vec![b'x'; 1000]);
    let size = Entry::new(&request, ms(0), 0, 100).size.into_inner();
    let journal = Journal::new(Bounds {
        entries: 1000,
        bytes: size * 3 + 50,
        body: 100,
    });
    let arrive = || journal.arrived(&request, ms(0), 0);
    (0..9).for_each(|_| drop(arrive()));
    let record = arrive();
    assert_eq!((all(&journal), journal.dropped()), (vec![8, 9, 10], 7));
    let entry = record.entry();
    assert_eq!((entry.body_bytes(), entry.request().body.len()), (1000, 100));
    // What is known later counts too.
    record.matched(matched("GET /", &"x".repeat(51)));
    assert_eq!(all(&journal), [9, 10]);
    record.ended(ms(1), Ended::because(How::Cut, By::Failure, &"☃".repeat(size)));
    assert_eq!(record.entry().ended().unwrap().1.why.unwrap().len(), 1023);
    (0..3).for_each(|_| drop(arrive()));
    assert_eq!(all(&journal), [11, 12, 13]);
    // What is larger than all that may be kept is not kept.
    request.headers = vec![("x".into(), vec![0; size * 4].into())];
    let large = journal.arrived(&request, ms(0), 0);
    assert_eq!(
        (all(&journal), large.number(), journal.dropped()),
        (vec![], 14, 14)
    );
}

#[test]
fn the_gap_is_from_the_end_of_the_same_clients_connection_before() {
    let journal = Journal::new(Bounds::default());
    let visit = |endpoint: &str, client: &str, from: u64, to: u64| {
        let record = arrive(&journal, from);
        record.matched(matched(endpoint, client));
        record.answered(ms(from), Some(200), true);
        record.ended(ms(to), script_end());
        record.entry().gap().map(|gap| gap.as_millis())
    };
    assert_eq!(visit("GET /a", "x", 0, 1000), None);
    assert_eq!(visit("GET /a", "y", 1500, 1600), None, "another client");
    assert_eq!(visit("GET /b", "x", 1500, 1600), None, "another endpoint");
    assert_eq!(visit("GET /a", "x", 4000, 5000), Some(3000));
    assert_eq!(visit("GET /a", "x", 5000, 6000), Some(0));
    assert_eq!(visit("GET /a", "x", 5500, 7000), None, "it had not ended");
    let plain = arrive(&journal, 8000);
    plain.matched(matched("GET /a", "x"));
    plain.answered(ms(8000), Some(503), false);
    assert_eq!(
        visit("GET /a", "x", 8500, 9000),
        Some(500),
        "after a plain answer"
    );
    let open = arrive(&journal, 9000);
    open.matched(matched("GET /a", "x"));
    journal.clear();
    assert_eq!(visit("GET /a", "x", 9500, 9600), None, "cleared");
    open.ended(ms(9700), script_end());
    assert_eq!(
        visit("GET /a", "x", 9700, 9800),
        Some(100),
        "of before the clearing"
    );
}

#[test]
fn the_first_word_counts() {
    let journal = Journal::new(Bounds::default());
    let record = arrive(&journal, 0);
    record.matched(matched("GET /a", "x"));
    record.matched(matched("GET /b", "y"));
    record.answered(ms(1), Some(200), true);
    record.answered(ms(2), Some(500), false);
    assert!(record.entry().is_open());
    record.entry().wrote(b"data: a\n", None);
    record.entry().wrote(b"\ndata: b\n\n", None);
    assert!(record.ended(ms(3), Ended::new(How::Left, By::Client)));
    record.entry().wrote(b"data: c\n\n", None);
    assert!(!record.ended(ms(4), script_end()), "the first counts");
    let entry = journal.entry(1).unwrap();
    assert_eq!(entry.matched(), Some(matched("GET /a", "x")));
    assert_eq!(entry.ended(), Some((ms(3), Ended::new(How::Left, By::Client))));
    assert_eq!((entry.sent().events, entry.sent().bytes), (2, 18));
    let head = Answered {
        at: ms(1),
        status: Some(200),
        stream: true,
    };
    assert_eq!(entry.answered(), Some(head));
}

#[test]
fn no_answer_at_all_ends_when_it_is_said() {
    let journal = Journal::new(Bounds::default());
    let record = arrive(&journal, 0);
    record.answered(ms(1), None, false);
    assert!(record.entry().is_open());
    record.ended(ms(2), Ended::new(How::Reset, By::Fault));
    assert!(!record.entry().is_open());
}

#[test]
fn entries_are_found() {
    let journal = Journal::new(Bounds::default());
    for (endpoint, client) in [("GET /a", "x"), ("GET /b", "x"), ("GET /a", "y"), ("GET /a", "x")] {
        let name = (endpoint == "GET /b").then_some("bee");
        arrive(&journal, 0).matched(known(endpoint, name, client, 1));
    }
    let unmatched = arrive(&journal, 0);
    unmatched.answered(ms(0), Some(404), false);
    let every = Query::default();
    for (query, expected) in [
        (every, &[1, 2, 3, 4, 5][..]),
        (
            Query {
                after: Some(3),
                ..every
            },
            &[4, 5],
        ),
        (
            Query {
                after: Some(u64::MAX),
                ..every
            },
            &[],
        ),
        (
            Query {
                endpoint: Some("GET /a"),
                ..every
            },
            &[1, 3, 4],
        ),
        (
            Query {
                endpoint: Some("bee"),
                ..every
            },
            &[2],
        ),
        (
            Query {
                client: Some("x"),
                ..every
            },
            &[1, 2, 4],
        ),
        (
            Query {
                client: Some(""),
                ..every
            },
            &[],
        ),
        (
            Query {
                limit: Some(2),
                ..every
            },
            &[1, 2],
        ),
        (
            Query {
                limit: Some(0),
                ..every
            },
            &[],
        ),
        (
            Query {
                open: Some(true),
                ..every
            },
            &[1, 2, 3, 4],
        ),
        (
            Query {
                open: Some(false),
                ..every
            },
            &[5],
        ),
        (
            Query {
                after: Some(1),
                endpoint: Some("GET /a"),
                client: Some("x"),
                limit: Some(1),
                open: Some(true),
            },
            &[4],
        ),
    ] {
        assert_eq!(numbers(&journal, &query), expected, "{query:?}");
    }
    journal.clear();
    assert_eq!((all(&journal), journal.dropped()), (vec![], 0));
    assert_eq!(arrive(&journal, 0).number(), 6);
}

#[test]
fn changes_are_told_and_writes_are_not() {
    let journal = Journal::new(Bounds::default());
    let mut watch = journal.watch();
    let mut changed = || {
        let changed = watch.has_changed().unwrap();
        watch.mark_unchanged();
        changed
    };
    assert!(!changed());
    let record = arrive(&journal, 0);
    assert!(changed());
    record.matched(matched("GET /", ""));
    assert!(changed());
    record.answered(ms(0), Some(200), true);
    assert!(changed());
    record.entry().wrote(b"data: a\n\n", None);
    assert!(!changed());
    record.ended(ms(0), script_end());
    assert!(changed());
    record.ended(ms(0), script_end());
    assert!(!changed());
    journal.clear();
    assert!(changed());
}

#[test]
fn gaps_outlive_the_entries() {
    let journal = Journal::new(Bounds {
        entries: 0,
        ..Bounds::default()
    });
    let gaps = [(0, 1000), (3000, 4000)].map(|(from, to)| {
        let record = arrive(&journal, from);
        record.matched(matched("GET /a", "x"));
        record.ended(ms(to), script_end());
        record.entry().gap()
    });
    assert_eq!((gaps, journal.dropped()), ([None, Some(ms(2000))], 2));
}

#[test]
fn the_last_id_counts_when_a_stream_has_ended() {
    let journal = Journal::new(Bounds::default());
    let sizes = ["", "id: 1\n\n", "id: 12345\n\n"].map(|stream| {
        let record = arrive(&journal, 0);
        let before = journal.shelf().bytes;
        record.entry().wrote(stream.as_bytes(), None);
        record.ended(ms(0), script_end());
        journal.shelf().bytes - before
    });
    assert_eq!(sizes, [0, 1, 5]);
}

#[test]
fn many_may_write_at_once() {
    let journal = Journal::new(Bounds {
        entries: 10,
        ..Bounds::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for at in 0..50 {
                    let record = arrive(&journal, at);
                    record.matched(matched("GET /a", "x"));
                    record.answered(ms(at), Some(200), true);
                    record.entry().wrote(b"data: a\n\n", None);
                    let seen = journal.entries(&Query::default());
                    assert!(seen.len() <= 10 && seen.is_sorted_by_key(|entry| entry.number));
                    record.ended(ms(at), script_end());
                }
            });
        }
    });
    assert_eq!((all(&journal).len(), journal.dropped()), (10, 190));
}
