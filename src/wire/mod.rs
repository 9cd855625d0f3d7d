//! Event → bytes: pure. No sockets here; what writes them is in `server/`.

pub mod encode;
pub mod frame;
pub mod stub;

pub use encode::encode;
pub use frame::Frame;
pub use stub::{Coding, Eol, Field, Framing, Inside, SplitAt, Style};
