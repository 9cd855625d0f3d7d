//! A scriptable, scenario-driven mock Server-Sent Events server, configured by files.
//!
//! Clients of [event streams] have much to get right: they reconnect, resume, back off, give up, and
//! read whatever the network makes of what was sent. This server plays the other side. A *scenario*, a
//! YAML file, says what each endpoint streams, when, with which faults, to whom, and at which attempt; and
//! what the client is expected to do. It runs as a program of its own, `mock-sse`, or inside a Rust test
//! as [`MockSse`]. Both read the same scenarios; their language has a reference in `docs/language.md`.
//!
//! [event streams]: https://html.spec.whatwg.org/multipage/server-sent-events.html
//!
//! # A test in ten lines
//!
//! ```
//! use mock_sse::MockSse;
//! # use std::io::{Read, Write};
//! #
//! # /// Stands for the client under test.
//! # fn get(url: &str) -> String {
//! #     let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
//! #     let mut socket = std::net::TcpStream::connect(host).unwrap();
//! #     write!(socket, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
//! #     let mut answer = String::new();
//! #     socket.read_to_string(&mut answer).unwrap();
//! #     answer
//! # }
//!
//! # /*
//! #[tokio::test(flavor = "multi_thread")]
//! # */
//! async fn greets() {
//!     let mock = MockSse::start("
//!         endpoints: [{ path: /sse, stream: [{ event: greeting, data: hello }] }]
//!         expect: [{ request: GET /sse, count: 1 }]
//!     ").await.unwrap();
//!     let answer = get(&mock.url("/sse")); // the client under test
//!     assert!(answer.contains("event: greeting\ndata: hello\n\n"));
//!     mock.verify().unwrap();
//! }
//! # tokio::runtime::Runtime::new().unwrap().block_on(greets());
//! ```
//!
//! Each test starts a server of its own: that takes milliseconds, ports are free ones, and chance is
//! seeded, so that tests run side by side and repeat. A server stops when it is dropped. What `unwrap`
//! shows of a broken scenario is what `mock-sse check` says of it, with places and hints.
//!
//! # Time that stands still
//!
//! On a manual clock no script goes on by itself. [`advance`](testing::Session::advance) moves the time
//! from one thing that is due to the next, and answers when all of it has been written: hours pass at
//! once, and nobody needs to sleep.
//!
//! ```
//! # use std::io::{BufRead, BufReader, Write};
//! # use std::time::Duration;
//! # use mock_sse::MockSse;
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = MockSse::builder()
//!     .scenario("endpoints: [{ path: /sse, stream: [{ every: 1h, times: 3, data: 'hour {{ seq }}' }] }]")
//!     .manual_clock()
//!     .start()
//!     .await?;
//! let mut client = std::net::TcpStream::connect(mock.addr())?;
//! client.write_all(b"GET /sse HTTP/1.1\r\nhost: mock\r\n\r\n")?;
//! mock.wait_for_streams(1).await?;
//! mock.advance(Duration::from_secs(3 * 3600)).await?;
//! let mut lines = BufReader::new(client).lines().map_while(Result::ok);
//! assert!(lines.any(|line| line == "data: hour 3"));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # The journal and the verdict
//!
//! Every request goes into the [`journal`](testing::Session::journal): its head and body, what answered
//! it, what it was sent, how and when it ended. A scenario can say itself what is expected of the
//! client, with `expect`: how many requests, in which order, with which `Last-Event-ID`, how long after
//! a failure. [`verify`](testing::Session::verify) says whether that came true, and if not, shows what
//! came instead:
//!
//! ```
//! # use mock_sse::MockSse;
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = MockSse::start("
//!     endpoints: [{ path: /sse, stream: [{ id: 7, data: last words }, { end: reset }] }]
//!     expect: [{ name: resumes, request: GET /sse, nth: 2, last_event_id: '7' }]
//! ").await?;
//! let report = mock.verify().unwrap_err().to_string();
//! assert!(report.starts_with("not ok 1 - resumes"));
//! # Ok::<_, mock_sse::testing::StartError>(())
//! # }).unwrap();
//! ```
//!
//! What is still to come can be waited for: [`decided`](testing::Session::decided).
//!
//! # Commands
//!
//! A test can [publish](testing::Session::publish) to topics, [send](testing::Session::send) events into
//! open streams and [end](testing::Session::end_streams) them, give a [signal](testing::Session::signal)
//! that scripts wait for, set their [state](testing::Session::set_state), [load](testing::Session::load)
//! another scenario, and begin [anew](testing::Session::reset). The same can be commanded over HTTP,
//! under `/__mock/`: `docs/control.md`.
//!
//! # Sessions
//!
//! One server can serve many tests that know nothing of each other: a [session](MockSse::session) has
//! attempts, topics, state, clock, journal and verdict of its own. Requests name theirs by a prefix,
//! which [`url`](testing::Session::url) puts there (`/~NAME/sse`), or by the header `X-Mock-Session`.
//!
//! ```
//! # use mock_sse::MockSse;
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = MockSse::start("{ topics: { news: {} }, endpoints: [] }").await?;
//! let (anna, ben) = (mock.session("anna"), mock.session("ben"));
//! assert!(anna.url("/sse").ends_with("/~anna/sse"));
//! ben.publish("news", "not for anna")?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Features
//!
//! | Feature | Default | What it brings |
//! |---|---|---|
//! | `cli` | yes | The `mock-sse` command, and the modules it alone uses: `cli`, `gallery`, `load`, `record`. Needs clap, tracing-subscriber and rustls-native-certs. Includes `watch`. |
//! | `watch` | with `cli` | The system's notices of changed files, by notify. Without it changes are looked for twice a second. |
//!
//! For tests [`MockSse`] needs neither:
//!
//! ```toml
//! [dev-dependencies]
//! mock-sse = { version = "0.1", default-features = false }
//! ```
//!
//! # Layout
//!
//! Data flows one way:
//!
//! ```text
//! file → scenario → matching → plan → player → wire → socket
//! ```
//!
//! - [`event`], [`request`], [`text`]: plain values: an event, a request, bytes carried in text
//! - [`random`]: seeded chance; [`spelling`]: what a misspelt name was meant to be
//! - [`scenario`]: what a user writes, checked and turned into what is valid by construction
//! - [`expr`]: templates and expressions, and what is in scope for them
//! - [`matching`]: which endpoint answers a request, or why none does
//! - [`expect`]: what the client did, held against what it should have done: the verdict
//! - [`plan`]: what a stream does next, and when
//! - [`wire`]: events → bytes
//! - [`clock`], [`topic`], [`state`], [`board`], [`session`]: the world a scenario plays in; [`journal`]: what
//!   came, what it was answered, how it ended; [`news`]: what happens in it
//! - [`engine`]: all of these together: a request goes in, an answer or a stream comes out
//! - [`control`]: what a test commands while the server runs
//! - [`server`]: the HTTP edge; [`certs`]: the local CA; [`watch`]: reloading
//! - [`app`]: a running server; [`play`]: one stream without a socket; [`testing`]: for Rust tests
//! - [`load`]: a client that measures; [`record`]: one that records, for [`play`] and the server to
//!   replay; [`gallery`]: scenarios to start from; [`cli`]: the command line
//!
//! ARCHITECTURE.md tells more, with the invariants that tests hold.

pub mod app;
pub mod board;
pub mod certs;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod client;
pub mod clock;
pub mod control;
pub mod engine;
pub mod event;
pub mod expect;
pub mod expr;
#[cfg(feature = "cli")]
pub mod gallery;
#[cfg(test)]
mod golden;
pub mod journal;
#[cfg(feature = "cli")]
pub mod load;
pub mod matching;
mod name;
pub mod news;
mod packed;
pub mod plan;
pub mod play;
pub mod random;
#[cfg(feature = "cli")]
pub mod record;
pub mod request;
pub mod scenario;
pub mod server;
pub mod session;
pub mod spelling;
pub mod state;
pub mod testing;
pub mod text;
pub mod tick;
pub mod topic;
pub mod watch;
pub mod wire;

pub use testing::MockSse;
