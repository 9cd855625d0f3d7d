//! One session of a mock server, commanded from within.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use super::CommandError;
use crate::clock::Mode;
use crate::control::clock::{Advance, To};
use crate::control::connections::{Awaited, Which};
use crate::control::event::{EventWish, EventWishes};
use crate::control::sessions::Extent;
use crate::control::{Control, Failure, PATIENCE, Time, clock, connections, topics, world};
use crate::engine::Engine;
use crate::scenario::model::End;

/// A session of a [`MockSse`](super::MockSse): a world of its own, with attempts, topics, state, clock,
/// journal and verdict of its own.
///
/// A `MockSse` is its own session without a name; [`MockSse::session`](super::MockSse::session) gives
/// others. A `Session` can be cloned and taken into other tasks. It does not keep the server alive.
#[derive(Clone)]
pub struct Session {
    pub(super) control: Arc<Control>,
    pub(super) addr: SocketAddr,
    pub(super) scheme: &'static str,
    pub(super) name: Arc<str>,
}

impl Session {
    /// What serves it now: another one after each reset.
    pub(super) fn engine(&self) -> Arc<Engine> {
        let found = self.control.sessions.enter(&self.name);
        found.expect("the name has been used, and there are as many sessions as it takes")
    }

    /// The address of a path, which begins with `/`. In a named session it begins with its prefix.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await?;
    /// let port = mock.addr().port();
    /// assert_eq!(mock.url("/sse"), format!("http://127.0.0.1:{port}/sse"));
    /// assert_eq!(mock.session("one").url("/sse"), format!("http://127.0.0.1:{port}/~one/sse"));
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn url(&self, path: &str) -> String {
        let prefix = if self.name.is_empty() { "" } else { "/~" };
        format!("{}://{}{prefix}{}{path}", self.scheme, self.addr, self.name)
    }

    /// Where the server listens.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: []").await?;
    /// assert!(std::net::TcpStream::connect(mock.addr()).is_ok());
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many streams are open now.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await?;
    /// assert_eq!(mock.open_streams(), 0);
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn open_streams(&self) -> usize {
        self.engine().connections.count()
    }

