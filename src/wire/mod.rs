//! Event → bytes: pure. No sockets here; what writes them is in `server/`.

pub mod frame;

pub use frame::Frame;
