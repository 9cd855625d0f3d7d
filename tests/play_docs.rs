//! docs/play.md has every flag. tests/docs.rs holds it to what its commands print.

mod support;

use support::docs::assert_every_flag;

#[test]
fn the_page_has_every_flag() {
    assert_every_flag("docs/play.md", "play");
}
