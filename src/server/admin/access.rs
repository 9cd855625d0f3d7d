//! Who may command the server: whoever is on this machine, or has the token; never a page of another
//! origin.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use sha2::{Digest, Sha256};

use crate::request::Request;

/// Who may command the server, as its user wants it.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Whether it can be commanded at all.
    pub enabled: bool,
    /// What everybody must know, this machine included; without it only this machine may.
    pub token: Option<Token>,
}

impl Default for Admin {
    fn default() -> Admin {
        Admin {
            enabled: true,
            token: None,
        }
    }
}

/// A secret, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token.
    ///
    /// # Errors
    ///
    /// It could not stand in a header: it must be 1 to 1,000 visible ASCII characters.
    pub fn new(text: &str) -> Result<Token, String> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        match visible && (1..=1000).contains(&text.len()) {
            true => Ok(Token(text.to_owned())),
            false => Err("use 1 to 1000 visible ASCII characters, without spaces".into()),
        }
    }

    /// It takes as long whatever is compared: the digests are.
    fn is(&self, other: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let (own, other) = (digest(&self.0), digest(other));
        own.iter()
            .zip(&other)
            .fold(0, |different, (a, b)| different | (a ^ b))
            == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What access is decided by.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Where the connection comes from.
    pub peer: SocketAddr,
    /// All authorities that the request names: in its target, and in `Host`.
    pub hosts: Vec<String>,
    /// All values of `Origin`.
    pub origins: Vec<String>,
    /// All values of `Sec-Fetch-Site`.
    pub sites: Vec<String>,
    /// All values of `Authorization`.
    pub authorizations: Vec<String>,
}

impl Visitor {
    /// Who sends a request; `authority`: what its target names, if it does.
    pub fn of(request: &Request, authority: Option<&str>) -> Visitor {
        let all = |name: &str| {
            let fields = request.headers.iter().filter(|(n, _)| n == name);
            let texts = fields.map(|(_, value)| String::from_utf8_lossy(value).trim().to_owned());
            texts.collect::<Vec<String>>()
        };
        let mut hosts = all("host");
        hosts.extend(authority.map(str::to_owned));
        Visitor {
            peer: request.peer,
            hosts,
            origins: all("origin"),
            sites: all("sec-fetch-site"),
            authorizations: all("authorization"),
        }
    }
}

/// Why somebody is sent away: 401 or 403, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The status.
    pub status: u16,
    /// Why, and what to do.
    pub detail: String,
}

fn forbidden(detail: String) -> Result<(), Denied> {
    Err(Denied { status: 403, detail })
}

impl Admin {
    /// Decides on a visitor; `host` is what the server was told to listen on.
    ///
    /// # Errors
    ///
    /// The visitor may not command the server.
    pub fn admit(&self, visitor: &Visitor, host: &str) -> Result<(), Denied> {
        not_from_another_page(visitor)?;
        match &self.token {
            Some(token) => knows(token, visitor),
            None => is_here(visitor, host),
        }
    }
}

/// Browsers say whose page asks. `X-Forwarded-*` is believed nowhere: anybody may send it.
fn not_from_another_page(visitor: &Visitor) -> Result<(), Denied> {
    if let Some(site) = visitor
        .sites
        .iter()
        .find(|site| !["same-origin", "none"].contains(&site.as_str()))
    {
        return forbidden(format!(
            "a web page of another origin may not command this server (Sec-Fetch-Site: {site}); \
             do it from the test itself"
        ));
    }
    let own = |origin: &str| {
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| {
            !visitor.hosts.is_empty()
                && visitor
                    .hosts
                    .iter()
                    .all(|host| host.eq_ignore_ascii_case(authority))
        })
    };
    match visitor.origins.iter().find(|origin| !own(origin)) {
        Some(origin) => forbidden(format!(
            "a web page of the origin {origin} may not command this server; do it from the test itself"
        )),
        None => Ok(()),
    }
}

fn knows(token: &Token, visitor: &Visitor) -> Result<(), Denied> {
    let bearer = |value: &String| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| rest.trim().to_owned())
    };
    let given: Vec<Option<String>> = visitor.authorizations.iter().map(bearer).collect();
    let detail = match given.as_slice() {
        [Some(given)] if token.is(given) => return Ok(()),
        [] => "this server wants its token: send `Authorization: Bearer TOKEN` with what --admin-token says",
        _ => "this is not the server's token (see --admin-token): send `Authorization: Bearer TOKEN`",
    };
    Err(Denied {
        status: 401,
        detail: detail.into(),
    })
}

fn is_here(visitor: &Visitor, host: &str) -> Result<(), Denied> {
    let ip = visitor.peer.ip().to_canonical();
    if !ip.is_loopback() {
        return forbidden(format!(
            "only this machine may command this server, not {ip}; start it with --admin-token TOKEN and send \
             `Authorization: Bearer TOKEN` (a client outside of the server's container is another machine, too)"
        ));
    }
    let Some(stranger) = visitor.hosts.iter().find(|named| !is_own(named, host)) else {
        return match visitor.hosts.is_empty() {
            true => forbidden("the request names no host: send a Host header such as localhost".into()),
            false => Ok(()),
        };
    };
    forbidden(format!(
        "the request names the host `{}`, which could be anybody's name for this machine; use localhost or \
         127.0.0.1, start the server with --host and that name, or with --admin-token",
        crate::name::short(stranger)
    ))
}

/// Whether an authority surely means this machine: names that others can point to it do not.
fn is_own(authority: &str, host: &str) -> bool {
    let (name, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match bare.unwrap_or(name).parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() != bare.is_some() => false,
        Ok(ip) if ip.to_canonical().is_loopback() => true,
        // 0.0.0.0 is no address one can ask for, though systems take it for this machine.
        Ok(ip) => !ip.is_unspecified() && host.parse() == Ok(ip),
        Err(_) => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests;
