//! What is secret in a request, and how it is hidden.
//!
//! Hidden are: the values of headers, of query parameters (in `Referer` too), and of members of JSON and
//! form bodies that have such names, and passwords in URLs. A body that may hold such members but cannot
//! be looked into (cut off, no valid JSON, encoded, multipart) is hidden whole; any other is shown as it is.

use std::borrow::Cow;

mod members;

/// What stands in place of a secret.
pub const MASKED: &str = "***";

/// What is to be hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mask {
    /// Nothing.
    #[default]
    Nothing,
    /// The values of what has a secret's name.
    Secrets,
}

/// Headers that are secret besides those with a telling name.
const HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-auth-key",
];

/// Headers with one of these in their name are secret.
const IN_HEADERS: &[&str] = &[
    "authorization",
    "token",
    "secret",
    "session",
    "credential",
    "cookie",
    "jwt",
    "api-key",
    "apikey",
    "api_key",
    "password",
    "pwd",
];

/// Headers whose value is a URL.
const URLS: &[&str] = &["referer", "x-original-url", "x-forwarded-uri"];

/// Names of parameters and members that are secret; in lower case, without `-` and `_`.
const NAMES: &[&str] = &[
    "key",
    "sig",
    "passwd",
    "passphrase",
    "auth",
    "authorization",
    "privatekey",
    "jwt",
    "bearer",
    "pwd",
    "otp",
    "sid",
    "session",
    "sessionid",
    "accesskeyid",
];

/// The same for how they end (`access_token`, `clientSecret`, `X-Amz-Signature`). Not `tokens`: `max_tokens`
/// is a number of them.
const ENDS: &[&str] = &[
    "token",
    "secret",
    "secrets",
    "password",
    "passwords",
    "credential",
    "credentials",
    "cookie",
    "apikey",
    "accesskey",
    "signature",
];

/// Whether a header's value is secret (`Authorization`, `Cookie`, `X-Api-Key`, …); the name in any case.
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    HEADERS.contains(&name.as_str())
        || IN_HEADERS.iter().any(|part| name.contains(part))
        || is_secret_name(&name)
}

/// Whether the value of a query parameter, or of a member of a body, is secret (`token`, `api_key`,
/// `accessToken`, `user[password]`, …); the name decoded, in any case.
pub fn is_secret_name(name: &str) -> bool {
    name.split(['[', ']', '.']).any(is_secret_word)
}

fn is_secret_word(name: &str) -> bool {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_'));
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end))
}

/// A request target or a URL with the secrets in its query hidden, and the password before its host.
/// Nothing else changes.
pub fn target(target: &str) -> String {
    Secrets::default().target(target)
}

/// The secrets of a request, as they are found and hidden.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    found: Vec<String>,
}

/// What is left of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// There was nothing to hide.
    Same,
    /// With its secrets hidden.
    Text(String),
    /// Nothing: it may hold secrets where nobody finds them.
    Nothing,
}

/// A body, as far as it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    /// `Content-Type`; may be empty.
    pub(super) media_type: &'a str,
    /// It has a content coding.
    pub(super) encoded: bool,
    /// There was more of it.
    pub(super) truncated: bool,
    pub(super) bytes: &'a [u8],
}

