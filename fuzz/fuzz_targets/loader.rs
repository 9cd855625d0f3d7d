//! Any text as a scenario file: it loads, or it is told why not; nothing else.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mock_sse::scenario::compile;
use mock_sse::scenario::diagnostic::Source;

fuzz_target!(|text: &str| {
    let source = Arc::new(Source::new("fuzz.yaml", text.to_owned()));
    if let Err(errors) = compile(&[source]) {
        assert!(!errors.is_empty());
        for error in errors {
            assert!(!error.message.is_empty());
            let _ = error.render(false);
        }
    }
});