    /// Waits until exactly so many streams are open, for at most ten seconds of real time. On a manual
    /// clock they have also come to what they wait for first, be it a time, a signal or a topic. On any
    /// other a stream may be about to follow its topics: it does once its client has seen the head.
    ///
    /// # Errors
    ///
    /// There are more or fewer of them all the time.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// # use std::io::Write;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ end: hold }] }]").await?;
    /// let mut client = std::net::TcpStream::connect(mock.addr())?;
    /// client.write_all(b"GET /sse HTTP/1.1\r\nhost: mock\r\n\r\n")?;
    /// mock.wait_for_streams(1).await?;
    /// drop(client);
    /// mock.wait_for_streams(0).await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn wait_for_streams(&self, count: usize) -> Result<(), CommandError> {
        let wish = Awaited {
            count: Some(count),
            max: Some(count),
            wait: Some(Time(PATIENCE)),
            ..Awaited::default()
        };
        let engine = self.engine();
        connections::list(&engine, &wish).await?;
        // If a client does not read, `advance` says so.
        let _ = tokio::time::timeout(PATIENCE, engine.session.clock.next_due()).await;
        Ok(())
    }

    /// What time it is for scripts, since the session began.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// # use std::time::Duration;
    /// let mock = MockSse::builder().manual_clock().start().await?;
    /// assert_eq!(mock.now(), Duration::ZERO);
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn now(&self) -> Duration {
        self.engine().session.clock.now()
    }

    /// Moves a manual clock on, from one thing that is due to the next. When it answers, all that fell
    /// due has been written: clients need not wait for it.
    ///
    /// # Errors
    ///
    /// The clock is not a [manual](super::Builder::manual_clock) one. Or, after ten seconds of real
    /// time, a client does not read what is written; then the time stands where it has got to.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// # use std::time::Duration;
    /// let mock = MockSse::builder().manual_clock().start().await?;
    /// mock.advance(Duration::from_secs(90)).await?;
    /// assert_eq!(mock.now(), Duration::from_secs(90));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn advance(&self, by: Duration) -> Result<(), CommandError> {
        let by = Advance {
            by: Some(Time(by)),
            to: None,
        };
        self.move_on(&by).await
    }

    /// Moves a manual clock on to what is due next, and answers when that has been written: with how
    /// far it was. If nothing is due, it does not move.
    ///
    /// # Errors
    ///
    /// As of [`advance`](Session::advance).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// # use std::{io::Write, time::Duration};
    /// let yaml = "endpoints: [{ path: /sse, stream: [{ wait: 20m }, { data: late }] }]";
    /// let mock = MockSse::builder().scenario(yaml).manual_clock().start().await?;
    /// let mut client = std::net::TcpStream::connect(mock.addr())?;
    /// client.write_all(b"GET /sse HTTP/1.1\r\nhost: mock\r\n\r\n")?;
    /// mock.wait_for_streams(1).await?;
    /// assert_eq!(mock.advance_to_next().await?, Duration::from_secs(20 * 60));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn advance_to_next(&self) -> Result<Duration, CommandError> {
        let before = self.now();
        let next = Advance {
            by: None,
            to: Some(To::Next),
        };
        self.move_on(&next).await?;
        Ok(self.now().saturating_sub(before))
    }

    async fn move_on(&self, wish: &Advance) -> Result<(), CommandError> {
        let engine = self.engine();
        if engine.session.clock.mode() != Mode::Manual {
            let why = "this clock goes by itself: start the server with `MockSse::builder().manual_clock()`";
            return Err(Failure::Conflict(why.into()).into());
        }
        clock::advance(&engine, wish, PATIENCE).await?;
        Ok(())
    }

    /// Publishes a message to a topic; answers with how many streams it reached. A text is the data of
    /// an event without a type; an [`Event`](crate::event::Event) says more (the id `counter` is the
    /// message's number in the topic).
    ///
    /// # Errors
    ///
    /// The topic is not declared or cannot be used, or the event is none.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// use mock_sse::event::Event;
    ///
    /// let mock = MockSse::start("
    ///     topics: { news: {} }
    ///     endpoints: [{ path: /sse, stream: [{ follow: news }] }]
    /// ").await?;
    /// assert_eq!(mock.publish("news", "hello")?, 0);
    /// mock.publish("news", serde_json::json!({ "breaking": true }))?;
    /// let alert = Event { event: Some("alert".into()), data: Some("!".into()), ..Event::default() };
    /// mock.publish("news", alert)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn publish(&self, topic: &str, event: impl Into<EventWish>) -> Result<usize, CommandError> {
        let published = topics::publish(&self.engine(), topic, event.into())?;
        Ok(published.reached)
    }

    /// Sends an event into all open streams, between those of their scripts; answers with how many
    /// got it, when it is written.
    ///
    /// # Errors
    ///
    /// It is no event, or for ten seconds of real time a client does not read.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ end: hold }] }]").await?;
    /// assert_eq!(mock.send("nobody hears this").await?, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn send(&self, event: impl Into<EventWish>) -> Result<usize, CommandError> {
        let events = EventWishes(vec![event.into()]);
        let sent = connections::send(&self.engine(), &Which::default(), events, PATIENCE).await?;
        Ok(sent.reached)
    }

    /// Tells all open streams to end like this; answers at once, with how many they are.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// use mock_sse::scenario::model::End;
    ///
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ end: hold }] }]").await?;
    /// assert_eq!(mock.end_streams(End::Reset), 0);
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn end_streams(&self, end: End) -> usize {
        connections::end(&self.engine(), &Which::default(), end).ended
    }

    /// Gives a signal: streams that wait for it go on.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ wait_for: { signal: go } }] }]").await?;
    /// mock.signal("go");
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn signal(&self, name: &str) {
        world::signal(&self.engine(), name);
    }

    /// The values that scripts share, by key.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: []").await?;
    /// mock.set_state("stock", 3)?;
    /// assert_eq!(mock.state()["stock"], 3);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn state(&self) -> BTreeMap<String, Json> {
        world::state(&self.engine()).state
    }

    /// Gives a key of the scripts' state a value.
    ///
    /// # Errors
    ///
    /// The state would be too large, or the value is nested too deeply.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /stock, body: '{{ state.stock }}' }]").await?;
    /// mock.set_state("stock", serde_json::json!({ "apples": 3 }))?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn set_state(&self, key: &str, value: impl Into<Json>) -> Result<(), CommandError> {
        world::set(&self.engine(), key, Some(value.into()))?;
        Ok(())
    }

    /// Begins the session anew: its streams end; attempts, topics, state, time, journal and verdict are
    /// as at the beginning, and the scenario is the server's.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: []").await?;
    /// mock.set_state("stock", 3)?;
    /// mock.reset();
    /// assert!(mock.state().is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn reset(&self) {
        self.control.reset(&self.name, &Extent::default());
    }

    /// Puts another scenario in force: in a named session only there, without a name in all sessions
    /// that have none of their own. Open streams finish the script they began with.
    ///
    /// # Errors
    ///
    /// It is broken, and the error's text says where; nothing has changed then.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await?;
    /// mock.load("endpoints: [{ path: /sse, status: 503 }]").await?;
    /// assert!(mock.load("endpoints: [{ paht: /sse }]").await.is_err());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn load(&self, yaml: impl Into<String>) -> Result<(), CommandError> {
        self.control.put_scenario(&self.engine(), yaml.into()).await?;
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.url(""))
    }
}
