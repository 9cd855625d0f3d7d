//! The tests' own parser reads event streams as the HTML standard says (§9.2.5, §9.2.6).

#[path = "parser/cases.rs"]
mod cases;
mod parser;

use cases::CASES;
use parser::{Dispatched, Parser};

fn shown(event: &Dispatched) -> String {
    format!("{}|{}|{}", event.kind, event.data, event.id)
}

#[test]
fn streams_are_read_as_the_standard_says() {
    for (name, bytes, events, id, retry) in CASES {
        let parser = Parser::parse(bytes);
        let got: Vec<String> = parser.events.iter().map(shown).collect();
        assert_eq!(got, *events, "{name}");
        assert_eq!(parser.last_event_id, *id, "{name}");
        assert_eq!(parser.retry.as_deref(), *retry, "{name}");
    }
    let comments = Parser::parse(b":\n: a\n:b\ndata: x\n\n: unfinished").comments;
    assert_eq!(comments, ["", "a", "b"]);
}

#[test]
fn it_does_not_matter_in_what_pieces_a_stream_comes() {
    for (name, bytes, ..) in CASES {
        let whole = Parser::parse(bytes);
        for cut in 0..=bytes.len() {
            let mut parser = Parser::default();
            parser.feed(&bytes[..cut]);
            parser.feed(&bytes[cut..]);
            assert_eq!(parser, whole, "{name}, cut at {cut}");
        }
        let mut parser = Parser::default();
        bytes.iter().for_each(|byte| parser.feed(&[*byte]));
        assert_eq!(parser, whole, "{name}, byte by byte");
    }
}
