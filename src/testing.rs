//! A mock server inside a Rust test: started on a free port within milliseconds, stopped when dropped.
//!
//! [`MockSse`] is the server, [`Builder`] how it starts, [`Session`] what can be asked of it and
//! done to it. What goes wrong shows well where a test calls `unwrap`.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = mock_sse::MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await.unwrap();
//! assert!(mock.url("/sse").starts_with("http://127.0.0.1:"));
//! # });
//! ```
//!
//! The server runs on the test's own runtime. A client that blocks its thread needs a runtime of several:
//! `#[tokio::test(flavor = "multi_thread")]`.

mod builder;
mod error;
mod event;
mod proof;
mod session;

use std::fmt;
use std::ops::Deref;
use std::path::Path;

use crate::app::Running;
use crate::control::PATIENCE;
use crate::control::sessions::Extent;
pub use builder::Builder;
pub use error::{CommandError, StartError, VerdictError};
pub use session::Session;

/// A running mock server, on the loopback interface. Dropping it ends every stream and closes the port.
///
/// All that a [`Session`] can do it can too: then it is about the session without a name.
pub struct MockSse {
    session: Session,
    running: Running,
}

impl MockSse {
    /// Serves a scenario written as YAML. Without a seed of its own the seed is 0, so that runs repeat.
    ///
    /// # Errors
    ///
    /// The scenario is broken, or there is no port to be had.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await?;
    /// // … point the client under test at mock.url("/sse")
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub async fn start(yaml: &str) -> Result<MockSse, StartError> {
        MockSse::builder().scenario(yaml).start().await
    }

    /// Serves a scenario file or folder.
    ///
    /// # Errors
    ///
    /// The scenario is broken, or there is no port to be had.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::from_path("scenarios/alphabet.yaml").await?;
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub async fn from_path(path: impl AsRef<Path>) -> Result<MockSse, StartError> {
        MockSse::builder().path(path).start().await
    }

    /// What else can be said: seed, clock, time of day, TLS.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::builder().scenario("endpoints: []").manual_clock().start().await?;
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn new(running: Running, scheme: &'static str) -> MockSse {
        let session = Session {
            control: running.control.clone(),
            addr: running.addrs[0],
            scheme,
            name: "".into(),
        };
        MockSse { session, running }
    }

    /// A session of its own under this name: what one client does in it, those in others don't see. It
    /// is made if there is none.
    ///
    /// # Panics
    ///
    /// The name is none: it has 1 to 64 letters, digits, `-`, `_` and `.`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: []").await?;
    /// let (a, b) = (mock.session("a"), mock.session("b"));
    /// a.set_state("stock", 3)?;
    /// assert!(b.state().is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn session(&self, name: &str) -> Session {
        match self.running.sessions.enter(name) {
            Ok(engine) => Session {
                name: engine.name.clone(),
                ..self.session.clone()
            },
            Err(no) => panic!("{no}"),
        }
    }

    /// Begins all sessions anew: see [`Session::reset`].
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: []").await?;
    /// let a = mock.session("a");
    /// a.set_state("stock", 3)?;
    /// mock.reset_all();
    /// assert!(a.state().is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn reset_all(&self) {
        self.running.control.reset("", &Extent { all: Some(true) });
    }

    /// Ends all streams cleanly, then the server, and answers when it is gone: with how many streams
    /// were still open after ten seconds, and were dropped. To drop a `MockSse` drops them at once.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("endpoints: []").await?;
    /// let addr = mock.addr();
    /// assert_eq!(mock.shut_down().await, 0);
    /// assert!(std::net::TcpStream::connect(addr).is_err());
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub async fn shut_down(self) -> usize {
        self.running.shut_down(PATIENCE).await
    }
}

impl Deref for MockSse {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl fmt::Debug for MockSse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MockSse({})", self.url(""))
    }
}
