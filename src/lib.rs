//! A scriptable, scenario-driven mock Server-Sent Events server, configured by files.
pub mod engine;
pub mod event;
pub mod load;
pub mod request;
pub mod scenario;
pub mod wire;
