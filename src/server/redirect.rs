//! `--redirect-https`: where a cleartext request is sent instead.

use poem::{
    Response,
    http::{HeaderValue, Method, StatusCode, header},
};

/// The answer to a cleartext request, or `None` where cleartext is served (`/__mock/*`).
///
/// `host` is the `Host` field or the authority asked for, `target` path and query. GET and HEAD are
/// moved for good (301); other methods keep method and body (307). The port asked for is kept: one
/// port speaks both. `port` stands in when the client named none.
pub fn redirect(method: &Method, host: Option<&str>, target: &str, port: u16) -> Option<Response> {
    let path = target.split('?').next().unwrap_or(target);
    if path == "/__mock" || path.starts_with("/__mock/") {
        return None;
    }
    let host = host.filter(|h| !h.is_empty()).unwrap_or("localhost");
    let target = if target.starts_with('/') { target } else { "/" };
    let authority = if names_port(host) {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    let location = HeaderValue::from_str(&format!("https://{authority}{target}")).ok()?;
    let moved = *method == Method::GET || *method == Method::HEAD;
    let status = if moved {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::TEMPORARY_REDIRECT
    };
    let mut response = Response::builder().status(status).finish();
    response.headers_mut().insert(header::LOCATION, location);
    Some(response)
}

/// Whether `host` ends with a port; the colons inside `[::1]` are none.
fn names_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, p)| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
        && !host.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, host: Option<&str>, target: &str, expected: Option<(u16, &str)>) {
        let got = redirect(&method, host, target, 4043).map(|r| {
            (
                r.status().as_u16(),
                r.headers()["location"].to_str().unwrap().to_owned(),
            )
        });
        assert_eq!(
            got,
            expected.map(|(s, l)| (s, l.to_owned())),
            "{method} {host:?} {target}"
        );
    }

    #[test]
    fn cleartext_is_sent_to_the_same_port() {
        let get = Method::GET;
        check(
            get.clone(),
            Some("a:99"),
            "/x?y=1",
            Some((301, "https://a:99/x?y=1")),
        );
        check(get.clone(), Some("a"), "/", Some((301, "https://a:4043/")));
        check(
            get.clone(),
            Some("[::1]"),
            "/",
            Some((301, "https://[::1]:4043/")),
        );
        check(get.clone(), Some("[::1]:5"), "/", Some((301, "https://[::1]:5/")));
        check(get.clone(), None, "*", Some((301, "https://localhost:4043/")));
        check(Method::HEAD, Some("a:1"), "/", Some((301, "https://a:1/")));
        check(Method::POST, Some("a:1"), "/p", Some((307, "https://a:1/p")));
        check(get.clone(), Some("a:1"), "/__mock/health", None);
        check(get, Some("a:1"), "/__mocked", Some((301, "https://a:1/__mocked")));
    }
}
