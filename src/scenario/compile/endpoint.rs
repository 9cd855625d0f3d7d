//! Endpoints: what they match, what they cause, what they answer.

use std::collections::HashMap;

use super::{Compiler, FileScope, path_span};
use crate::expr::{Expr, Text, Tree};
use crate::scenario::decode::{At, Scalar};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::EndpointFile;
use crate::scenario::model::{Answer, Body, Endpoint, Header, Methods, Pace, Script};
use crate::scenario::pattern::{Pattern, valid_name};

impl Compiler {
    /// One endpoint; `equals` counts those with the same methods and path that came before.
    pub(super) fn endpoint(
        &mut self,
        file: &At<EndpointFile>,
        scope: &FileScope,
        equals: &mut HashMap<String, usize>,
    ) -> Option<Endpoint> {
        let path = self.path(file);
        let methods = self.methods(&file.value);
        let mut names = path.as_ref().map(Pattern::names).unwrap_or_default();
        let when = self.when(&file.value.when, &names);
        let lets = self.lets(&file.value, &mut names);
        let publish = file.value.publish.iter().flat_map(|list| &list.0);
        let publish = publish.filter_map(|p| self.publish(p, scope, &names)).collect();
        let answer = self.answer(file, scope, &names);
        let cors = match &file.value.cors {
            Some(cors) => self.cors(cors),
            None => scope.cors.clone(),
        };
        let (path, methods) = (path?, methods?);
        let key = key(&methods, &path, equals);
        Some(Endpoint {
            key,
            path,
            methods,
            when,
            lets,
            publish,
            answer,
            cors,
        })
    }

