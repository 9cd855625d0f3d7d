//! Streams over HTTP/2, many to a connection. What belongs here: the use of the `h2` crate.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request};
use tokio::time::timeout;

use super::board::Ending;
use super::desk::{Desk, Inbox};
use super::http1::check_stream;
use crate::client::Target;
use crate::client::connect::Connector;

/// Flow-control windows in bytes: large enough that the client never holds the server back.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 26;

/// What is needed to ask for another stream on a connection.
pub type Sender = SendRequest<Bytes>;

/// Opens a connection; the future that drives it goes to `spawn`.
pub async fn connect(
    connector: &Connector,
    streams: usize,
    spawn: impl FnOnce(h2::client::Connection<Box<dyn crate::client::connect::Wire>, Bytes>),
) -> Result<Sender, String> {
    let wire = connector.connect().await?;
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(streams)
        .enable_push(false)
        .handshake(wire)
        .await
        .map_err(|error| describe(&error))?;
    spawn(connection);
    Ok(sender)
}

/// The request for the stream.
pub fn request(target: &Target, headers: &[(HeaderName, HeaderValue)]) -> Result<Request<()>, String> {
    let mut request = Request::get(target.url())
        .version(http::Version::HTTP_2)
        .body(())
        .map_err(|error| error.to_string())?;
    let own = HeaderValue::from_static("text/event-stream");
    request.headers_mut().insert(ACCEPT, own);
    for (name, value) in headers {
        request.headers_mut().insert(name, value.clone());
    }
    Ok(request)
}

/// Asks for a stream and waits for its head.
pub async fn open(sender: Sender, request: Request<()>, patience: Duration) -> Result<RecvStream, String> {
    let asking = async {
        let mut sender = sender.ready().await?;
        sender.send_request(request, true)?.0.await
    };
    let answer = timeout(patience, asking)
        .await
        .map_err(|_| "no answer in time (more streams than the server allows a connection?)")?
        .map_err(|error| describe(&error))?;
    let content_type = answer.headers().get(CONTENT_TYPE);
    let content_type = content_type.map_or("", |value| value.to_str().unwrap_or("?"));
    check_stream(answer.status().as_u16(), content_type)?;
    Ok(answer.into_body())
}

/// Receives a stream to its end.
pub async fn receive(mut body: RecvStream, inbox: &RefCell<Inbox>, desk: &RefCell<Desk>) {
    let ending = loop {
        match body.data().await {
            None => break Ending::Clean,
            Some(Err(error)) => break Ending::Broken(describe(&error)),
            Some(Ok(bytes)) => {
                let mut desk = desk.borrow_mut();
                let moment = desk.moment();
                desk.take(&mut inbox.borrow_mut(), &bytes, &moment);
                desk.tell();
                // Fails only when the stream is over, which the next read tells.
                let _ = body.flow_control().release_capacity(bytes.len());
            }
        }
    };
    desk.borrow_mut().end(&inbox.borrow(), ending);
}

fn describe(error: &h2::Error) -> String {
    match (error.get_io(), error.reason()) {
        (Some(io), _) => crate::client::connect::describe(io),
        (None, Some(reason)) => format!("HTTP/2 {reason:?}"),
        (None, None) => format!("HTTP/2: {error}"),
    }
}
