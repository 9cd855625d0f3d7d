//! What the clients of a session have done, and whether that was right.

use std::sync::Arc;
use std::time::Duration;

use super::{Session, VerdictError};
use crate::expect::{State, Verdict};
use crate::journal::{Entry, Query};

impl Session {
    /// The requests that have come, oldest first, with what became of them. Those that are open go on
    /// changing.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// # use std::io::{Read, Write};
    /// let mock = MockSse::start("endpoints: [{ path: /sse, stream: [{ data: hello }] }]").await?;
    /// let mut client = std::net::TcpStream::connect(mock.addr())?;
    /// client.write_all(b"GET /sse?a=1 HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n")?;
    /// client.read_to_end(&mut Vec::new())?;
    ///
    /// let journal = mock.journal();
    /// assert_eq!(journal[0].target(), "/sse?a=1");
    /// assert_eq!(journal[0].answered().unwrap().status, Some(200));
    /// assert_eq!(journal[0].sent().events, 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn journal(&self) -> Vec<Arc<Entry>> {
        self.engine().witness.journal.entries(&Query::default())
    }

    /// What is known by now of the scenario's expectations.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("
    ///     endpoints: [{ path: /sse, stream: [{ data: hello }] }]
    ///     expect: [{ request: GET /sse, count: 1 }]
    /// ").await?;
    /// assert_eq!(mock.verdict().word(), "open");
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn verdict(&self) -> Verdict {
        self.engine().witness.verdict(false)
    }

    /// Waits until the verdict is decided, for at most so long (in real time): then it is `open`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// # use std::time::Duration;
    /// let mock = MockSse::start("
    ///     endpoints: [{ path: /sse, stream: [{ data: hello }] }]
    ///     expect: [{ request: GET /sse, count: 1 }]
    /// ").await?;
    /// assert_eq!(mock.decided(Duration::from_millis(1)).await.word(), "open");
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub async fn decided(&self, patience: Duration) -> Verdict {
        let witness = self.engine().witness.clone();
        match tokio::time::timeout(patience, witness.decided()).await {
            Ok(verdict) => verdict,
            Err(_) => witness.verdict(false),
        }
    }

    /// Whether the client did what the scenario expects; nothing more is waited for, so what is not met
    /// by now has failed. A scenario that expects nothing is always content.
    ///
    /// # Errors
    ///
    /// It did not. The error's text is the report, so that `unwrap` shows it.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use mock_sse::MockSse;
    /// let mock = MockSse::start("
    ///     endpoints: [{ path: /sse, stream: [{ data: hello }] }]
    ///     expect: [{ request: GET /sse, count: 1 }]
    /// ").await?;
    /// let report = mock.verify().unwrap_err().to_string();
    /// assert!(report.ends_with("failed: 0 met, 1 failed, 0 open"));
    /// # Ok::<_, mock_sse::testing::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn verify(&self) -> Result<(), VerdictError> {
        let verdict = self.engine().witness.verdict(true);
        match verdict.state() {
            State::Met => Ok(()),
            State::Failed | State::Open => Err(VerdictError(verdict)),
        }
    }
}