impl Secrets {
    /// A header's value.
    pub(super) fn header<'v>(&mut self, name: &str, value: Cow<'v, str>) -> Cow<'v, str> {
        if is_secret_header(name) {
            return self.hide(value.into_owned()).into();
        }
        match URLS.contains(&name) {
            true => self.target(&value).into(),
            false => value,
        }
    }

    /// A target or a URL.
    pub(super) fn target(&mut self, target: &str) -> String {
        let (url, fragment) = cut(target, '#');
        let (path, query) = cut(url, '?');
        let mut out = self.userinfo(path);
        if let Some(query) = query.strip_prefix('?') {
            out.push('?');
            out += &self.pairs(query);
        }
        // Answers of authorization servers stand there.
        if let Some(fragment) = fragment.strip_prefix('#') {
            out.push('#');
            out += &self.pairs(fragment);
        }
        out
    }

    fn userinfo(&mut self, url: &str) -> String {
        let shown = || {
            let (scheme, rest) = url
                .split_once("://")
                .filter(|(scheme, _)| !scheme.contains('/'))?;
            let (authority, path) = cut(rest, '/');
            let (user, host) = authority.rsplit_once('@')?;
            let (name, password) = user.split_once(':')?;
            Some((
                format!("{scheme}://{name}:{MASKED}@{host}{path}"),
                password.to_owned(),
            ))
        };
        match shown() {
            Some((shown, password)) => {
                self.hide(password);
                shown
            }
            None => url.to_owned(),
        }
    }

    /// `a=b&c=d` with the values of secrets hidden.
    fn pairs(&mut self, pairs: &str) -> String {
        let pairs: Vec<String> = pairs.split('&').map(|pair| self.pair(pair)).collect();
        pairs.join("&")
    }

    /// `a=b`, or `a=b;c=d`, as some write it. Others take the semicolon for part of the value: what follows
    /// a secret's name is hidden to the end.
    fn pair(&mut self, pair: &str) -> String {
        let mut at = 0;
        for piece in pair.split_inclusive(';') {
            if let Some((name, value)) = piece.split_once('=')
                && !value.is_empty()
                && is_secret_name(&decoded(name))
            {
                let value = at + name.len() + 1;
                return format!("{}{}", &pair[..value], self.hide(decoded(&pair[value..])));
            }
            at += piece.len();
        }
        pair.to_owned()
    }

    /// A body.
    pub(super) fn body(&mut self, content: Content) -> Shown {
        let kind = content.media_type.to_ascii_lowercase();
        let (is_json, is_form) = (kind.contains("json"), kind.contains("x-www-form-urlencoded"));
        if kind.starts_with("multipart/") || content.encoded {
            return Shown::Nothing;
        }
        // Scripts in web pages send JSON as `text/plain`.
        let unmarked = content
            .bytes
            .strip_prefix(b"\xEF\xBB\xBF")
            .unwrap_or(content.bytes);
        let looks_json = matches!(unmarked.trim_ascii_start().first(), Some(b'{' | b'['));
        let text = std::str::from_utf8(content.bytes);
        match text {
            _ if is_json || (looks_json && !is_form) => match text {
                Ok(text) if !content.truncated => self.json(text),
                _ => Shown::Nothing,
            },
            Ok(text) if is_form || kind.is_empty() => {
                let masked = self.pairs(text);
                if masked == text {
                    Shown::Same
                } else {
                    Shown::Text(masked)
                }
            }
            Err(_) if is_form => Shown::Nothing,
            _ => Shown::Same,
        }
    }

    fn json(&mut self, text: &str) -> Shown {
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Shown::Nothing;
        }
        let masked = members::mask(text, |value| self.hide(value));
        if masked == text {
            Shown::Same
        } else {
            Shown::Text(masked)
        }
    }

    /// What is derived from the request, as a client's key: hidden if it is one of the secrets found, or
    /// part of one, or holds one.
    pub(super) fn derived<'t>(&self, text: &'t str) -> &'t str {
        let same = |secret: &String| text.contains(secret) || is_part(secret, text);
        match !text.is_empty() && self.found.iter().any(same) {
            true => MASKED,
            false => text,
        }
    }

    /// Words of which nobody knows what they quote: hidden if there are secrets at all.
    pub(super) fn quoting<'t>(&self, text: &'t str) -> &'t str {
        if self.found.is_empty() { text } else { MASKED }
    }

    fn hide(&mut self, secret: String) -> &'static str {
        if !secret.is_empty() {
            self.found.push(secret);
        }
        MASKED
    }
}

/// A part of a query without its escapes; as it stands if they are malformed.
fn decoded(text: &str) -> String {
    crate::text::percent_decode(text, true).unwrap_or_else(|| text.to_owned())
}

/// Whether a text stands in another, with nothing before and behind it that could belong to it: `abc` in
/// `id=abc; b=c`, not in `Bearer xabc`.
fn is_part(whole: &str, part: &str) -> bool {
    whole.match_indices(part).any(|(at, _)| {
        let before = whole[..at].chars().next_back();
        let behind = whole[at + part.len()..].chars().next();
        !before.into_iter().chain(behind).any(char::is_alphanumeric)
    })
}

/// The text before a character, and the rest with it.
fn cut(text: &str, at: char) -> (&str, &str) {
    text.split_at(text.find(at).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests;
