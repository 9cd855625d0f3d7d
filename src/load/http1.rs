//! Streams over HTTP/1.1, one to a connection, by hand: a general client would cost more than
//! the server it measures. What belongs here: requests, heads and bodies on a `Wire`.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::board::{Ending, Receiver};
use super::body::{Body, Malformed, Progress};
use super::connect::{Wire, describe};
use super::head::{self, Head};
use super::settings::Target;

/// Bytes that one read may bring. The space is on the stack, only while there is something to
/// read, so an idle stream holds no buffer.
const READ: usize = 16 * 1024;

const MALFORMED: &str = "the body is not properly chunked";
const CUT_OFF: &str = "the server closed the connection in the middle of the body";

/// An answer whose head has come.
pub struct Answer {
    pub head: Head,
    /// What came behind the head already.
    pub rest: Vec<u8>,
}

/// A request's line and headers up to, but without, the empty line.
pub fn request(
    method: &str,
    target: &Target,
    own: &[(&str, &str)],
    headers: &[(HeaderName, HeaderValue)],
) -> Vec<u8> {
    let mut text = format!("{method} {} HTTP/1.1\r\n", target.path).into_bytes();
    let given = |name: &str| headers.iter().any(|(given, _)| given == name);
    let host = [("host", target.authority.as_str())];
    for (name, value) in host.iter().chain(own).filter(|(name, _)| !given(name)) {
        text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// Sends a request and waits for the answer's head.
pub async fn exchange(wire: &mut dyn Wire, request: &[u8]) -> Result<Answer, String> {
    wire.write_all(request).await.map_err(|e| describe(&e))?;
    wire.flush().await.map_err(|e| describe(&e))?;
    let mut bytes = Vec::new();
    loop {
        let length = read(wire, |piece| bytes.extend_from_slice(piece))
            .await
            .map_err(|error| describe(&error))?;
        if length == 0 {
            return Err("the server closed the connection before its answer".to_owned());
        }
        if let Some((head, length)) = head::parse(&bytes)? {
            bytes.drain(..length);
            return Ok(Answer { head, rest: bytes });
        }
    }
}

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

/// Receives a stream to its end.
pub async fn receive(mut wire: Box<dyn Wire>, answer: Answer, mut receiver: Receiver) {
    let mut body = answer.head.body;
    let ending = match feed(&mut body, &answer.rest, &mut receiver) {
        Some(ending) => ending,
        None => follow(&mut *wire, &mut body, &mut receiver).await,
    };
    receiver.end(ending);
}

async fn follow(wire: &mut dyn Wire, body: &mut Body, receiver: &mut Receiver) -> Ending {
    loop {
        let mut ending = None;
        match read(wire, |bytes| ending = feed(body, bytes, receiver)).await {
            Ok(0) if body.may_close() => return Ending::Clean,
            Ok(0) => return Ending::Broken(CUT_OFF.to_owned()),
            Ok(_) => {}
            Err(error) => return Ending::Broken(describe(&error)),
        }
        if let Some(ending) = ending {
            return ending;
        }
    }
}

fn feed(body: &mut Body, bytes: &[u8], receiver: &mut Receiver) -> Option<Ending> {
    match body.feed(bytes, |payload| receiver.take(payload)) {
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

/// Reads once and shows the bytes to `take`; 0 at the end.
async fn read<W>(wire: &mut W, mut take: impl FnMut(&[u8])) -> io::Result<usize>
where
    W: AsyncRead + Unpin + ?Sized,
{
    poll_fn(|context| {
        let mut space = [const { MaybeUninit::uninit() }; READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *wire).poll_read(context, &mut buffer))?;
        let bytes = buffer.filled();
        if !bytes.is_empty() {
            take(bytes);
        }
        Poll::Ready(Ok(bytes.len()))
    })
    .await
}
