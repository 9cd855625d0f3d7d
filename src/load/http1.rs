//! Streams over HTTP/1.1, one to a connection. What belongs here: what is done with the answers'
//! bodies.

use super::board::Ending;
use super::desk::{Desk, Inbox, Moment};
use crate::client::body::{Body, Malformed, Progress};
use crate::client::connect::{Wire, describe};
use crate::client::head::Head;
use crate::client::http1::{Answer, read};

const MALFORMED: &str = "the body is not properly chunked";
pub const CUT_OFF: &str = "the server closed the connection in the middle of the body";

/// An error text unless the head is that of an event stream.
pub fn check_stream(status: u16, content_type: &str) -> Result<(), String> {
    if status != 200 {
        return Err(format!("the server answered {status}, not 200"));
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case("text/event-stream") {
        true => Ok(()),
        false => Err(format!(
            "the content type is `{content_type}`, not text/event-stream"
        )),
    }
}

/// Takes the next bytes of a stream's body; its ending if they hold it.
#[inline]
pub fn feed(
    body: &mut Body,
    bytes: &[u8],
    inbox: &mut Inbox,
    desk: &mut Desk,
    moment: &Moment,
) -> Option<Ending> {
    match body.feed(bytes, |payload| desk.take(inbox, payload, moment)) {
        Ok(Progress::Open) => None,
        Ok(Progress::Complete(_)) => Some(Ending::Clean),
        Err(Malformed) => Some(Ending::Broken(MALFORMED.to_owned())),
    }
}

/// Reads an answer's body and throws it away; says whether the connection is fit for another
/// request.
pub async fn skip_body(wire: &mut dyn Wire, answer: Answer) -> Result<bool, String> {
    let Head {
        mut body, keep_alive, ..
    } = answer.head;
    if body == Body::Sized(0) {
        return Ok(keep_alive && answer.rest.is_empty());
    }
    // The outer None: go on reading. Bytes behind the answer make the connection unfit.
    let step = |body: &mut Body, bytes: &[u8]| match body.feed(bytes, |_| ()) {
        Ok(Progress::Open) => None,
        Ok(Progress::Complete(used)) => Some(Ok(keep_alive && used == bytes.len())),
        Err(Malformed) => Some(Err(MALFORMED.to_owned())),
    };
    let mut done = step(&mut body, &answer.rest);
    while done.is_none() {
        let length = read(wire, |bytes| done = step(&mut body, bytes)).await;
        match length {
            Ok(0) if body.may_close() => return Ok(false),
            Ok(0) => return Err(CUT_OFF.to_owned()),
            Ok(_) => {}
            Err(error) => return Err(describe(&error)),
        }
    }
    done.unwrap_or(Ok(false))
}
