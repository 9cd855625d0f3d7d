//! A scriptable, scenario-driven mock Server-Sent Events server, configured by files.
pub mod certs;
pub mod engine;
pub mod event;
pub mod request;
pub mod scenario;
pub mod server;
pub mod wire;
