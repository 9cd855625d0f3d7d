//! What is seen of clients: every request goes into the journal, and before the judge.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{Head, Outcome};
use crate::clock::Clock;
use crate::expect::{self, Arrival, Judge, Verdict};
use crate::expr::{Moment, RequestScope};
use crate::journal::{Bounds, By, Ended, Entry, How, Journal, Matched, Record};
use crate::request::Request;
use crate::scenario::Scenario;
use crate::scenario::model::Endpoint;
use crate::topic::Message;

/// Sees what the clients of a session do.
#[derive(Debug)]
pub struct Witness {
    /// The requests of the session.
    pub journal: Arc<Journal>,
    clock: Arc<Clock>,
    judge: Mutex<Judge>,
    /// Counts what the judge has been told.
    told: watch::Sender<u64>,
}

/// Who has made a request, and for what.
pub(super) struct Visitor<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) client: &'a str,
    pub(super) attempt: u64,
    /// Whether it counts: HEAD does not.
    pub(super) counts: bool,
}

/// One request, as it is served. Whoever drops the last of it without an end leaves it open.
#[derive(Debug, Clone)]
pub struct Witnessed {
    witness: Arc<Witness>,
    entry: Arc<Entry>,
}

impl Witness {
    /// Nothing has been seen yet.
    pub(super) fn new(clock: Arc<Clock>, scenario: Arc<Scenario>) -> Arc<Witness> {
        Arc::new(Witness {
            journal: Journal::new(Bounds::default()),
            clock,
            judge: Mutex::new(Judge::new(scenario)),
            told: watch::Sender::new(0),
        })
    }

    /// Another scenario is in force: judged anew, unless it expects the same.
    pub(super) fn expect(&self, scenario: &Arc<Scenario>) {
        let mut judge = self.judge();
        if !judge.same(scenario) {
            *judge = Judge::new(scenario.clone());
            drop(judge);
            self.changed();
        }
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Witness>, request: &Request) -> Witnessed {
        let record = self
            .journal
            .arrived(request, self.clock.now(), self.clock.wall_ms());
        Witnessed {
            witness: self.clone(),
            entry: record.entry().clone(),
        }
    }

    /// What is known by now; `last`: nothing more is waited for, so that what is open has failed.
    pub fn verdict(&self, last: bool) -> Verdict {
        self.judge().verdict(self.clock.now(), last)
    }

    /// Whether the scenario expects anything.
    pub fn expects_something(&self) -> bool {
        self.judge().expects_something()
    }

    /// Waits until the verdict is decided, as far as it can be: passed or failed.
    pub async fn decided(&self) -> Verdict {
        let mut told = self.told.subscribe();
        loop {
            told.borrow_and_update();
            let (verdict, change) = {
                let (judge, now) = (self.judge(), self.clock.now());
                (judge.verdict(now, false), judge.next_change(now))
            };
            if verdict.decided() {
                return verdict;
            }
            let time = async {
                match change {
                    // What fails by time does so once the time is over.
                    Some(due) => self.clock.reached(due + Duration::from_nanos(1)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = told.changed() => {}
                () = time => {}
            }
        }
    }

    fn changed(&self) {
        self.told.send_modify(|count| *count += 1);
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: impl FnOnce(&mut Judge)) {
        let mut judge = self.judge();
        if judge.expects_something() {
            what(&mut judge);
            drop(judge);
            self.changed();
        }
    }
}

impl Witnessed {
    /// It is known who answers the request, or that nobody does.
    pub(super) fn arrived(
        &self,
        request: &Request,
        visitor: Option<&Visitor>,
        scope: &RequestScope,
        moment: Moment,
    ) {
        let Witnessed { witness, entry } = self;
        if let Some(visitor) = visitor {
            self.record().matched(Matched {
                endpoint: visitor.endpoint.named.clone(),
                client: visitor.client.into(),
                attempt: visitor.attempt,
            });
        }
        let arrival = Arrival {
            number: entry.number,
            at: entry.at(),
            request,
            endpoint: visitor
                .filter(|visitor| visitor.counts)
                .map(|visitor| visitor.endpoint.named.key.as_str()),
            client: visitor.map_or("", |visitor| visitor.client),
            scope,
            moment,
        };
        witness.tell(|judge| judge.arrived(&arrival));
    }

    /// The head goes out; a plain answer is over with that.
    pub fn answered(&self, head: &Head, stream: bool) {
        let Witnessed { witness, entry } = self;
        let at = witness.clock.now();
        self.record().answered(at, Some(head.status), stream);
        let retry_after = head.get("retry-after").and_then(|value| seconds(value));
        let answered = expect::Answered {
            at,
            status: Some(head.status),
            retry_after,
            stream,
        };
        witness.tell(|judge| judge.answered(entry.number, &answered));
    }

    /// The request.
    pub fn request(&self) -> Request {
        self.entry.request()
    }

    /// There will be no head.
    pub fn unanswered(&self) {
        self.record().answered(self.witness.clock.now(), None, false);
    }

    /// Bytes of the body were written, as they are before any coding, with so many events among them, at
    /// this time of the clock.
    pub(super) fn wrote(&self, bytes: &[u8], events: u64, now: Duration) {
        self.entry.wrote(bytes, (events > 0).then_some(now));
    }

    /// Messages of a topic were written, each an event, at this time of the clock.
    pub(super) fn relayed(&self, messages: &[Arc<Message>], now: Duration) {
        let pieces = messages.iter();
        let pieces = pieces.map(|message| (message.frame.as_bytes(), message.digest.as_ref()));
        self.entry.wrote_digested(pieces, now);
    }

    /// The stream stays open, but there is nothing more to send.
    pub(super) fn silent(&self) {
        let (witness, number) = (&self.witness, self.entry.number);
        let (now, last) = (witness.clock.now(), self.last_event());
        witness.tell(|judge| judge.silent(number, now, last));
    }

    /// A stream has ended.
    pub fn finished(&self, outcome: &Outcome) {
        let failed = |why: &str| Ended::because(How::Cut, By::Failure, why);
        self.ended(match outcome {
            Outcome::Ended(end) => Ended::new(How::from(*end), By::Script),
            Outcome::Struck(end) => Ended::new(How::from(*end), By::Fault),
            Outcome::Ordered(end) => Ended::new(How::from(*end), By::Order),
            Outcome::Left => Ended::new(How::Left, By::Client),
            Outcome::Shutdown => Ended::new(How::Close, By::Shutdown),
            Outcome::Failed(why) => failed(why),
            Outcome::TooSlow(_) => failed(&outcome.describe()),
        });
    }

    /// The connection has ended, or the request was never answered.
    pub fn ended(&self, ended: Ended) {
        let Witnessed { witness, entry } = self;
        let at = witness.clock.now();
        let by = ended.by;
        // Whoever served it tells it again when its connection is done with.
        if !self.record().ended(at, ended) {
            return;
        }
        let retry = entry.sent().retry_ms.map(Duration::from_millis);
        let ended = expect::Ended {
            at,
            by,
            last_write: self.last_event(),
            retry,
        };
        witness.tell(|judge| judge.ended(entry.number, &ended));
    }

    fn last_event(&self) -> Option<Duration> {
        self.entry.last_event()
    }

    fn record(&self) -> Record {
        Record::new(&self.witness.journal, &self.entry)
    }
}

/// A number of seconds (RFC 9110 §10.2.3); a date says nothing about a session's clock.
fn seconds(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    text.parse().ok().map(Duration::from_secs)
}
