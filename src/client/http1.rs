//! Requests and heads on a [`Wire`].

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::Target;
use super::connect::{Wire, describe};
use super::head::{self, Head};

/// Bytes that one read may bring. The space is on the stack, only while there is something to
/// read, so an idle stream holds no buffer.
const READ: usize = 16 * 1024;

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
    exchange_whole(wire, request).await.map(|(_, answer)| answer)
}

/// The same, with the bytes of the head, those of interim answers before them.
pub async fn exchange_whole(wire: &mut dyn Wire, request: &[u8]) -> Result<(Vec<u8>, Answer), String> {
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
            let rest = bytes.split_off(length);
            return Ok((bytes, Answer { head, rest }));
        }
    }
}

/// Reads once and shows the bytes to `take`; 0 at the end.
pub async fn read<W>(wire: &mut W, mut take: impl FnMut(&[u8])) -> io::Result<usize>
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
