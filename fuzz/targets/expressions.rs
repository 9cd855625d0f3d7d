//! Any text as a template and as a condition: it renders within its bounds, or it is told why not.

use std::sync::Arc;

use mock_sse::expr::{Builder, Moment, NoState, NoTopics, RequestScope, Text, to_json};
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::request::Request;

fn scope() -> RequestScope {
    let mut request = Request::example("POST", "/a/b");
    request.query = Some("q=%E2%98%83%ff&l[]=1&l[]=2".into());
    request.body = r#"{"a": [1, 2.5, null], "b": {"c": "d"}}"#.into();
    let key = DrawKey::first("POST /a/b#0");
    let draw = Draw::new(1, &key, Purpose::Data);
    let names = vec![("room".into(), "r1".into())];
    let (topics, state) = (Arc::new(NoTopics), Arc::new(NoState));
    RequestScope::new(Arc::new(request), to_vars(), 1, names, draw, topics, state)
}

fn to_vars() -> minijinja::Value {
    minijinja::Value::from_iter([("model", "m1")])
}

pub fn run(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else {
        return;
    };
    let names = ["room".to_owned()];
    let mut builder = Builder::new(vec!["model".into()]);
    let text = builder.text(source, &names);
    let condition = builder.condition(source, &names);
    let all = builder.finish();
    if let Ok(text) = text {
        let rendered = all.text(&text, &scope(), Moment::default());
        assert_eq!(
            rendered,
            all.text(&text, &scope(), Moment::default()),
            "the same seed, the same text"
        );
        let (usual, machine) = (scope(), scope());
        let text_of = |text: &Text, scope| all.text(text, scope, Moment::default());
        assert_eq!(
            text_of(&text, &usual),
            text_of(&text.clone().by_the_machine(), &machine),
            "whoever renders it"
        );
        assert_eq!(usual.draws().bits(), machine.draws().bits(), "whoever draws");
        assert_eq!(usual.spent(), machine.spent(), "whoever takes the steps");
    }
    if let Ok(condition) = condition {
        let _ = all.holds(&condition, &scope(), Moment::default());
        if let Ok(value) = all.value(&condition, &scope(), Moment::default()) {
            let _ = to_json(&value);
        }
    }
}
