//! `mock-sse explain`: a scenario as it is understood.

mod support;

use std::fs;

use support::{binary, repo};

const FOLDER: &str = "tests/fixtures/explain";

fn explain(args: &[&str]) -> (i32, String, String) {
    let mut command = binary();
    let output = command
        .arg("explain")
        .args(args)
        .current_dir(repo(FOLDER))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What is inherited, defaulted and run stands there in full; `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn everything_is_written_out() {
    let (code, text, errors) = explain(&["orders.yaml"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let golden = repo(FOLDER).join("orders.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(golden).unwrap_or_default(), text);
}

#[test]
fn a_path_chooses_its_endpoints() {
    for path in ["/orders/{word}", "/orders/x", "/orders/a%2Fb?x=1"] {
        let (code, text, _) = explain(&["orders.yaml", path]);
        let found = (
            text.contains("GET /orders"),
            text.contains("POST /orders"),
            text.contains("GET /news"),
        );
        assert_eq!((code, found), (0, (true, true, false)), "{path}:\n{text}");
    }
    let (code, text, errors) = explain(&["orders.yaml", "/new"]);
    let expected = "error: no endpoint has the path `/new`: did you mean `/news`?\n";
    assert_eq!((code, text.as_str(), errors.as_str()), (2, "", expected));
}

#[test]
fn the_same_comes_as_json() {
    let (code, text, _) = explain(&["--format", "json", "orders.yaml", "/news"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let stream = serde_json::json!([{ "do": "follow", "topics": ["news"], "from": "earliest" }]);
    assert_eq!((code, &json["endpoints"][0]["stream"]), (0, &stream));
    assert_eq!(json["topics"][0]["history"], 10);
}

#[test]
fn a_broken_scenario_is_not_explained() {
    let (code, text, errors) = explain(&["../invalid/unknown-step.yaml"]);
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(errors.contains("there is no step `dat`"), "{errors}");
}
