//! Tests of sessions as their users see them.

use super::*;
use crate::engine::Seed;
use crate::scenario::compile::compile;
use crate::scenario::diagnostic::Source;

fn scenario(body: &str) -> Scenario {
    let source = Source::new("s.yaml", format!("endpoints: [{{ path: /, body: {body} }}]"));
    compile(&[Arc::new(source)]).unwrap().0
}

fn sessions(most: usize, idle: Duration) -> Sessions {
    let rules = SessionRules {
        most,
        idle,
        mode: Mode::Manual,
        ..SessionRules::new(Seed::Fixed(0))
    };
    Sessions::new(scenario("a"), rules, None)
}

#[tokio::test]
async fn a_session_is_made_once_and_ends_when_it_is_deleted() {
    let sessions = sessions(10, Duration::ZERO);
    let a = sessions.enter("a").unwrap();
    assert!(Arc::ptr_eq(&a, &sessions.enter("a").unwrap()));
    assert!(!Arc::ptr_eq(&a, &sessions.enter("b").unwrap()));
    assert!(a.session.take_attempts("", &[("k", 1)]));
    assert_eq!(sessions.enter("b").unwrap().session.attempt("k", ""), 1);
    let open = a.connections.register(([0, 0, 0, 0], 0).into(), "k", "/");
    assert!(sessions.delete("a") && !sessions.delete("a"));
    assert_eq!(open.given(), Some(Order::End(End::Close)));
    assert_eq!(sessions.enter("a").unwrap().session.attempt("k", ""), 1);
}

#[tokio::test]
async fn names_are_short_and_plain() {
    let sessions = sessions(10, Duration::ZERO);
    for name in ["a/b", "ä", " ", &"x".repeat(65)] {
        assert!(
            matches!(sessions.enter(name), Err(NoSession::BadName(_))),
            "{name}"
        );
    }
    sessions.enter(&"x".repeat(64)).unwrap();
}

#[tokio::test]
async fn when_there_are_too_many_those_go_that_nobody_uses() {
    let sessions = sessions(2, Duration::ZERO);
    let a = sessions.enter("a").unwrap();
    let open = a.connections.register(([0, 0, 0, 0], 0).into(), "k", "/");
    sessions.enter("b").unwrap();
    sessions.enter("c").unwrap();
    let names = |sessions: &Sessions| -> Vec<String> {
        sessions.named().iter().map(|e| e.name.to_string()).collect()
    };
    assert_eq!(names(&sessions), ["a", "c"]);
    let busy = sessions.enter("c").unwrap();
    let _also = busy.connections.register(([0, 0, 0, 0], 0).into(), "k", "/");
    assert_eq!(sessions.enter("d").unwrap_err(), NoSession::TooMany(2));
    drop(open);
    sessions.enter("d").unwrap();
    assert_eq!(names(&sessions), ["c", "d"]);
}

#[tokio::test]
async fn a_scenario_of_its_own_stays_when_the_servers_changes() {
    let sessions = sessions(10, Duration::ZERO);
    let (a, b) = (sessions.enter("a").unwrap(), sessions.enter("b").unwrap());
    sessions.swap_in(&a, scenario("own"));
    sessions.swap(scenario("new"));
    let new = sessions.main().catalog.current();
    assert!(Arc::ptr_eq(&b.catalog.current(), &new));
    assert!(!Arc::ptr_eq(&a.catalog.current(), &new));
    assert!(sessions.reset("a"));
    assert!(Arc::ptr_eq(&sessions.enter("a").unwrap().catalog.current(), &new));
}

#[tokio::test]
async fn a_reset_ends_streams_and_begins_time_anew() {
    let sessions = sessions(10, Duration::ZERO);
    let old = sessions.main();
    old.session.clock.advance(Duration::from_secs(5)).await;
    let open = old.connections.register(([0, 0, 0, 0], 0).into(), "k", "/");
    assert!(sessions.reset("") && !sessions.reset("nobody"));
    assert_eq!(open.given(), Some(Order::End(End::Close)));
    let clock = sessions.main().session.clock.clone();
    assert_eq!((clock.now(), clock.mode()), (Duration::ZERO, Mode::Manual));
}

#[tokio::test]
async fn a_reload_moves_the_time_of_day_only_if_the_scenario_says_another() {
    let sessions = sessions(10, Duration::ZERO);
    let a = sessions.enter("a").unwrap();
    let at = |now| Scenario { now, ..scenario("b") };
    a.session.clock.pin(Some(7));
    sessions.swap(at(None));
    assert_eq!(a.session.clock.wall_ms(), 7);
    sessions.swap(at(Some(9)));
    assert_eq!(a.session.clock.wall_ms(), 9);
    a.session.clock.pin(Some(7));
    sessions.swap(at(Some(9)));
    assert_eq!(a.session.clock.wall_ms(), 7);
}
