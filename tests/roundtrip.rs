//! Whatever goes out as an event comes in as that event: through any style, split and line end.

#[path = "parser/expected.rs"]
mod expected;
mod parser;

use bytes::Bytes;
use expected::{expected, outcome};
use mock_sse::event::Event;
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::wire::{Eol, Field, Inside, SplitAt, Style, encode, split};
use parser::Parser;
use proptest::prelude::*;

const BOM: &[u8] = b"\xef\xbb\xbf";

fn bytes_of(events: &[Event], style: &Style, bom: bool) -> Vec<u8> {
    let mut out = if bom { BOM.to_vec() } else { Vec::new() };
    events.iter().for_each(|event| out.extend(encode(event, style)));
    out
}

fn check(events: &[Event], style: &Style, bom: bool) {
    let bytes = bytes_of(events, style, bom);
    let expected = outcome(expected(events));
    assert_eq!(outcome(Parser::parse(&bytes)), expected, "{bytes:?}");
    for cut in 0..bytes.len() {
        let mut parser = Parser::default();
        parser.feed(&bytes[..cut]);
        parser.feed(&bytes[cut..]);
        assert_eq!(outcome(parser), expected, "{bytes:?} cut at {cut}");
    }
    for how in splits() {
        let mut parser = Parser::default();
        for piece in split(&bytes, &how, &mut draw()) {
            parser.feed(&bytes[piece]);
        }
        assert_eq!(outcome(parser), expected, "{bytes:?} {how:?}");
    }
}

fn splits() -> [SplitAt; 6] {
    [
        SplitAt::Every(1),
        SplitAt::At(vec![1, 2, 7]),
        SplitAt::Random { low: 1, high: 5 },
        SplitAt::Inside(Inside::Utf8),
        SplitAt::Inside(Inside::Crlf),
        SplitAt::Inside(Inside::Bom),
    ]
}

fn draw() -> Draw {
    let key = DrawKey::first("GET /#0");
    Draw::new(1, &key, Purpose::Wire)
}

/// Values made of what parsers trip over.
fn value() -> impl Strategy<Value = Option<Bytes>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b" ",
        b":",
        b"\0",
        b"\t",
        b"a",
        b"data: x",
        b"id: 9",
        b"retry: 1",
        b"event",
        BOM,
        b"\xe2\x98\x83",
        b"\xe2\x80\xa8",
        b"\xe2",
        b"\x98",
        b"\xff",
        b"\xc2\x85",
        b"0",
    ];
    let some = proptest::collection::vec(proptest::sample::select(pieces), 0..8)
        .prop_map(|pieces| Some(Bytes::from(pieces.concat())));
    prop_oneof![1 => Just(None), 3 => some]
}

fn event() -> impl Strategy<Value = Event> {
    let retry = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    (value(), value(), value(), value(), retry).prop_map(|(comment, event, data, id, retry)| Event {
        comment,
        event,
        data,
        id,
        retry,
    })
}

fn style() -> impl Strategy<Value = Style> {
    let eol = prop_oneof![Just(Eol::Lf), Just(Eol::Crlf), Just(Eol::Cr)];
    let order = Just(Style::STANDARD.order).prop_shuffle();
    (eol, any::<bool>(), order).prop_map(|(eol, space, order)| Style { eol, space, order })
}

proptest! {
    #[test]
    fn every_event_comes_back(events in proptest::collection::vec(event(), 1..4), style in style(), bom: bool) {
        check(&events, &style, bom);
    }
}

/// Every style there is but for the order of the fields.
fn styles() -> impl Iterator<Item = Style> {
    let eols = [Eol::Lf, Eol::Crlf, Eol::Cr];
    eols.into_iter().flat_map(|eol| {
        [true, false].map(|space| Style {
            eol,
            space,
            order: Style::STANDARD.order,
        })
    })
}

#[test]
fn cases_that_clients_trip_over_come_back() {
    let none = Event::default;
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let cases = [
        // A space of its own is not the space behind the colon.
        Event {
            data: text(" a\n  b\n \n"),
            id: text(" 1"),
            event: text(" e"),
            ..none()
        },
        Event {
            comment: text(" "),
            data: text(""),
            ..none()
        },
        // Fields of nothing.
        Event {
            event: text(""),
            id: text(""),
            data: text("\n\n"),
            ..none()
        },
        // No value makes a field or an event of its own.
        Event {
            data: text("a\n\ndata: b\n\n"),
            ..none()
        },
        Event {
            event: text("e\ndata: b\n\n"),
            id: text("1\r\nretry: 9"),
            data: text("x"),
            ..none()
        },
        Event {
            comment: text("c\n\ndata: b\r\rid: 7"),
            ..none()
        },
        // An id with NUL is for clients to ignore.
        Event {
            id: text("1\0"),
            data: text("x"),
            ..none()
        },
        // Half a character at a line's end stays half a character.
        Event {
            data: Some(Bytes::from_static(b"\xe2\x98\n\x83\r\xff")),
            ..none()
        },
        Event {
            data: text("\u{feff}a"),
            event: text("\u{feff}"),
            ..none()
        },
        Event {
            retry: Some(u64::MAX),
            ..none()
        },
        none(),
    ];
    for style in styles() {
        for bom in [false, true] {
            cases
                .iter()
                .for_each(|event| check(std::slice::from_ref(event), &style, bom));
            check(&cases, &style, bom);
        }
    }
}

#[test]
fn nothing_injects_a_field_or_an_event() {
    let attack = Bytes::from_static(b"x\r\ndata: y\r\rid: 9\n\nretry: 5\n\n: c");
    let event = Event {
        comment: Some(attack.clone()),
        event: Some(attack.clone()),
        data: Some(attack.clone()),
        id: Some(attack),
        retry: None,
    };
    for style in styles() {
        let client = Parser::parse(&encode(&event, &style));
        let [event] = &client.events[..] else {
            panic!("one event and no more: {client:?}");
        };
        let line = "x  data: y  id: 9  retry: 5  : c";
        assert_eq!((event.kind.as_str(), event.id.as_str()), (line, line));
        assert_eq!(event.data, "x\ndata: y\n\nid: 9\n\nretry: 5\n\n: c");
        assert_eq!(client.retry, None);
    }
}

#[test]
fn a_field_that_an_order_leaves_out_is_not_written() {
    let event = Event {
        data: Some("x".into()),
        id: Some("1".into()),
        ..Event::default()
    };
    let style = Style {
        order: [Field::Data; 5],
        ..Style::STANDARD
    };
    assert_eq!(
        encode(&event, &style),
        b"data: x\n"
            .repeat(5)
            .into_iter()
            .chain(*b"\n")
            .collect::<Vec<_>>()
    );
}
