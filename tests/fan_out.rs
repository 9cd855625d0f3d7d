//! A topic's messages on their way to those who follow it: one write each to who keeps up, several in
//! one write to who is behind, none lost and none out of order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use mock_sse::clock::{Clock, Mode};
use mock_sse::engine::sink::{Gone, Sink};
use mock_sse::engine::{Engine, ReplyBody, Seed};
use mock_sse::request::Request;
use mock_sse::scenario::load::{Origin, load};
use mock_sse::session::Session;
use mock_sse::wire::Frame;

/// A client that takes something or nothing, and what it got, write by write.
#[derive(Clone, Default)]
struct Client {
    shut: Arc<AtomicBool>,
    task: Arc<Mutex<Option<Waker>>>,
    writes: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Client {
    fn shut(&self, now: bool) {
        self.shut.store(now, Ordering::SeqCst);
        if let Some(task) = self.task.lock().unwrap().take() {
            task.wake();
        }
    }

    async fn has(&self, messages: usize) {
        let count = || self.writes.lock().unwrap().iter().map(Vec::len).sum::<usize>();
        while count() < messages {
            tokio::task::yield_now().await;
        }
    }

    fn take(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }
}

impl Sink for Client {
    fn poll_write(&mut self, cx: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        *self.task.lock().unwrap() = Some(cx.waker().clone());
        if self.shut.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        let texts = frames
            .iter()
            .map(|frame| String::from_utf8_lossy(frame.as_bytes()).into_owned());
        self.writes.lock().unwrap().push(texts.collect());
        Poll::Ready(Ok(()))
    }

    async fn write_part(&mut self, _: &Frame, _: usize) -> Result<(), Gone> {
        Ok(())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        *self.task.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct Room {
    engine: Engine,
    published: usize,
}

impl Room {
    fn new(follow: &str) -> Room {
        let yaml = format!(
            "topics: {{ news: {{ history: 10 }} }}\n\
             endpoints:\n\
             \x20 - {{ path: /, stream: [ {follow} ] }}\n\
             \x20 - {{ path: /, method: POST, publish: news, status: 202 }}\n"
        );
        let (scenario, _) = load(&Origin::Text(yaml)).expect("a valid scenario");
        let session = Session::new(Clock::new(Mode::REAL));
        Room {
            engine: Engine::new(scenario, session, Seed::Fixed(1)),
            published: 0,
        }
    }

    async fn follower(&self) -> Client {
        let ReplyBody::Stream(mut performance) = self.engine.answer(Request::example("GET", "/")).body else {
            panic!("it is a stream");
        };
        let client = Client::default();
        let mut sink = client.clone();
        performance.begin().await.expect("nothing keeps it");
        tokio::spawn(async move { performance.play(&mut sink).await });
        client
    }

    fn publish(&mut self, count: usize) {
        for _ in 0..count {
            self.published += 1;
            let mut message = Request::example("POST", "/");
            message.body = self.published.to_string().into();
            self.engine.answer(message);
        }
    }
}

fn numbers(writes: &[Vec<String>]) -> Vec<usize> {
    let number = |text: &String| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    writes.iter().flatten().map(number).collect()
}

#[tokio::test]
async fn who_is_behind_gets_several_messages_in_one_write_and_all_in_order() {
    let mut room = Room::new("{ follow: news }");
    let (prompt, late) = (room.follower().await, room.follower().await);
    for number in 1..=3 {
        room.publish(1);
        prompt.has(number).await;
        late.has(number).await;
    }
    assert_eq!(prompt.take().len(), 3, "who keeps up gets each by itself");
    assert_eq!(late.take().len(), 3);
    late.shut(true);
    room.publish(1);
    prompt.has(1).await;
    room.publish(40);
    prompt.has(41).await;
    late.shut(false);
    late.has(41).await;
    let writes = late.take();
    assert_eq!(numbers(&writes), (4..=44).collect::<Vec<_>>());
    // The one that waited, then as many as are written at once.
    let sizes: Vec<_> = writes.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 16, 16, 8]);
    let sent = &room.engine.witness.journal.entries(&Default::default())[1].sent();
    let bytes: usize = writes.iter().flatten().map(String::len).sum();
    assert_eq!(sent.events, 44);
    assert!(sent.bytes as usize > bytes);
}

#[tokio::test]
async fn a_limit_is_kept_to_the_message() {
    let mut room = Room::new("{ follow: { topic: news, limit: 20 } }, { data: over }, { end: hold }");
    let client = room.follower().await;
    client.shut(true);
    room.publish(30);
    client.shut(false);
    client.has(21).await;
    let mut writes = client.take();
    assert_eq!(writes.pop().unwrap(), ["data: over\n\n"]);
    assert_eq!(numbers(&writes), (1..=20).collect::<Vec<_>>());
}

/// A client that publishes a message for each that it gets: there is always another.
struct Echo {
    room: Arc<Room>,
    writes: usize,
    texts: Vec<String>,
}

impl Sink for Echo {
    fn poll_write(&mut self, _: &mut Context<'_>, frames: &[&Frame]) -> Poll<Result<(), Gone>> {
        self.writes += 1;
        assert!(self.writes < 5_000_000, "nobody looks at the time");
        let text = |frame: &&Frame| String::from_utf8_lossy(frame.as_bytes()).into_owned();
        self.texts
            .extend(frames.iter().map(text).filter(|text| text.contains("own")));
        let mut message = Request::example("POST", "/");
        message.body = "again".into();
        self.room.engine.answer(message);
        Poll::Ready(Ok(()))
    }

    async fn write_part(&mut self, _: &Frame, _: usize) -> Result<(), Gone> {
        Ok(())
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

#[tokio::test]
async fn time_goes_on_where_there_is_always_another_message() {
    let script = "{ parallel: [[{ follow: { topic: news, for: 300ms } }], \
                  [{ every: 20ms, times: 3, data: own }]] }, { data: own end }";
    let room = Arc::new(Room::new(script));
    let ReplyBody::Stream(mut performance) = room.engine.answer(Request::example("GET", "/")).body else {
        panic!("it is a stream");
    };
    performance.begin().await.expect("nothing keeps it");
    let mut echo = Echo {
        room: room.clone(),
        writes: 0,
        texts: Vec::new(),
    };
    let mut message = Request::example("POST", "/");
    message.body = "first".into();
    room.engine.answer(message);
    performance.play(&mut echo).await;
    let expected = ["own", "own", "own", "own end"].map(|text| format!("data: {text}\n\n"));
    assert_eq!(echo.texts, expected);
}
