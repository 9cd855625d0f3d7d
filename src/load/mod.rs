//! A client that measures: opens many streams of any SSE server, publishes messages, and tells
//! what arrived, how fast, and at what cost.
//!
//! What belongs here: everything of `mock-sse load` but the printing. What does not: anything of
//! our own server. The client knows no more of it than of a foreign one, so that both are
//! measured alike.
//!
//! # Layout
//! - `args` → `settings`: what is to be done; `error`: why it cannot be
//! - `run`: the order of things; `streams` opens, `publisher` posts
//! - `client` (connections, heads, framing) → `http1`, `http2` → `blocks` (events)
//! - `tally` (one stream), `board` (all of them), `histogram` (latency), `process` (CPU, memory)
//! - `report`: the figures

pub mod args;
mod blocks;
mod board;
mod error;
mod histogram;
mod http1;
mod http2;
mod process;
mod publisher;
mod report;
mod run;
mod settings;
mod streams;
mod tally;

pub use args::LoadArgs;
pub use error::LoadError;
pub use report::{
    CpuFigures, DeliveryFigures, Latency, LoadReport, MemoryFigures, PublishFigures, StreamFigures,
};
pub use run::run;
pub use settings::{Listen, LoadSettings, Publish, Template, Work};

pub use crate::client::{ClientError, Target};
