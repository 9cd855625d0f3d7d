//! An HTTP/1.1 client by hand: it sees what a general one hides, the chunks of a body and how a
//! connection ends, and costs less than the servers it measures.
//!
//! What belongs here: what `load` and `record` share. `target` (addresses), `connect` (TCP, TLS),
//! `http1` (requests and heads on a connection), `head` and `body` (pure: framing). What does not:
//! what becomes of the bytes.

pub mod body;
pub mod connect;
mod error;
pub mod head;
pub mod http1;
mod target;

pub use error::ClientError;
pub use target::Target;
