//! Any bytes as what a server answers, however they are cut: `load` and `record` understand the same,
//! and what `record` would write is a scenario. The first line is the address that was asked.

use std::sync::Arc;

use mock_sse::client::Target;
use mock_sse::client::body::Progress;
use mock_sse::client::head::{self, Head};
use mock_sse::record;
use mock_sse::scenario::compile;
use mock_sse::scenario::diagnostic::Source;

pub fn run(bytes: &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (url, bytes) = (
        String::from_utf8_lossy(&bytes[..end]),
        &bytes[(end + 1).min(bytes.len())..],
    );
    if let Ok(target) = Target::parse(&url) {
        assert_eq!(Target::parse(&target.url()).ok(), Some(target), "{url:?}");
    }
    let Ok(Some((mut head, length))) = head::parse(bytes) else {
        return;
    };
    head::lines(&bytes[..length]);
    let whole = read(&mut head, &bytes[length..], usize::MAX);
    for most in [1, 2, 7] {
        let (mut again, _) = head::parse(bytes).ok().flatten().expect("the same bytes");
        assert_eq!(
            read(&mut again, &bytes[length..], most),
            whole,
            "in pieces of {most}"
        );
    }
    if let Some(yaml) = record::written(&url, bytes) {
        let source = Arc::new(Source::new("recorded.yaml", yaml.clone()));
        if let Err(errors) = compile(&[source]) {
            panic!("{yaml}\n{}", errors[0].render(false));
        }
    }
}

/// The payload, where its chunks end, and where the body does; `None`: it is none.
fn read(head: &mut Head, bytes: &[u8], most: usize) -> Option<(Vec<u8>, Option<usize>)> {
    let (mut payload, mut at) = (Vec::new(), 0);
    for piece in bytes.chunks(most) {
        match head.body.feed(piece, |more| payload.extend_from_slice(more)) {
            Ok(Progress::Open) => at += piece.len(),
            Ok(Progress::Complete(n)) => return Some((payload, Some(at + n))),
            Err(_) => return None,
        }
    }
    Some((payload, None))
}
