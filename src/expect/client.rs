//! What is remembered of one client.

use std::collections::VecDeque;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::check::Mismatch;
use super::group::Group;
use super::line::Line;
use super::words;
use crate::request::Request;
use crate::scenario::model::{About, Expectation, GapRule};

/// Of each client so many requests are kept as evidence.
const LINES: usize = 4;

#[derive(Debug)]
pub(super) struct Client {
    /// Its requests, if every client is held to the expectation on its own.
    pub group: Option<Group>,
    /// Its last request, and when that one's connection ended.
    pub last: Option<(u64, Option<Duration>)>,
    /// The reconnection time it was sent last.
    pub retry: Option<Duration>,
    /// When it was answered with the status after which nothing comes, and which of its requests.
    pub dismissed: Option<(u64, Duration)>,
    pub lines: VecDeque<Line>,
    body: Option<Box<[u8]>>,
    gap: Option<Duration>,
}

impl Client {
    pub fn new(e: &Expectation) -> Client {
        Client {
            group: e.per_client.then(|| Group::new(e)),
            last: None,
            retry: None,
            dismissed: None,
            lines: VecDeque::new(),
            body: None,
            gap: None,
        }
    }

    pub fn remember(&mut self, line: Line) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Whether a request brings the body of the first one; `None`: it is the first.
    pub fn same_body(&mut self, request: &Request) -> Option<bool> {
        let digest = Sha256::digest(&request.body).to_vec().into_boxed_slice();
        match &self.body {
            Some(first) => Some(*first == digest),
            None => {
                self.body = Some(digest);
                None
            }
        }
    }

    /// What is wrong with the length of a gap.
    pub fn each(&self, e: &Expectation, rule: &GapRule, number: u64, gap: Duration) -> Option<Mismatch> {
        let wrong = |came: String| Some(Mismatch::of(e, &words::gap(rule), number, &came));
        let came = format!("came after {}", words::seconds(gap));
        let about = match rule.about {
            None => None,
            Some(About::Time(time)) => Some(time),
            Some(About::Retry) => match self.retry {
                Some(time) => Some(time),
                None => {
                    return wrong(format!(
                        "{came}, but its client was never sent a reconnection time"
                    ));
                }
            },
        };
        let far = about.is_some_and(|about| gap.abs_diff(about) > rule.within);
        let bounds = (rule.at_least, rule.at_most);
        if !far && bounds.0.is_none_or(|least| gap >= least) && bounds.1.is_none_or(|most| gap <= most) {
            return None;
        }
        match (rule.about, about) {
            (Some(About::Retry), Some(time)) => wrong(format!(
                "{came}; the reconnection time was {}",
                words::seconds(time)
            )),
            _ => wrong(came),
        }
    }

    /// What is wrong with how a gap has grown; `Err`: there is none before it to compare with.
    pub fn growing(&mut self, e: &Expectation, number: u64, gap: Duration) -> Result<Option<Mismatch>, ()> {
        let before = self.gap.replace(gap).ok_or(())?;
        let came = || {
            let (gap, before) = (words::seconds(gap), words::seconds(before));
            format!("came after {gap}; the gap before was {before}")
        };
        Ok((gap <= before).then(|| Mismatch::of(e, &words::growing(), number, &came())))
    }
}
