//! Any events in any style, cut anywhere: a client gets them as they are.

#[path = "../../tests/parser/expected.rs"]
mod expected;
#[path = "../../tests/parser/mod.rs"]
mod parser;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use expected::{expected, outcome};
use mock_sse::event::Event;
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::wire::{Eol, Inside, SplitAt, Style, encode, split};
use parser::Parser;

type Value = Option<Vec<u8>>;

#[derive(Debug, Arbitrary)]
struct Input {
    events: Vec<(Value, Value, Value, Value, Option<u64>)>,
    eol: u8,
    space: bool,
    order: [u8; 4],
    bom: bool,
    at: Vec<u16>,
    every: u8,
    random: (u8, u8),
}

impl Input {
    fn style(&self) -> Style {
        let mut order = Style::STANDARD.order;
        let fields = order.len();
        for (place, with) in self.order.iter().enumerate() {
            order.swap(place, usize::from(*with) % fields);
        }
        let eol = [Eol::Lf, Eol::Crlf, Eol::Cr][usize::from(self.eol) % 3];
        Style {
            eol,
            space: self.space,
            order,
        }
    }

    fn events(&self) -> Vec<Event> {
        let bytes = |value: &Value| value.clone().map(Bytes::from);
        let event = |(comment, event, data, id, retry): &(Value, Value, Value, Value, Option<u64>)| Event {
            comment: bytes(comment),
            event: bytes(event),
            data: bytes(data),
            id: bytes(id),
            retry: *retry,
        };
        self.events.iter().map(event).collect()
    }

    fn splits(&self) -> [SplitAt; 6] {
        [
            SplitAt::At(self.at.iter().map(|at| usize::from(*at)).collect()),
            SplitAt::Every(self.every.into()),
            SplitAt::Random {
                low: self.random.0.into(),
                high: self.random.1.into(),
            },
            SplitAt::Inside(Inside::Utf8),
            SplitAt::Inside(Inside::Crlf),
            SplitAt::Inside(Inside::Bom),
        ]
    }
}

pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    let (style, events) = (input.style(), input.events());
    let mut bytes: Vec<u8> = if input.bom {
        b"\xef\xbb\xbf".into()
    } else {
        Vec::new()
    };
    events
        .iter()
        .for_each(|event| bytes.extend(encode(event, &style)));
    let expected = outcome(expected(&events));
    let key = DrawKey::first("");
    assert_eq!(outcome(Parser::parse(&bytes)), expected);
    for how in input.splits() {
        let mut parser = Parser::default();
        let mut next = 0;
        for piece in split(&bytes, &how, &mut Draw::new(1, &key, Purpose::Wire)) {
            assert!(piece.start == next && piece.end > next, "{how:?}");
            next = piece.end;
            parser.feed(&bytes[piece]);
        }
        assert_eq!(next, bytes.len(), "{how:?}");
        assert_eq!(outcome(parser), expected, "{how:?}");
    }
}
