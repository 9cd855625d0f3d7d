//! Event streams, and what the HTML standard makes of them.

/// A stream, what comes out of it as `kind|data|id`, the last event id and the reconnection time.
pub type Case = (
    &'static str,
    &'static [u8],
    &'static [&'static str],
    &'static str,
    Option<&'static str>,
);

/// Byte streams that clients trip over, with the standard's own examples.
pub const CASES: &[Case] = &[
    // The standard's own examples.
    (
        "stock",
        b"data: YHOO\ndata: +2\ndata: 10\n\n",
        &["message|YHOO\n+2\n10|"],
        "",
        None,
    ),
    (
        "four blocks",
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        &[
            "message|first event|1",
            "message|second event|",
            "message| third event|",
        ],
        "",
        None,
    ),
    (
        "two events and an unfinished one",
        b"data\n\ndata\ndata\n\ndata:",
        &["message||", "message|\n|"],
        "",
        None,
    ),
    (
        "an optional space",
        b"data:test\n\ndata: test\n\n",
        &["message|test|", "message|test|"],
        "",
        None,
    ),
    // Line ends, byte order marks.
    (
        "every line end",
        b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r\ndata: e\n\n",
        &["message|a\nb\nc|", "message|d|", "message|e|"],
        "",
        None,
    ),
    (
        "leading blank lines",
        b"\n\r\n\rdata: a\n\n",
        &["message|a|"],
        "",
        None,
    ),
    (
        "a byte order mark",
        b"\xef\xbb\xbfdata: a\n\n",
        &["message|a|"],
        "",
        None,
    ),
    (
        "two byte order marks",
        b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n",
        &["message|b|"],
        "",
        None,
    ),
    (
        "a byte order mark later on",
        b"\n\xef\xbb\xbfdata: a\n\ndata: \xef\xbb\xbfb\n\n",
        &["message|\u{feff}b|"],
        "",
        None,
    ),
    (
        "half a byte order mark",
        b"\xef\xbbdata: a\n\ndata: b\n\n",
        &["message|b|"],
        "",
        None,
    ),
    // Fields.
    (
        "names that are none",
        b"Data: a\ndata : b\n data: c\ndatabase: d\n\0data: e\n:data: f\ndata: g\n\n",
        &["message|g|"],
        "",
        None,
    ),
    (
        "spaces and tabs",
        b"data:  two\ndata:\ttab\ndata: a:b\n\n",
        &["message| two\n\ttab\na:b|"],
        "",
        None,
    ),
    (
        "no data, no event",
        b"event: a\nid: 1\n\ndata: b\n\n",
        &["message|b|1"],
        "1",
        None,
    ),
    (
        "kinds",
        b"event: a\nevent: b\ndata: 1\n\nevent:\ndata: 2\n\nevent\ndata: 3\n\n",
        &["b|1|", "message|2|", "message|3|"],
        "",
        None,
    ),
    // Comments.
    (
        "comments",
        b":\n: a\n:\0\ndata: x\n:b\n\n: unfinished",
        &["message|x|"],
        "",
        None,
    ),
    // Ids.
    (
        "an id stays until the next",
        b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: \xc3\xa9\ndata: d\n\n",
        &["message|a|1", "message|b|1", "message|c|", "message|d|é"],
        "é",
        None,
    ),
    (
        "an id with NUL is ignored",
        b"id: 1\nid: 2\0\ndata: a\n\n",
        &["message|a|1"],
        "1",
        None,
    ),
    (
        "an id in a block cut by the end",
        b"id: 1\ndata: a\n\nid: 2\ndata: b\n",
        &["message|a|1"],
        "1",
        None,
    ),
    // Reconnection times.
    (
        "retry",
        b"retry: 007\nretry: 1000x\nretry: -1\nretry: 1.5\nretry:\nretry: \xd9\xa1\nretry:  3\n\n",
        &[],
        "",
        Some("007"),
    ),
    ("retry counts at once", b"retry: 0\n", &[], "", Some("0")),
    // Bytes.
    (
        "no UTF-8",
        b"data: \xff\xe2\x98 \xe2\x98\x83\0\ndata: \xe2\x98\n\n",
        &["message|\u{fffd}\u{fffd} ☃\0\n\u{fffd}|"],
        "",
        None,
    ),
    (
        "line separators are no line ends",
        b"data: a\xe2\x80\xa8b\x0b\x0c\xc2\x85c\n\n",
        &["message|a\u{2028}b\x0b\x0c\u{85}c|"],
        "",
        None,
    ),
    ("nothing", b"", &[], "", None),
    (
        "no blank line at the end",
        b"data: a\n\ndata: b\n",
        &["message|a|"],
        "",
        None,
    ),
];
