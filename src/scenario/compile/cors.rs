//! Cross-origin rules.

use std::sync::Arc;
use std::time::Duration;

use super::Compiler;
use crate::scenario::decode::At;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::{CorsFile, CorsRulesFile};
use crate::scenario::model::{CorsPolicy, OriginRule};

/// How long browsers may remember a preflight unless the scenario says otherwise.
const MAX_AGE: Duration = Duration::from_secs(600);

impl Compiler<'_> {
    /// The policy; `None` for `off`.
    pub(super) fn cors(&mut self, file: &CorsFile) -> Option<Arc<CorsPolicy>> {
        match file {
            CorsFile::Off => None,
            CorsFile::Rules(rules) => Some(Arc::new(self.cors_rules(rules))),
        }
    }

    fn cors_rules(&mut self, file: &At<CorsRulesFile>) -> CorsPolicy {
        let Some(origins) = &file.value.origins else {
            let error = Diagnostic::error(&file.span, "`cors` names no `origins`, so nobody may read");
            self.errors
                .push(error.hint("add for example `origins: [http://localhost:3000]`, or write `cors: off`"));
            return CorsPolicy::default();
        };
        let rules = origins
            .0
            .iter()
            .filter_map(|origin| self.origin(origin))
            .collect();
        let expose = file.value.expose.iter().flat_map(|list| &list.0);
        CorsPolicy {
            origins: rules,
            credentials: file.value.credentials.as_ref().is_some_and(|at| at.value),
            expose: expose.filter_map(|name| self.header_name(name)).collect(),
            max_age: file
                .value
                .max_age
                .as_ref()
                .and_then(|d| self.duration(d))
                .unwrap_or(MAX_AGE),
        }
    }

    fn origin(&mut self, origin: &At<String>) -> Option<OriginRule> {
        let text = origin.value.to_lowercase();
        if text == "*" {
            return Some(OriginRule::Any);
        }
        if let Err((message, hint)) = check_origin(&text) {
            self.errors
                .push(Diagnostic::error(&origin.span, message).hint(hint));
            return None;
        }
        Some(match text.split_once('*') {
            None => OriginRule::Pattern {
                prefix: text,
                suffix: None,
            },
            Some((prefix, suffix)) => OriginRule::Pattern {
                prefix: prefix.to_owned(),
                suffix: Some(suffix.to_owned()),
            },
        })
    }
}

/// An origin is a scheme, a host and perhaps a port (RFC 6454 §6.1), or `null`.
fn check_origin(text: &str) -> Result<(), (String, String)> {
    if text == "null" {
        return Ok(());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err((
            format!("`{text}` is no origin: the scheme is missing"),
            format!("write http://{text}"),
        ));
    };
    if let Some((host, path)) = rest.split_once('/') {
        let hint = format!("write {scheme}://{host}");
        return Err((format!("an origin has no path, so `/{path}` never matches"), hint));
    }
    let (host, port) = rest
        .rsplit_once(':')
        .filter(|(_, p)| !p.contains(']'))
        .unwrap_or((rest, ""));
    let wild_host = host.starts_with("*.") && !host[1..].contains('*');
    let wild_port = port == "*" && !host.contains('*');
    if text.contains('*') && !(wild_port || (wild_host && !port.contains('*'))) {
        return Err((
            "a `*` may stand for a port or for subdomains".into(),
            "write http://localhost:* or https://*.example.com".into(),
        ));
    }
    Ok(())
}
