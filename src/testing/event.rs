//! Events as a test writes them.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::control::Time;
use crate::control::event::{EventWish, Word};
use crate::event::Event;
use crate::text::from_bytes;

/// The data of an event that has nothing else.
impl From<&str> for EventWish {
    fn from(data: &str) -> EventWish {
        EventWish::of_data(data.to_owned())
    }
}

/// The data of an event that has nothing else.
impl From<String> for EventWish {
    fn from(data: String) -> EventWish {
        EventWish::of_data(data)
    }
}

/// The data of an event that has nothing else: a text as it is, anything else as JSON in one line.
impl From<Json> for EventWish {
    fn from(data: Json) -> EventWish {
        EventWish {
            data: Some(data),
            ..EventWish::default()
        }
    }
}

impl From<Event> for EventWish {
    fn from(event: Event) -> EventWish {
        let text = |bytes: Bytes| from_bytes(&bytes);
        let word = |field: Option<Bytes>| field.map(text).map(Word);
        EventWish {
            event: word(event.event),
            id: word(event.id),
            data: event.data.map(text).map(Json::String),
            retry: event.retry.map(|ms| Time(std::time::Duration::from_millis(ms))),
            comment: word(event.comment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_through_whatever_its_bytes() {
        let event = Event {
            comment: Some("a comment".into()),
            event: Some("tick".into()),
            data: Some(Bytes::from_static(b"one\ntwo \xff")),
            id: Some("7".into()),
            retry: Some(250),
        };
        let said = EventWish::from(event);
        assert_eq!(said.retry, Some(Time(std::time::Duration::from_millis(250))));
        let Some(Json::String(data)) = said.data else {
            panic!()
        };
        assert_eq!(&crate::text::to_bytes(&data)[..], b"one\ntwo \xff");
        let words = [said.event, said.id, said.comment].map(|word| word.unwrap().0);
        assert_eq!(words, ["tick", "7", "a comment"]);
    }
}
