//! What `EventSource` does in each browser engine, behaviour by behaviour; `docs/browsers.md` is the result.

#[path = "browser/behaviours.rs"]
mod behaviours;
#[path = "browser/browsers_doc.rs"]
mod browsers_doc;
#[path = "browser/engine.rs"]
mod engine;
#[path = "browser/mock.rs"]
#[allow(dead_code, reason = "another test's, too")]
mod mock;
#[path = "browser/page.rs"]
mod page;
#[path = "browser/site.rs"]
mod site;
mod support;
#[path = "browser/webdriver.rs"]
#[allow(dead_code, reason = "another test's, too")]
mod webdriver;

use engine::Engine;
use page::Page;

/// How soon a browser gets to it is its own affair, and that of a busy machine: what differs is looked at once more, in
/// a new browser. What differs then, too, differs.
fn pass(engine: Engine, section: &str, behaviour: fn(&mut Page)) {
    if !engine.is_here() {
        return;
    }
    let look = || {
        let mut page = Page::open(engine);
        behaviour(&mut page);
        let version = page.browser().version.clone();
        let answers = std::mem::take(&mut page.answers);
        drop(page);
        browsers_doc::compare(engine, &version, section, &answers);
    };
    if std::panic::catch_unwind(look).is_err() {
        eprintln!("once more: {} and {section:?}", engine.name());
        page::forget(engine);
        look();
    }
}

/// A test of each engine for each behaviour, and the document's section that it fills.
macro_rules! list {
    ($($behaviour:ident: $section:literal,)*) => {
        list!(chromium Chromium $($behaviour $section)*);
        list!(firefox Firefox $($behaviour $section)*);
        list!(webkit WebKit $($behaviour $section)*);

        const SECTIONS: &[&str] = &[$($section),*];

        #[test]
        fn the_document_has_these_sections_and_no_others() {
            assert_eq!(browsers_doc::sections(), SECTIONS);
        }
    };
    ($module:ident $engine:ident $($behaviour:ident $section:literal)*) => {
        mod $module {
            use super::{Engine, behaviours, pass};

            $(#[test]
            fn $behaviour() {
                pass(Engine::$engine, $section, behaviours::$behaviour);
            })*
        }
    };
}

list! {
    opens: "Opening",
    reads_events: "Reading events",
    reads_odd_bytes: "Reading odd bytes",
    keeps_the_reconnection_time: "How long it waits before it comes back",
    comes_back: "When a stream ends",
    outlives_the_server: "When the server goes",
    stops: "What is no stream",
    follows_redirects: "Redirects",
    reads_other_origins: "Other origins",
    asks_before_it_posts: "Preflights",
    opens_many: "Many streams",
    unpacks: "Compressed streams",
    passes_a_service_worker: "Behind a service worker",
    leaves: "Leaving",
}
