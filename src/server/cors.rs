//! Cross-origin headers (Fetch standard, §3.3): pure, from policy and request to header fields.

use crate::engine::Head;
use crate::request::Request;
use crate::scenario::model::{CorsPolicy, OriginRule};

/// Adds the cross-origin headers to an answer; those that the scenario set itself stand.
///
/// `methods`: the ones to allow when the request is a preflight that no endpoint answers itself.
pub fn apply(policy: &CorsPolicy, request: &Request, methods: Option<&[String]>, head: &mut Head) {
    let open = policy.origins.contains(&OriginRule::Any) && !policy.credentials;
    if !open {
        add_vary(head, "Origin");
    }
    let Some(origin) = request.header("origin") else {
        return;
    };
    if !allowed(policy, origin) {
        return;
    }
    set(
        head,
        "access-control-allow-origin",
        if open { b"*" } else { origin },
    );
    if policy.credentials {
        set(head, "access-control-allow-credentials", b"true");
    }
    match (methods, request.header("access-control-request-method")) {
        (Some(methods), Some(asked)) => preflight(policy, request, methods, asked, head),
        _ if !policy.expose.is_empty() => {
            set(
                head,
                "access-control-expose-headers",
                policy.expose.join(", ").as_bytes(),
            );
        }
        _ => {}
    }
}

fn preflight(policy: &CorsPolicy, request: &Request, methods: &[String], asked: &[u8], head: &mut Head) {
    let mut methods = methods.to_vec();
    // A method that the path does not take is allowed too, so that the page gets to see the 405.
    let asked = String::from_utf8_lossy(asked).into_owned();
    if !methods.contains(&asked) {
        methods.push(asked);
    }
    set(
        head,
        "access-control-allow-methods",
        methods.join(", ").as_bytes(),
    );
    if let Some(headers) = request.header("access-control-request-headers") {
        set(head, "access-control-allow-headers", headers);
    }
    set(
        head,
        "access-control-max-age",
        policy.max_age.as_secs().to_string().as_bytes(),
    );
    add_vary(head, "Access-Control-Request-Method");
    add_vary(head, "Access-Control-Request-Headers");
}

fn set(head: &mut Head, name: &str, value: &[u8]) {
    head.push_unless_said(name, value);
}

fn add_vary(head: &mut Head, field: &str) {
    match head
        .headers
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case("vary"))
    {
        Some((_, value)) => {
            let old = String::from_utf8_lossy(value).into_owned();
            if !old
                .split(',')
                .any(|f| f.trim().eq_ignore_ascii_case(field) || f.trim() == "*")
            {
                *value = format!("{old}, {field}").into();
            }
        }
        None => head.push_unless_said("vary", field),
    }
}

fn allowed(policy: &CorsPolicy, origin: &[u8]) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else {
        return false;
    };
    let origin = origin.to_lowercase();
    policy.origins.iter().any(|rule| match rule {
        OriginRule::Any => true,
        OriginRule::Pattern { prefix, suffix: None } => origin == *prefix,
        OriginRule::Pattern {
            prefix,
            suffix: Some(suffix),
        } => {
            let inner = origin
                .strip_prefix(prefix.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()));
            // A subdomain has at least a letter and no slash; a port is digits alone.
            inner.is_some_and(|inner| match suffix.is_empty() {
                true => !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()),
                false => {
                    !inner.is_empty()
                        && inner
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
                }
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str], credentials: bool) -> CorsPolicy {
        let rule = |text: &&str| match text.split_once('*') {
            Some(("", "")) => OriginRule::Any,
            Some((prefix, suffix)) => OriginRule::Pattern {
                prefix: prefix.into(),
                suffix: Some(suffix.into()),
            },
            None => OriginRule::Pattern {
                prefix: text.to_string(),
                suffix: None,
            },
        };
        CorsPolicy {
            origins: origins.iter().map(rule).collect(),
            credentials,
            ..CorsPolicy::default()
        }
    }

    fn headers(policy: &CorsPolicy, request: &[(&str, &str)], methods: Option<&[String]>) -> String {
        let mut message = Request::example("GET", "/");
        for (name, value) in request {
            message
                .headers
                .push(((*name).into(), bytes::Bytes::copy_from_slice(value.as_bytes())));
        }
        let mut head = Head::new(200, None);
        apply(policy, &message, methods, &mut head);
        let text = |(n, v): &(String, bytes::Bytes)| format!("{n}: {}", String::from_utf8_lossy(v));
        head.headers.iter().map(text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn origins_match_exactly_or_by_their_wildcard() {
        for (rule, origin, expected) in [
            ("http://localhost:3000", "http://localhost:3000", true),
            ("http://localhost:3000", "http://LOCALHOST:3000", true),
            ("http://localhost:3000", "http://localhost:30001", false),
            ("http://localhost:*", "http://localhost:5173", true),
            ("http://localhost:*", "http://localhost", false),
            ("http://localhost:*", "http://localhost:1.evil.com", false),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://evil.com/.example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("*", "null", true),
            ("null", "null", true),
        ] {
            assert_eq!(
                allowed(&policy(&[rule], false), origin.as_bytes()),
                expected,
                "{rule} {origin}"
            );
        }
    }

    #[test]
    fn others_get_no_headers_but_the_answer_varies() {
        let policy = policy(&["http://a.test"], true);
        assert_eq!(
            headers(&policy, &[("origin", "http://b.test")], None),
            "vary: Origin"
        );
        assert_eq!(headers(&policy, &[], None), "vary: Origin");
        assert_eq!(
            headers(&policy, &[("origin", "http://a.test")], None),
            "vary: Origin\naccess-control-allow-origin: http://a.test\naccess-control-allow-credentials: true"
        );
    }

    #[test]
    fn a_preflight_gets_what_it_asks_for() {
        let asked = [
            ("origin", "http://a.test"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type, x-a"),
        ];
        let methods = ["GET".to_owned(), "POST".to_owned()];
        assert_eq!(
            headers(&policy(&["*"], false), &asked, Some(&methods)),
            "access-control-allow-origin: *\naccess-control-allow-methods: GET, POST, PUT\n\
             access-control-allow-headers: content-type, x-a\naccess-control-max-age: 0\n\
             vary: Access-Control-Request-Method, Access-Control-Request-Headers"
        );
    }
}
