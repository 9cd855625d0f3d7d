//! Any text as a scenario file: it loads, or it is told why not; nothing else.

use std::sync::Arc;

use mock_sse::scenario::compile;
use mock_sse::scenario::diagnostic::Source;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let source = Arc::new(Source::new("fuzz.yaml", text.to_owned()));
    if let Err(errors) = compile(&[source]) {
        assert!(!errors.is_empty());
        for error in errors {
            assert!(!error.message.is_empty());
            let _ = error.render(false);
        }
    }
}
