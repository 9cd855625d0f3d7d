//! Endpoints as they are written.

use super::AnswerFile;
use crate::mapping;
use crate::scenario::decode::{At, DurationText, OneOrMany, Scalar};

mapping! {
    /// Cross-origin answers.
    CorsRulesFile is "`cors`" {
        /// Origins that may read: `https://example.com`, `*`, `http://localhost:*`, `https://*.example.com`.
        origins: OneOrMany<At<String>>,
        /// Whether requests may carry cookies and authorization.
        credentials: At<bool>,
        /// Response headers that scripts may read besides the simple ones.
        expose: OneOrMany<At<String>>,
        /// How long a browser may remember a preflight; 10 minutes by default.
        max_age: DurationText,
    }
}

/// `off`, or the rules.
#[derive(Debug, Clone)]
pub enum CorsFile {
    /// No CORS headers.
    Off,
    /// These rules.
    Rules(Box<At<CorsRulesFile>>),
}

mapping! {
    /// An endpoint: which requests it takes, what they cause, and what it answers.
    EndpointFile is "an endpoint" {
        /// What the endpoint is called, for `expect`; no other endpoint of the scenario has this name.
        name: At<String>,
        /// The path or a list of paths: `/sse`, `/chat/{room}`, `/v{n}/x`, `/files/{rest...}`.
        path: OneOrMany<At<String>>,
        /// The method, a list of methods, or `ANY`; GET by default.
        method: OneOrMany<At<String>>,
        /// The host or a list of hosts, with or without a port: `a.example.com`, `*.example.com`; any by default.
        host: OneOrMany<At<String>>,
        /// A condition: an expression without braces.
        when: Scalar,
        /// What counts as one client for `attempts`: an expression without braces, for example `request.query.token`. By default all requests of a session count as one client's.
        client: Scalar,
        /// CORS for this endpoint alone.
        cors: CorsFile,
        /// A choice of answers: the nth request of the same client takes the nth entry, the last entry repeats.
        attempts: Vec<At<EntryFile>>,
        /// A choice of answers: the first entry whose `when` holds; if none does, the request goes on to the next endpoint.
        cases: Vec<At<EntryFile>>,
        ..answer: AnswerFile,
    }
}

mapping! {
    /// One of several answers. What it does not say is inherited from the endpoint, headers by name.
    EntryFile is "an entry" {
        /// A condition: an expression without braces.
        when: Scalar,
        /// A choice within a case: the nth request that took this case takes the nth entry.
        attempts: Vec<At<EntryFile>>,
        /// A choice within an attempt.
        cases: Vec<At<EntryFile>>,
        ..answer: AnswerFile,
    }
}
