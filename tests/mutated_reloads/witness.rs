//! Streams that run while scenarios come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::support::open_at;

/// What is served when the streams begin: ticks, and a topic that one stream feeds and others follow.
pub const BASE: &str = "
topics: { pulse: { history: 5 } }
endpoints:
  - { path: /ticks, stream: [{ every: 20ms, data: '{{ seq }}' }] }
  - path: /pulse
    stream:
      - repeat: { every: 25ms, steps: [{ data: '{{ seq }}' }, { publish: { topic: pulse, data: '{{ seq }}' } }] }
  - { path: /followed, stream: [{ follow: pulse }] }
";

pub struct Witnesses {
    over: Arc<AtomicBool>,
    all: Vec<JoinHandle<u64>>,
}

impl Witnesses {
    /// Followers first: they see all that is published.
    pub fn open(port: u16) -> Witnesses {
        let over = Arc::<AtomicBool>::default();
        let paths = ["/followed", "/followed", "/ticks", "/ticks", "/pulse"];
        let open = |path: &&'static str| {
            let (mut stream, over, path) = (open_at(port, path), over.clone(), *path);
            assert_eq!(stream.status, 200, "{path}");
            std::thread::spawn(move || {
                let mut seen = 0;
                while !over.load(Ordering::Relaxed) {
                    let event = stream
                        .event()
                        .unwrap_or_else(|| panic!("{path} ended after {seen}"));
                    seen += 1;
                    assert_eq!(event, format!("data: {seen}"), "{path}");
                }
                seen
            })
        };
        let all = paths.iter().map(open).collect();
        Witnesses { over, all }
    }

    /// Each got one number after the other, and many of them.
    pub fn assert_nothing_was_lost(self) {
        self.over.store(true, Ordering::Relaxed);
        for witness in self.all {
            let seen = witness.join().expect("a stream lost something");
            assert!(seen > 20, "only {seen} events");
        }
    }
}
