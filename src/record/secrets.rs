//! What nobody is to read in a recording: credentials, told by the names they come under.

/// Names that say it as a whole, without what is no letter or digit.
const WHOLE: &[&str] = &[
    "auth", "code", "jwt", "nonce", "otp", "pass", "pin", "pwd", "sid", "sig", "sign",
];
/// Parts of names that say it.
const PARTS: &[&str] = &[
    "apikey",
    "authenticationinfo",
    "authorization",
    "cookie",
    "credential",
    "passw",
    "secret",
    "session",
    "signature",
    "token",
];

/// What stands instead of a secret.
pub const HIDDEN: &str = "…";

/// Whether what comes under this name (a header's, or a query parameter's) may be a secret.
pub fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    WHOLE.contains(&name.as_str()) || name.ends_with("key") || PARTS.iter().any(|part| name.contains(part))
}

/// An address, or a path with its query, without user, password and the values of parameters that may
/// be secrets.
pub fn without_secrets(address: &str) -> String {
    let (address, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (before, query) = address.split_once('?').unwrap_or((address, ""));
    let mut out = without_user(before);
    for (mark, parameters) in [('?', query), ('#', fragment)] {
        if !parameters.is_empty() {
            out.push(mark);
            out += &parameters.split('&').map(hidden).collect::<Vec<_>>().join("&");
        }
    }
    out
}

/// The values of a query that may be secrets, as they stand.
pub fn in_query(path: &str) -> impl Iterator<Item = &str> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| names_secret(name))
        .map(|(_, value)| value)
}

fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("//") else {
        return address.to_owned();
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}//{host}{path}")
}

fn hidden(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if names_secret(name) => format!("{name}={HIDDEN}"),
        _ => parameter.to_owned(),
    }
}

/// A parameter's name may be percent-encoded.
fn names_secret(name: &str) -> bool {
    is_secret(&crate::text::percent_decode(name, true).unwrap_or_else(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_names() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "set-cookie",
            "X-API-Key",
            "key",
            "api_key",
            "access_token",
            "accessToken",
            "X-Amz-Signature",
            "Ocp-Apim-Subscription-Key",
            "password",
            "sig",
            "client_secret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "last-event-id",
            "room",
            "design",
            "x-encoded",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn addresses_lose_their_secrets_and_nothing_else() {
        for (address, expected) in [
            ("http://a:b@h:1/p?x=1&api_key=k&y", "http://h:1/p?x=1&api_key=…&y"),
            ("/p?%6bey=k", "/p?%6bey=…"),
            ("https://h", "https://h"),
            (
                "https://h/@x?a=b@c#access_token=t&b=c",
                "https://h/@x?a=b@c#access_token=…&b=c",
            ),
            ("//u@h/p", "//h/p"),
            ("/p?", "/p"),
        ] {
            assert_eq!(without_secrets(address), expected);
        }
        let found: Vec<&str> = in_query("/p?a=b&token=t1&k=c&sig=t2").collect();
        assert_eq!(found, ["t1", "t2"]);
    }
}
