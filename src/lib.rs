//! A scriptable, scenario-driven mock Server-Sent Events server, configured by files.
pub mod certs;
pub mod clock;
pub mod engine;
pub mod event;
pub mod expr;
pub mod load;
pub mod matching;
pub mod plan;
pub mod request;
pub mod scenario;
pub mod server;
pub mod session;
pub mod text;
pub mod topic;
pub mod wire;
