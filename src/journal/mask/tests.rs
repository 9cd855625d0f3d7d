use super::*;

#[test]
fn names_are_secret_in_any_spelling() {
    for name in [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "set-cookie",
        "X-Api-Key",
        "api-key",
        "x-auth-token",
        "X-CSRF-Token",
        "x-client-secret",
        "x-password",
        "X-Auth-Key",
        "x-goog-api-key",
        "x-signature",
        "X-Forwarded-Authorization",
        "X-Session-Id",
        "x-jwt",
    ] {
        assert!(is_secret_header(name), "{name}");
    }
    for name in [
        "accept",
        "host",
        "content-type",
        "last-event-id",
        "idempotency-key",
        "sec-websocket-key",
        "author",
    ] {
        assert!(!is_secret_header(name), "{name}");
    }
    for name in [
        "key",
        "api_key",
        "apiKey",
        "token",
        "access_token",
        "refreshToken",
        "secret",
        "client_secret",
        "password",
        "PASSWORD",
        "sig",
        "signature",
        "X-Amz-Signature",
        "auth",
        "a[token]",
        "token[]",
        "user[password][old]",
        "passwords",
        "sessionid",
        "jwt",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in [
        "keys",
        "monkey",
        "max_tokens",
        "tokens",
        "author",
        "design",
        "q",
        "",
    ] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn only_secrets_change_in_targets() {
    for (given, expected) in [
        ("/sse", "/sse"),
        ("/sse?", "/sse?"),
        ("/token=1", "/token=1"),
        ("/sse?a=%20+1&b&=c&", "/sse?a=%20+1&b&=c&"),
        ("/sse?token=abc", "/sse?token=***"),
        ("/sse?a=1&token=abc&b=2", "/sse?a=1&token=***&b=2"),
        ("/sse?token=abc&token=def", "/sse?token=***&token=***"),
        ("/sse?t%6Fken=abc", "/sse?t%6Fken=***"),
        ("/sse?%ZZ-token=%ZZ", "/sse?%ZZ-token=***"),
        ("/sse?token=&token", "/sse?token=&token"),
        ("/sse?token=a=b?c", "/sse?token=***"),
        ("/sse?token=a;b&c=d", "/sse?token=***&c=d"),
        ("/sse?a=1;sig=b;c=d", "/sse?a=1;sig=***"),
        ("/sse?a=1#access_token=b", "/sse?a=1#access_token=***"),
        ("https://h/p?key=1", "https://h/p?key=***"),
        ("https://me:pw@h:1/p", "https://me:***@h:1/p"),
        ("https://me:p@w@h", "https://me:***@h"),
        ("https://me@h/a:b@c", "https://me@h/a:b@c"),
        ("/go/http://a:b@c", "/go/http://a:b@c"),
    ] {
        assert_eq!(target(given), expected);
        assert_eq!(target(expected), expected);
    }
}

#[test]
fn headers_are_hidden_by_name_and_urls_in_part() {
    for (name, value, expected) in [
        ("authorization", "Bearer abc", "***"),
        ("cookie", "", "***"),
        ("accept", "token=1", "token=1"),
        ("referer", "http://h/?token=1&a=2", "http://h/?token=***&a=2"),
    ] {
        assert_eq!(Secrets::default().header(name, value.into()), expected, "{name}");
    }
}

fn body(media_type: &str, bytes: &[u8], truncated: bool) -> Shown {
    Secrets::default().body(Content {
        media_type,
        encoded: false,
        truncated,
        bytes,
    })
}

#[test]
fn members_of_bodies_are_hidden() {
    const JSON: &str = "application/json; charset=utf-8";
    const FORM: &str = "application/x-www-form-urlencoded";
    for (media_type, given, expected) in [
        (JSON, r#"{"token":"abc"}"#, r#"{"token":"***"}"#),
        (
            JSON,
            r#"{ "a" : 1.0e2, "token" : 12345 , "a":2 }"#,
            r#"{ "a" : 1.0e2, "token" : "***" , "a":2 }"#,
        ),
        (
            JSON,
            r#"[{"b":{"api_key":[1,"]}",{"x":"\"]"}],"c":2}}]"#,
            r#"[{"b":{"api_key":"***","c":2}}]"#,
        ),
        (JSON, r#"{"password":null}"#, r#"{"password":"***"}"#),
        (JSON, r#"{"password":""}"#, r#"{"password":"***"}"#),
        (JSON, r#"{"secret":-1e5}"#, r#"{"secret":"***"}"#),
        (
            JSON,
            r#"{"secret":{},"sig":[]}"#,
            r#"{"secret":"***","sig":"***"}"#,
        ),
        (JSON, "{\"secret\"\n:\ttrue\r\n}", "{\"secret\"\n:\t\"***\"\r\n}"),
        (JSON, r#"{"to\u006ben":"a\"b"}"#, r#"{"to\u006ben":"***"}"#),
        (
            JSON,
            r#"{"a\"token":1,"☃":"token"}"#,
            r#"{"a\"token":"***","☃":"token"}"#,
        ),
        ("application/vnd.api+json", r#"{"key":1}"#, r#"{"key":"***"}"#),
        ("text/plain;charset=UTF-8", r#" {"key":1}"#, r#" {"key":"***"}"#),
        ("", r#"{"key":1}"#, r#"{"key":"***"}"#),
        (FORM, "user=me&password=a%20b&c=d", "user=me&password=***&c=d"),
        ("", "password=x", "password=***"),
    ] {
        let shown = Shown::Text(expected.to_owned());
        assert_eq!(
            body(media_type, given.as_bytes(), false),
            shown,
            "{media_type}: {given}"
        );
    }
}

#[test]
fn bodies_without_secrets_stay_and_those_that_cannot_be_read_are_hidden() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    for (media_type, bytes, truncated, expected) in [
        (
            "application/json",
            &br#"{ "max_tokens":1.50,"a":["token"] }"#[..],
            false,
            Shown::Same,
        ),
        ("application/json", b"12", false, Shown::Same),
        ("application/json", br#"{"a":1}"#, true, Shown::Nothing),
        ("application/json", br#"{"token":"a"#, false, Shown::Nothing),
        ("application/json", b"{\"token\":\"\xff\"}", false, Shown::Nothing),
        ("application/json", deep.as_bytes(), false, Shown::Same),
        (
            "application/x-ndjson",
            b"{\"token\":1}\n{}\n",
            false,
            Shown::Nothing,
        ),
        ("text/plain", br#"{"token":"#, true, Shown::Nothing),
        ("text/plain", b"\xEF\xBB\xBF{\"token\":1}", false, Shown::Nothing),
        ("text/plain", b"token=1", false, Shown::Same),
        ("text/plain", b"hello", true, Shown::Same),
        ("image/png", b"\xff\xd8", false, Shown::Same),
        (
            "application/x-www-form-urlencoded",
            b"token=\xff",
            false,
            Shown::Nothing,
        ),
        (
            "application/x-www-form-urlencoded",
            b"[a]=1&b=2",
            false,
            Shown::Same,
        ),
        (
            "application/x-www-form-urlencoded",
            b"a=1&token=x",
            true,
            Shown::Text("a=1&token=***".into()),
        ),
        ("multipart/form-data; boundary=x", b"--x--", false, Shown::Nothing),
    ] {
        let given = String::from_utf8_lossy(bytes);
        assert_eq!(
            body(media_type, bytes, truncated),
            expected,
            "{media_type}: {given}"
        );
    }
}

#[test]
fn what_is_made_of_a_secret_is_hidden_too() {
    let mut secrets = Secrets::default();
    secrets.header("authorization", "Bearer abc".into());
    secrets.header("cookie", "id=d==; a=b".into());
    for (client, expected) in [
        ("", ""),
        ("127.0.0.1", "127.0.0.1"),
        ("c", "c"),
        ("bc", "bc"),
        ("abc", "***"),
        ("b", "***"),
        ("d==", "***"),
        ("xBearer abcx", "***"),
    ] {
        assert_eq!(secrets.derived(client), expected);
    }
    assert_eq!(secrets.quoting("a reason"), "***");
    assert_eq!(Secrets::default().quoting("a reason"), "a reason");
}

proptest::proptest! {
    /// Whatever it is, the masked document is valid, and nothing secret is left in it.
    #[test]
    fn masked_json_is_json(text in r#"(\{|\}|\[|\]|,|:|"token"|"a"|"\\""|"S"|1| ){0,16}"#) {
        let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        match body("application/json", text.as_bytes(), false) {
            Shown::Nothing => proptest::prop_assert!(!valid),
            Shown::Same => proptest::prop_assert!(valid),
            Shown::Text(masked) => {
                let again = body("application/json", masked.as_bytes(), false);
                proptest::prop_assert!(valid && masked.contains(r#""***""#));
                proptest::prop_assert_eq!(again, Shown::Same);
            }
        }
    }
}
