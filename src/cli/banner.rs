//! What is printed on start: addresses, endpoints, a line to paste for each, the seed, the CA.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use crate::scenario::Scenario;
use crate::scenario::describe::{curl, summary};
use crate::scenario::load::{BUILT_IN, Origin};
use crate::scenario::model::Endpoint;

/// What there is to say.
pub(super) struct Banner<'a> {
    pub scenario: &'a Scenario,
    pub origin: &'a Origin,
    pub addrs: &'a [SocketAddr],
    /// The name to show instead of an address, if the host was given as one.
    pub host: &'a str,
    pub seed: u64,
    pub tls: bool,
    pub ca: Option<&'a Path>,
}

impl Banner<'_> {
    /// The base addresses, https first.
    pub(super) fn urls(&self) -> Vec<String> {
        let mut urls = Vec::new();
        for scheme in ["https", "http"] {
            if scheme == "http" || self.tls {
                urls.extend(self.authorities().iter().map(|a| format!("{scheme}://{a}")));
            }
        }
        urls
    }

    fn authorities(&self) -> Vec<String> {
        let port = self.addrs.first().map_or(0, SocketAddr::port);
        let loopback = self
            .addrs
            .iter()
            .all(|a| a.ip().is_loopback() || a.ip().is_unspecified());
        if loopback && self.addrs.iter().any(SocketAddr::is_ipv4) {
            return vec![format!("localhost:{port}")];
        }
        if !self.host.is_empty() && self.host.parse::<std::net::IpAddr>().is_err() {
            return vec![format!("{}:{port}", self.host)];
        }
        self.addrs.iter().map(SocketAddr::to_string).collect()
    }

    /// The whole text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let name = self
            .scenario
            .name
            .as_deref()
            .map(|n| format!(" \"{n}\""))
            .unwrap_or_default();
        let origin = describe(self.origin);
        let _ = writeln!(
            out,
            "mock-sse {} serves{name} from {origin}, seed {}\n",
            env!("CARGO_PKG_VERSION"),
            self.seed
        );
        for url in self.urls() {
            let protocols = match url.starts_with("https") {
                true => "HTTP/2, HTTP/1.1",
                false => "HTTP/1.1, HTTP/2 by prior knowledge",
            };
            let _ = writeln!(out, "  {url:<28} {protocols}");
        }
        if let Some(ca) = self.ca {
            let _ = writeln!(
                out,
                "  CA certificate: {} (`mock-sse cert` explains how to trust it)",
                ca.display()
            );
        }
        out.push('\n');
        self.endpoints(&mut out);
        out
    }

    fn endpoints(&self, out: &mut String) {
        let base = self.urls().pop().unwrap_or_default();
        let names: Vec<String> = self.scenario.endpoints.iter().map(name).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, endpoint) in names.iter().zip(&self.scenario.endpoints) {
            let _ = writeln!(out, "  {name:<width$}  {}", summary(endpoint));
            let _ = writeln!(out, "  {:<width$}  {}", "", curl(endpoint, &base));
        }
    }
}

/// Methods and paths; the first of an API's paths stands for all.
fn name(endpoint: &Endpoint) -> String {
    let name = crate::matching::describe(endpoint);
    match name.split_once(", /") {
        Some((first, _)) if endpoint.preset.is_some() => format!("{first}, …"),
        _ => name,
    }
}

/// Where a scenario comes from.
pub(super) fn describe(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => format!("{BUILT_IN} (built in)"),
        Origin::Text(_) => "memory".into(),
        Origin::Paths(paths) => paths
            .iter()
            .map(|p| p.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    }
}
