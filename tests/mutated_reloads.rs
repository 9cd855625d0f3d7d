//! 10,000 broken, odd and merely changed scenarios through reload, while streams run: nothing dies, streams
//! get every event, and what is broken leaves the last good scenario in force.

mod support;

#[path = "mutated_reloads/mutation.rs"]
mod mutation;
#[path = "mutated_reloads/witness.rs"]
mod witness;

use std::sync::{Arc, Weak};
use std::time::Duration;

use mock_sse::app::{self, Running, Settings};
use mock_sse::control::Failure;
use mock_sse::engine::Seed;
use mock_sse::engine::sessions::SessionRules;
use mock_sse::scenario::Scenario;
use mock_sse::scenario::load::{Origin, load_seen};
use mock_sse::server::ServerConfig;
use mock_sse::watch::{OnReload, Watch};
use mutation::Mutations;
use support::{Server, serve};
use witness::{BASE, Witnesses};

/// Reloads within this process, in two servers; the rest goes through the real binary.
const WITHIN: usize = 4_925;
const OF_THE_BINARY: usize = 150;
/// After so many the allocator has what it needs.
const WARM_UP: usize = 75;

#[test]
fn the_first_five_thousand() {
    reload_within(1);
}

#[test]
fn the_other_five_thousand() {
    reload_within(2);
}

fn reload_within(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut mutations = Mutations::new(seed, folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let running = started(&mutations).await;
        let witnesses = Witnesses::open(running.addrs[0].port());
        let mut before: Vec<Weak<Scenario>> = Vec::new();
        let (mut good, mut broken) = (0, 0);
        for number in 0..WITHIN {
            mutations.write();
            let in_force = running.sessions.scenario();
            match running.control.reload().await {
                Ok(_) => {
                    good += 1;
                    assert!(!Arc::ptr_eq(&in_force, &running.sessions.scenario()), "{number}");
                    before.push(Arc::downgrade(&in_force));
                }
                Err(Failure::Broken(findings)) => {
                    broken += 1;
                    assert!(Arc::ptr_eq(&in_force, &running.sessions.scenario()), "{number}");
                    assert!(findings.iter().all(|f| !f.message.is_empty()), "{number}");
                    assert!(findings.iter().any(|f| f.severity == "error"), "{number}");
                }
                Err(other) => panic!("{number}: {other:?}"),
            }
        }
        // Enough of both kinds to have seen something.
        assert!(
            good > WITHIN / 20 && broken > WITHIN / 4,
            "{good} good, {broken} broken"
        );
        witnesses.assert_nothing_was_lost();
        // Of those that are no longer served one is kept by the streams that began with it, and one by the
        // verdict, whose expectations it was.
        let kept: Vec<usize> = (0..before.len())
            .filter(|n| before[*n].strong_count() > 0)
            .collect();
        assert!(kept.len() <= 2, "{kept:?} of {good} scenarios stay in memory");
        running.shut_down(Duration::from_secs(5)).await;
    });
}

async fn started(mutations: &Mutations) -> Running {
    std::fs::write(&mutations.file, BASE).unwrap();
    let origin = Origin::Paths(vec![mutations.file.clone()]);
    let (outcome, seen) = load_seen(&origin);
    let (scenario, _) = outcome.unwrap_or_else(|errors| panic!("{}", errors[0].render(false)));
    let settings = Settings {
        server: ServerConfig {
            port: 0,
            ..ServerConfig::default()
        },
        max_body: 8_000_000,
        sessions: SessionRules::new(Seed::Fixed(1)),
        farewell: None,
        origin,
        seen,
        watch: Watch::Off,
        on_reload: OnReload::Keep,
    };
    app::start(scenario, settings, |_| {}).await.unwrap()
}

#[test]
fn the_rest_reaches_the_real_server_by_its_file_by_signal_and_by_command() {
    let mut server = serve(BASE, &["--no-tls", "--log-level", "error", "--seed", "1"]);
    let mut mutations = Mutations::new(3, server.folder.path());
    mutations.file = server.path("scenario.yaml");
    let witnesses = Witnesses::open(server.port);
    let mut warm = 0;
    for number in 0..OF_THE_BINARY {
        if number == WARM_UP {
            warm = pss(&server);
        }
        let in_force = endpoints(&server);
        let told = match number % 3 {
            // The watcher may be first: then this loads the same again.
            0 => {
                mutations.write();
                server.send("POST", "/__mock/reload", &[], b"")
            }
            1 => {
                mutations.write();
                server.signal("HUP");
                server.send("POST", "/__mock/reload", &[], b"")
            }
            _ => server.send("PUT", "/__mock/scenario", &[], &mutations.next()),
        };
        let status = told.status;
        assert!([200, 400, 422].contains(&status), "{number}: {status}");
        if status != 200 {
            assert!(
                endpoints(&server) == in_force,
                "{number}: the last good one serves"
            );
        }
        assert_eq!(
            server.child.try_wait().unwrap(),
            None,
            "{number}: the server has ended"
        );
    }
    witnesses.assert_nothing_was_lost();
    let now = pss(&server);
    assert!(now < warm + 30_000, "from {warm} KiB to {now} KiB");
    assert!(!server.log.text().contains("panicked"), "{}", server.log.text());
}

/// What is served, as the server tells it.
fn endpoints(server: &Server) -> String {
    let told = server.get("/__mock/scenario");
    assert_eq!(told.status, 200, "{told:?}");
    told.body
}

fn pss(server: &Server) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.child.id())).unwrap();
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    pss.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
}
