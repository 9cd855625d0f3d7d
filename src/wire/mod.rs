//! Event → bytes, and bytes → lines: pure. No sockets here; what writes them is in `server/`.

mod brotli;
pub mod compress;
pub mod encode;
pub mod frame;
pub mod framing;
pub mod lines;
pub mod sent;
pub mod split;
pub mod style;

pub use compress::{Coding, Compressor, negotiate};
pub use encode::encode;
pub use frame::Frame;
pub use framing::Framing;
pub use lines::Lines;
pub use sent::{Digest, Sent};
pub use split::{Inside, SplitAt, split};
pub use style::{Eol, Field, Style};
