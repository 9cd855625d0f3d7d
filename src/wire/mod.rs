//! Event → bytes: pure. No sockets here; what writes them is in `server/`.

pub mod encode;
pub mod frame;
pub mod framing;

pub use encode::encode;
pub use frame::Frame;
pub use framing::Framing;
