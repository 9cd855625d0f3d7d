//! `drive CLIENT BASE CASE…`: listens to each path until `done` or the end; prints what was seen as JSON.

use std::time::Duration;

use eventsource_client::{Client, ClientBuilder, SSE};
use futures_util::StreamExt;
use reqwest_eventsource::{Event, EventSource, ReadyState};
use serde_json::{Map, Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Seen(Vec<Value>);

impl Seen {
    /// Whether this was the last one that is wanted.
    fn event(&mut self, kind: &str, data: &str, id: &str) -> bool {
        if kind != "done" {
            let data = match data.len() {
                0..1000 => data.to_owned(),
                long => format!("{long} characters"),
            };
            self.0.push(json!([kind, data, id]));
        }
        kind == "done"
    }
}

async fn with_reqwest(name: &str, url: &str, seen: &mut Seen) -> &'static str {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = match name {
        "post" => client
            .post(url)
            .header("content-type", "text/plain")
            .body("hello"),
        "header" => client.get(url).header("x-mine", "yes"),
        _ => client.get(url),
    };
    let mut source = EventSource::new(request).unwrap();
    while let Some(next) = source.next().await {
        match next {
            Ok(Event::Message(event)) if seen.event(&event.event, &event.data, &event.id) => return "done",
            // One that will try again is not closed.
            Err(_) if source.ready_state() == ReadyState::Closed => return "failed",
            _ => {}
        }
    }
    "ended"
}

async fn with_eventsource_client(name: &str, url: &str, seen: &mut Seen) -> &'static str {
    let mut builder = ClientBuilder::for_url(url).unwrap();
    match name {
        "post" => builder = builder.method("POST".into()).body("hello".into()),
        "header" => builder = builder.header("x-mine", "yes").unwrap(),
        _ => {}
    }
    let client = builder.build_http();
    let mut events = client.stream();
    let (mut connected, mut failed) = (0, false);
    while let Some(next) = events.next().await {
        failed = next.is_err();
        match next {
            Ok(SSE::Event(event)) => {
                let id = event.id.as_deref().unwrap_or("");
                if seen.event(&event.event_type, &event.data, id) {
                    return "done";
                }
            }
            Ok(SSE::Connected(_)) => connected += 1,
            _ => {}
        }
        // It never gives up: after three times it is given up on.
        if connected > 3 {
            return "comes back";
        }
    }
    if failed { "failed" } else { "ended" }
}

async fn one(client: String, base: String, name: String) -> Value {
    let mut seen = Seen::default();
    let url = format!("{base}/{name}");
    let outcome = tokio::time::timeout(PATIENCE, async {
        match client.as_str() {
            "reqwest-eventsource" => with_reqwest(&name, &url, &mut seen).await,
            _ => with_eventsource_client(&name, &url, &mut seen).await,
        }
    });
    let outcome = outcome.await.unwrap_or("waits");
    json!({ "events": seen.0, "outcome": outcome })
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (client, base) = (args.next().unwrap(), args.next().unwrap());
    let begin = |name: String| {
        (
            name.clone(),
            tokio::spawn(one(client.clone(), base.clone(), name)),
        )
    };
    let tasks: Vec<_> = args.map(begin).collect();
    let mut seen = Map::new();
    for (name, task) in tasks {
        let panics = |_| json!({ "events": [], "outcome": "panics" });
        seen.insert(name, task.await.unwrap_or_else(panics));
    }
    println!("{}", Value::Object(seen));
}
