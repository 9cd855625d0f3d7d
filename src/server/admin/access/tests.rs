//! Who is let in, as tables.

use super::*;

fn visitor(peer: &str, host: &str) -> Visitor {
    let some = |text: &str| {
        if text.is_empty() {
            Vec::new()
        } else {
            vec![text.to_owned()]
        }
    };
    Visitor {
        peer: peer.parse().unwrap(),
        hosts: some(host),
        origins: Vec::new(),
        sites: Vec::new(),
        authorizations: Vec::new(),
    }
}

fn open() -> Admin {
    Admin::default()
}

fn closed() -> Admin {
    Admin {
        token: Some(Token::new("s3cret").unwrap()),
        ..Admin::default()
    }
}

fn status(admin: &Admin, visitor: &Visitor, host: &str) -> u16 {
    admin
        .admit(visitor, host)
        .map_or_else(|denied| denied.status, |()| 200)
}

const HERE: &str = "127.0.0.1:5000";

#[test]
fn without_a_token_only_this_machine_may() {
    for (peer, expected) in [
        ("127.0.0.1:1", 200),
        ("127.8.9.1:1", 200),
        ("[::1]:1", 200),
        ("[::ffff:127.0.0.1]:1", 200),
        ("192.168.1.5:1", 403),
        ("[::ffff:192.168.1.5]:1", 403),
        ("[fe80::1]:1", 403),
        ("0.0.0.0:1", 403),
        ("[::]:1", 403),
    ] {
        assert_eq!(
            status(&open(), &visitor(peer, "localhost"), "127.0.0.1"),
            expected,
            "{peer}"
        );
    }
}

#[test]
fn the_host_must_surely_be_this_machine() {
    for (host, listening, expected) in [
        ("localhost", "127.0.0.1", 200),
        ("LOCALHOST:4043", "127.0.0.1", 200),
        ("127.0.0.1:4043", "127.0.0.1", 200),
        ("127.1.2.3", "127.0.0.1", 200),
        ("[::1]:4043", "127.0.0.1", 200),
        ("[::ffff:127.0.0.1]", "127.0.0.1", 200),
        ("mock.test", "mock.test", 200),
        ("Mock.Test:80", "mock.test", 200),
        ("10.0.0.5:80", "10.0.0.5", 200),
        ("mock.test", "127.0.0.1", 403),
        ("", "127.0.0.1", 403),
        ("localhost.evil.test", "127.0.0.1", 403),
        ("evil.test:4043", "127.0.0.1", 403),
        ("localhost@evil.test", "127.0.0.1", 403),
        ("evil.test#localhost", "127.0.0.1", 403),
        ("localhost:", "127.0.0.1", 403),
        ("localhost:80x", "127.0.0.1", 403),
        ("localhost.", "127.0.0.1", 403),
        ("0.0.0.0:4043", "0.0.0.0", 403),
        ("[::]:4043", "::", 403),
        ("::1", "127.0.0.1", 403),
        ("[127.0.0.1]", "127.0.0.1", 403),
        ("127.0.0.1.evil.test", "127.0.0.1", 403),
        ("0x7f.1", "127.0.0.1", 403),
        ("2130706433", "127.0.0.1", 403),
    ] {
        assert_eq!(
            status(&open(), &visitor(HERE, host), listening),
            expected,
            "{host}"
        );
    }
    let mut two = visitor(HERE, "localhost");
    two.hosts.push("evil.test".into());
    assert_eq!(status(&open(), &two, "127.0.0.1"), 403);
}

#[test]
fn pages_of_other_origins_may_never() {
    for (origin, site, expected) in [
        ("", "", 200),
        ("http://localhost:4043", "same-origin", 200),
        ("https://LOCALHOST:4043", "", 200),
        ("", "none", 200),
        ("", "same-origin", 200),
        ("", "same-site", 403),
        ("", "cross-site", 403),
        ("", "anything", 403),
        ("null", "", 403),
        ("http://localhost:3000", "", 403),
        ("http://localhost", "", 403),
        ("http://evil.test", "", 403),
        ("http://localhost:4043.evil.test", "", 403),
        ("ftp://localhost:4043", "", 403),
        ("localhost:4043", "", 403),
    ] {
        for admin in [open(), closed()] {
            let mut visitor = visitor(HERE, "localhost:4043");
            visitor.authorizations.push("Bearer s3cret".into());
            visitor
                .origins
                .extend((!origin.is_empty()).then(|| origin.to_owned()));
            visitor.sites.extend((!site.is_empty()).then(|| site.to_owned()));
            assert_eq!(status(&admin, &visitor, "127.0.0.1"), expected, "{origin} {site}");
        }
    }
    let mut two = visitor(HERE, "localhost:4043");
    two.origins = vec!["http://localhost:4043".into(), "http://evil.test".into()];
    assert_eq!(status(&open(), &two, "127.0.0.1"), 403);
}

#[test]
fn with_a_token_whoever_knows_it_may() {
    for (authorizations, expected) in [
        (vec![], 401),
        (vec!["Bearer s3cret"], 200),
        (vec!["bearer s3cret"], 200),
        (vec!["Bearer  s3cret"], 200),
        (vec!["Bearer s3cre"], 401),
        (vec!["Bearer s3cret2"], 401),
        (vec!["Bearer S3CRET"], 401),
        (vec!["Bearer "], 401),
        (vec!["Basic s3cret"], 401),
        (vec!["s3cret"], 401),
        (vec!["Bearer wrong", "Bearer s3cret"], 401),
    ] {
        for (peer, host) in [(HERE, "localhost"), ("192.168.1.5:1", "mock.test"), (HERE, "")] {
            let mut visitor = visitor(peer, host);
            visitor.authorizations = authorizations.iter().map(|a| (*a).to_owned()).collect();
            assert_eq!(
                status(&closed(), &visitor, "0.0.0.0"),
                expected,
                "{authorizations:?} {peer}"
            );
        }
    }
}

#[test]
fn a_token_can_stand_in_a_header_and_is_not_shown() {
    for text in ["", "a b", "a\n", "ä", &"x".repeat(1001)] {
        assert!(Token::new(text).is_err(), "{text}");
    }
    assert_eq!(format!("{:?}", Token::new("s3cret").unwrap()), "Token(***)");
}
