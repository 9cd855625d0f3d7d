//! A scriptable, scenario-driven mock Server-Sent Events server, configured by files.
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
//!   replay; [`cli`]: the command line
//!
//! ARCHITECTURE.md tells more, with the invariants that tests hold.

pub mod app;
pub mod board;
pub mod certs;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
mod client;
pub mod clock;
pub mod control;
pub mod engine;
pub mod event;
pub mod expect;
pub mod expr;
pub mod journal;
#[cfg(feature = "cli")]
pub mod load;
pub mod matching;
mod name;
pub mod news;
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
pub mod topic;
pub mod watch;
pub mod wire;

pub use testing::MockSse;