    fn path(&mut self, file: &At<EndpointFile>) -> Option<Pattern> {
        let Some(path) = &file.value.path else {
            self.errors
                .push(Diagnostic::error(&file.span, "this endpoint has no `path`").hint("add `path: /sse`"));
            return None;
        };
        let span = path_span(file).clone();
        if !path.value.starts_with('/') {
            let error = Diagnostic::error(
                &span,
                format!("the path `{}` does not begin with `/`", path.value),
            );
            self.errors.push(error.hint(format!("write /{}", path.value)));
            return None;
        }
        if path.value.contains(['?', '#', ' ']) {
            let error = Diagnostic::error(&span, format!("the path `{}` can never match", path.value));
            self.errors.push(
                error.hint(
                    "a path has no query, fragment or space: use `when: request.query.x == \"1\"`, %20",
                ),
            );
            return None;
        }
        if path.value == "/__mock" || path.value.starts_with("/__mock/") || path.value.starts_with("/~") {
            self.error(
                &span,
                "paths that begin with /__mock/ or /~ belong to the server itself",
            );
            return None;
        }
        match Pattern::parse_path(&path.value) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.error(&span, message);
                None
            }
        }
    }

    fn methods(&mut self, file: &EndpointFile) -> Option<Methods> {
        let Some(methods) = &file.method else {
            return Some(Methods::Only(vec!["GET".into()]));
        };
        if methods.0.iter().any(|m| m.value == "ANY") {
            return Some(Methods::Any);
        }
        let mut list = Vec::new();
        for method in &methods.0 {
            if let Err(hint) = check_method(&method.value) {
                let error = Diagnostic::error(&method.span, format!("`{}` is no method", method.value));
                self.errors.push(error.hint(hint));
                return None;
            }
            list.push(method.value.clone());
        }
        if list.is_empty() {
            let span = file.path.as_ref().map(|p| p.span.clone())?;
            self.error(&span, "this endpoint takes no method at all");
            return None;
        }
        Some(Methods::Only(list))
    }

    fn when(&mut self, file: &Option<Scalar>, names: &[String]) -> Option<Expr> {
        let scalar = file.as_ref()?;
        let Some(source) = &scalar.text else {
            self.error(&scalar.span, "`when` needs a condition");
            return None;
        };
        match self.expressions.expr(source, names) {
            Ok(expr) => Some(expr),
            Err(fault) => {
                self.fault(&scalar.span, fault);
                None
            }
        }
    }

    /// Adds each name to those in scope once it has its value.
    fn lets(&mut self, file: &EndpointFile, names: &mut Vec<String>) -> Vec<(String, Tree)> {
        let mut lets = Vec::new();
        for (name, value) in file.r#let.iter().flat_map(|l| &l.0) {
            if let Err(message) = valid_name(&name.value) {
                self.error(&name.span, message);
            }
            lets.push((name.value.clone(), self.tree(&value.0, names)));
            names.push(name.value.clone());
        }
        lets
    }

    fn answer(&mut self, file: &At<EndpointFile>, scope: &FileScope, names: &[String]) -> Answer {
        let status = file.value.status.as_ref().and_then(|s| self.status(s, names));
        let headers = file.value.headers.iter().flat_map(|h| &h.0);
        let headers = headers.filter_map(|(name, values)| {
            let name = self.answer_header(name)?;
            let values = values
                .0
                .iter()
                .filter_map(|v| self.header_value(v, names))
                .collect();
            Some(Header { name, values })
        });
        Answer {
            headers: headers.collect(),
            status: status.unwrap_or_else(|| Text::fixed("200")),
            after: file
                .value
                .after
                .as_ref()
                .and_then(|d| self.pace(d, names))
                .unwrap_or(Pace::ZERO),
            body: self.body(file, scope, names),
        }
    }

    fn status(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let text = self.text(scalar, names)?;
        if let Text::Fixed(code) = &text
            && let Err(message) = crate::scenario::status_code(code)
        {
            self.error(&scalar.span, message);
        }
        Some(text)
    }

    /// A header that the scenario may set: how the body is framed is the transport's business.
    fn answer_header(&mut self, name: &At<String>) -> Option<String> {
        let lower = name.value.to_lowercase();
        if [
            "connection",
            "transfer-encoding",
            "keep-alive",
            "upgrade",
            "date",
            "content-length",
        ]
        .contains(&lower.as_str())
        {
            self.error(&name.span, format!("the server sets the header `{lower}` itself"));
            return None;
        }
        self.header_name(name)
    }

    pub(super) fn header_name(&mut self, name: &At<String>) -> Option<String> {
        match http::HeaderName::from_bytes(name.value.as_bytes()) {
            Ok(_) => Some(name.value.clone()),
            Err(_) => {
                self.error(
                    &name.span,
                    format!("`{}` is no header name", name.value.escape_debug()),
                );
                None
            }
        }
    }

    fn header_value(&mut self, scalar: &Scalar, names: &[String]) -> Option<Text> {
        let text = self.text(scalar, names)?;
        if let Text::Fixed(value) = &text
            && http::HeaderValue::from_bytes(&crate::text::to_bytes(value)).is_err()
        {
            self.error(
                &scalar.span,
                "a header value cannot hold line ends or control characters",
            );
            return None;
        }
        Some(text)
    }

    fn body(&mut self, file: &At<EndpointFile>, scope: &FileScope, names: &[String]) -> Body {
        let value = &file.value;
        let given: Vec<&str> = [
            ("body", value.body.is_some()),
            ("json", value.json.is_some()),
            ("stream", value.stream.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, there)| there.then_some(key))
        .collect();
        if let [first, second, ..] = given.as_slice() {
            let message = format!("an answer has one body, but this endpoint has `{first}` and `{second}`");
            self.error(path_span(file), message);
        }
        if let (Some(heartbeat), None) = (&value.heartbeat, &value.stream) {
            self.error(&heartbeat.0.span, "`heartbeat` needs a `stream`");
        }
        if let Some(files) = &value.stream {
            let heartbeat = value.heartbeat.as_ref().and_then(|d| self.heartbeat(d));
            return Body::Stream(Script {
                steps: self.steps(files, scope, names),
                heartbeat,
            });
        }
        if let Some(json) = &value.json {
            return Body::Json(self.tree(&json.0, names));
        }
        let text = value.body.as_ref().and_then(|s| self.text(s, names));
        text.map_or(Body::Empty, Body::Text)
    }

    fn heartbeat(&mut self, file: &crate::scenario::decode::DurationText) -> Option<std::time::Duration> {
        let duration = self.duration(file)?;
        if duration.is_zero() {
            self.error(&file.0.span, "a heartbeat needs an interval greater than 0");
            return None;
        }
        Some(duration)
    }
}

/// The number of equal endpoints before keeps keys apart and stable when others are added.
fn key(methods: &Methods, path: &Pattern, equals: &mut HashMap<String, usize>) -> String {
    let name = format!("{} {}", methods.describe(), path.source());
    let count = equals.entry(name.clone()).or_insert(0);
    *count += 1;
    format!("{name}#{}", *count - 1)
}

fn check_method(method: &str) -> Result<(), String> {
    if http::Method::from_bytes(method.as_bytes()).is_err() {
        return Err("use one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or ANY".into());
    }
    let upper = method.to_uppercase();
    if upper != method {
        return Err(format!("methods are case-sensitive: write {upper}"));
    }
    Ok(())
}
