//! One server-sent event as plain values: what a stream sends before it is encoded.

use bytes::Bytes;

/// One block of an event stream (HTML standard, §9.2.6 "Interpreting an event stream").
///
/// Fields are bytes, not text: a mock must be able to send what is no UTF-8.
/// `None` leaves a field out; an empty value sends the field with nothing behind the colon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Comment lines (`: …`), ignored by clients.
    pub comment: Option<Bytes>,
    /// The event's type; a client dispatches it under this name instead of `message`.
    pub event: Option<Bytes>,
    /// The payload; each line of it becomes a `data` field of its own.
    pub data: Option<Bytes>,
    /// Becomes the client's last event id; empty resets it.
    pub id: Option<Bytes>,
    /// The client's new reconnection time in milliseconds.
    pub retry: Option<u64>,
}
