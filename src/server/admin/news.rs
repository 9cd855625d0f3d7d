//! A session's news as a stream of events, in real time: no manual clock waits for who listens.

use std::time::Duration;

use bytes::Bytes;
use poem::Response;

use crate::control;
use crate::engine::Head;
use crate::engine::sink::{Gone, Sink};
use crate::event::Event;
use crate::name::short;
use crate::news::{Happening, Item, Listener};
use crate::request::Request;
use crate::scenario::model::End;
use crate::server::access_log::AccessLog;
use crate::server::exact::Exact;
use crate::server::stream::{ServerSink, StreamEnd, StreamSpec};
use crate::wire::{Frame, Style, encode};

/// A comment is sent so often when nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream that tells the news until the session ends or the client leaves.
pub(in crate::server) fn stream(mut listener: Listener, log: AccessLog) -> StreamSpec {
    StreamSpec::new(async move |mut sink: ServerSink| {
        let mut bytes = 0;
        let end = match tell(&mut listener, &mut sink, &mut bytes).await {
            Ok(()) => StreamEnd::Ended(End::Close),
            Err(Gone) => StreamEnd::Gone,
        };
        log.answered(&Head::new(200, None), bytes);
        (sink, end)
    })
}

/// A request came.
pub(in crate::server) fn arrived(request: &Request) -> Happening {
    Happening::Request {
        method: request.method.clone(),
        target: target(request),
        peer: request.peer,
    }
}

/// A request is answered: its answer's head is on its way.
pub(in crate::server) fn answered(request: &Request, response: &Response) -> Happening {
    let exact = response.extensions().get::<Exact>();
    let nothing = exact.is_some_and(|exact| exact.head.is_none());
    Happening::Answered {
        method: request.method.clone(),
        target: target(request),
        status: if nothing { 0 } else { response.status().as_u16() },
    }
}

fn target(request: &Request) -> String {
    match &request.query {
        Some(query) => short(&format!("{}?{query}", request.path)).into_owned(),
        None => short(&request.path).into_owned(),
    }
}

async fn tell(listener: &mut Listener, sink: &mut ServerSink, bytes: &mut u64) -> Result<(), Gone> {
    // Whoever reads this hears of all that happens from now on.
    write(sink, &comment("listening"), bytes).await?;
    loop {
        let next = tokio::time::timeout(HEARTBEAT, listener.next());
        let next = tokio::select! {
            biased;
            () = sink.gone() => return Err(Gone),
            next = next => next,
        };
        match next {
            Ok(Some(item)) => write(sink, &event(&item), bytes).await?,
            Ok(None) => return Ok(()),
            Err(_) => write(sink, &comment("still here"), bytes).await?,
        }
    }
}

async fn write(sink: &mut ServerSink, event: &Event, bytes: &mut u64) -> Result<(), Gone> {
    let frame = Frame::new(&encode(event, &Style::STANDARD));
    *bytes += frame.len() as u64;
    sink.write(&frame).await
}

fn comment(text: &'static str) -> Event {
    Event {
        comment: Some(Bytes::from_static(text.as_bytes())),
        ..Event::default()
    }
}

fn event(item: &Item) -> Event {
    let mut data = serde_json::json!({ "at_ms": control::milliseconds(item.at) });
    let what = serde_json::to_value(&item.what).expect("news are plain data");
    if let (Some(data), serde_json::Value::Object(what)) = (data.as_object_mut(), what) {
        data.extend(what);
    }
    Event {
        id: Some(item.number.to_string().into()),
        event: Some(Bytes::from_static(item.what.name().as_bytes())),
        data: Some(data.to_string().into()),
        ..Event::default()
    }
}
