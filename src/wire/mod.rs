//! Event → bytes: pure. No sockets here; what writes them is in `server/`.

pub mod encode;
pub mod frame;
pub mod framing;
pub mod stub;

pub use encode::encode;
pub use frame::Frame;
pub use framing::Framing;
pub use stub::{Coding, Eol, Field, Inside, SplitAt, Style};
