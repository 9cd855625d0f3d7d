//! What a path of the control API is made of.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{Body, Call};
use super::json;
use super::openapi::Shaped;
#[cfg(test)]
use super::openapi::Shapes;
use crate::control::Failure;
use crate::control::topics::Published;
use crate::engine::{Head, Reply};
use crate::news::Listener;
use crate::text;

/// What is said to a command.
pub(in crate::server) enum Said {
    /// An answer.
    Reply(Box<Reply>),
    /// News, for as long as somebody listens.
    News(Listener),
}

type Future1 = Pin<Box<dyn Future<Output = Result<Said, Failure>> + Send>>;

/// One method of one path.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// `{name}` stands for one segment, `{name...}` for all that are left.
    pub(super) path: &'static str,
    /// What it does, in a sentence.
    pub(super) about: &'static str,
    #[cfg(test)]
    pub(super) shapes: Shapes,
    pub(super) run: Box<dyn Fn(Call) -> Future1 + Send + Sync>,
}

/// What is answered in JSON.
pub(super) trait Answered: Serialize + Shaped {
    /// Adds to the head.
    fn tell(&self, _head: &mut Head) {}
}

impl Answered for Published {
    fn tell(&self, head: &mut Head) {
        head.push("x-mock-reached", self.reached.to_string());
    }
}

/// A path that answers in JSON.
pub(super) fn route<Q, B, A, F, Fut>(
    method: &'static str,
    path: &'static str,
    about: &'static str,
    command: F,
) -> Route
where
    Q: DeserializeOwned + Shaped + Send,
    B: Body + Send,
    A: Answered,
    F: Fn(Call, Q, B) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Failure>> + Send + 'static,
{
    let run = move |call: Call| -> Future1 {
        let command = command.clone();
        Box::pin(async move {
            let (query, body) = (call.query::<Q>()?, B::read(&call)?);
            let answer = command(call, query, body).await?;
            let mut reply = json(200, &answer);
            answer.tell(&mut reply.head);
            Ok(Said::Reply(Box::new(reply)))
        })
    };
    Route {
        method,
        path,
        about,
        #[cfg(test)]
        shapes: Shapes::of::<Q, A>("application/json").takes(B::shape()),
        run: Box::new(run),
    }
}

impl Route {
    /// What the names stand for, if the path is of this form.
    pub(super) fn captures(&self, path: &str) -> Option<Vec<String>> {
        let path = path.strip_prefix('/')?;
        let mut left = Some(path.strip_suffix('/').filter(|p| *p == "__mock").unwrap_or(path));
        let mut captures = Vec::new();
        for part in self.path.strip_prefix('/')?.split('/') {
            let rest = left?;
            if part.ends_with("...}") {
                captures.push(decoded(rest)?);
                return Some(captures);
            }
            let (segment, behind) = match rest.split_once('/') {
                Some((segment, behind)) => (segment, Some(behind)),
                None => (rest, None),
            };
            match part.starts_with('{') {
                true => captures.push(decoded(segment)?),
                false if part != segment => return None,
                false => {}
            }
            left = behind;
        }
        left.is_none().then_some(captures)
    }
}

fn decoded(text: &str) -> Option<String> {
    text::percent_decode(text, false).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {

    #[test]
    fn a_path_captures_what_its_names_stand_for() {
        let captures = |pattern: &'static str, path: &str| {
            let mut route = super::super::paths::table_of_one();
            route.path = pattern;
            route.captures(path)
        };
        let some = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        for (pattern, path, expected) in [
            ("/__mock", "/__mock", some(&[])),
            ("/__mock", "/__mock/", some(&[])),
            ("/__mock/clock", "/__mock/clock", some(&[])),
            ("/__mock/clock", "/__mock/clock/", None),
            ("/__mock/clock", "/__mock/clock/advance", None),
            ("/__mock/clock/advance", "/__mock/clock", None),
            ("/__mock/s/{name}", "/__mock/s/a%2Fb", some(&["a/b"])),
            ("/__mock/s/{name}", "/__mock/s/", None),
            ("/__mock/s/{name}", "/__mock/s/a/b", None),
            ("/__mock/s/{name}", "/__mock/s/%zz", None),
            ("/__mock/t/{name...}", "/__mock/t/a/b%20c", some(&["a/b c"])),
            ("/__mock/t/{name...}", "/__mock/t", None),
            ("/__mock/t/{name}/x", "/__mock/t/1/x", some(&["1"])),
        ] {
            assert_eq!(captures(pattern, path), expected, "{pattern} {path}");
        }
    }
}
