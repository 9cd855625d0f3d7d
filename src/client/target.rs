//! Addresses.

use http::Uri;

use super::ClientError;

/// An `http://` or `https://` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is `https`.
    pub tls: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    /// Given, or the scheme's.
    pub port: u16,
    /// Host and port as they stand in the `Host` header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads an absolute URL; the port is the scheme's if none is given.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Url {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("name and password belong in a header"));
        }
        let host = authority.host();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query may follow the host at once (RFC 3986 §3.3); a request has a path in any case.
        let root = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.to_string(),
            path: format!("{root}{path}"),
        })
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (url, tls, host, port, authority, path) in [
            (
                "http://127.0.0.1:4043/sse?a=b",
                false,
                "127.0.0.1",
                4043,
                "127.0.0.1:4043",
                "/sse?a=b",
            ),
            ("https://localhost", true, "localhost", 443, "localhost", "/"),
            ("http://h?a=b", false, "h", 80, "h", "/?a=b"),
            ("http://[::1]:80/x", false, "::1", 80, "[::1]:80", "/x"),
        ] {
            let target = Target::parse(url).unwrap();
            let got = (
                target.tls,
                &*target.host,
                target.port,
                &*target.authority,
                &*target.path,
            );
            assert_eq!(got, (tls, host, port, authority, path));
        }
        for bad in [
            "ftp://x/",
            "/sse",
            "localhost:4043",
            "",
            "http://a:b@c/",
            "http://",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
