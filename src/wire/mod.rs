//! Event → bytes: pure. No sockets here; what writes them is in `server/`.

pub mod encode;
pub mod frame;
pub mod split;
pub mod style;

pub use encode::encode;
pub use frame::Frame;
pub use split::{Inside, SplitAt, split};
pub use style::{Eol, Field, Style};
