//! A client that measures: opens many streams of any SSE server, publishes messages, and tells
//! what arrived, how fast, and at what cost.
//!
//! What belongs here: everything of `mock-sse load` but the printing. What does not: anything of
//! our own server. The client knows no more of it than of a foreign one, so that both are
//! measured alike.
//!
//! # Layout
//! - `args` → `settings`: what is to be done; `error`: why it cannot be
//! - `run`: the order of things; `streams` opens, `publishing` deals out the messages, a `publisher`
//!   posts them or runs a `command`
//! - the threads that read: `reader` (HTTP/1.1, with `tls`) and `shared` (HTTP/2)
//! - `client` (connections, heads, framing) → `http1`, `http2` → `blocks` (events)
//! - `tally` (one stream), `desk` (those of one thread), `board` (all of them)
//! - `histogram` (latency), `pace` (deliveries in time), `process` (CPU, memory)
//! - `report`: the figures; `table` and `plot` show them, `progress` shows how far the run is

pub mod args;
mod blocks;
mod board;
mod command;
mod desk;
mod error;
mod histogram;
mod http1;
mod http2;
mod pace;
mod plot;
mod process;
mod progress;
mod publisher;
mod publishing;
mod reader;
mod report;
mod run;
mod settings;
mod shared;
mod streams;
mod table;
mod tally;
mod tls;

pub use args::LoadArgs;
pub use error::LoadError;
pub use plot::svg;
pub use report::{
    CpuFigures, Curves, DeliveryFigures, Latency, LoadReport, MemoryFigures, PublishFigures, StreamFigures,
};
pub use run::run;
pub use settings::{Listen, LoadSettings, Publish, Template, Way, Work};

pub use crate::client::{ClientError, Target};
