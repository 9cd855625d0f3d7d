//! `mock-sse check`: what it says about broken scenarios, word for word.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{PATIENCE, binary, repo};

const INVALID: &str = "tests/fixtures/invalid";

fn check(args: &[&str], folder: &Path) -> (i32, String) {
    let output = binary()
        .arg("check")
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(repo(folder))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Each broken file has its text beside it; `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn every_mistake_is_said_word_for_word() {
    let mut wrong = Vec::new();
    for file in yaml_files(INVALID) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let (code, text) = check(&[name], &repo(INVALID));
        assert_eq!(code, 1, "{name} is no mistake:\n{text}");
        let golden = file.with_extension("err");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
        assert!(
            text.contains(&format!("{name}:")) && text.contains('^'),
            "no place in:\n{text}"
        );
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_GOLDEN=1 accepts these texts:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn shipped_scenarios_are_fine_and_name_their_schema() {
    for file in yaml_files("scenarios") {
        let (code, text) = check(&[file.to_str().unwrap()], &repo("."));
        assert_eq!((code, text.starts_with("ok: ")), (0, true), "{text}");
        let line = fs::read_to_string(&file).unwrap();
        assert!(
            line.starts_with("# yaml-language-server: $schema=../schemas/scenario.schema.json\n"),
            "{file:?}"
        );
    }
}

#[test]
fn findings_come_as_json_too() {
    let (code, text) = check(&["--format", "json", "many-at-once.yaml"], &repo(INVALID));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &json["ok"]), (1, &serde_json::json!(false)));
    let first = &json["diagnostics"][0];
    let expected = serde_json::json!({
        "severity": "error", "file": "many-at-once.yaml", "line": 1, "column": 1,
        "message": "a scenario has no key `sed`", "hint": "did you mean `seed`?"
    });
    assert_eq!(*first, expected);
    assert!(json["diagnostics"].as_array().unwrap().len() >= 6, "{text}");
    let alphabet = repo("scenarios/alphabet.yaml");
    let (code, text) = check(&["--format", "json", alphabet.to_str().unwrap()], &repo("."));
    assert_eq!((code, text.contains("\"ok\": true")), (0, true), "{text}");
}

#[test]
fn several_files_are_one_scenario_and_a_clash_names_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "1.yaml",
        "seed: 1\ntopics: { t: {} }\nendpoints:\n  - { path: /a, body: x }\n",
    );
    write("2.yml", "endpoints:\n  - { path: /b, publish: t }\n");
    write("notes.txt", "not: a: scenario");
    assert_eq!(check(&["."], folder.path()), (0, "ok: 2 endpoints\n".into()));
    write("3.yaml", "seed: 2\ntopics: { t: {} }\n");
    let (code, text) = check(&["."], folder.path());
    assert_eq!(code, 1);
    for part in [
        "`seed` is set twice",
        "the topic `t` is set twice",
        "./1.yaml",
        "./3.yaml:1:7",
        "first set here",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
}

#[test]
fn hostile_files_get_an_error_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for n in 1..12 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","));
    }
    write("bomb.yaml", bomb.as_bytes());
    write("deep.yaml", &b"[".repeat(100_000));
    write(
        "deep-blocks.yaml",
        (0..2000)
            .map(|n| " ".repeat(n) + "a:\n")
            .collect::<String>()
            .as_bytes(),
    );
    write("large.yaml", &b"a".repeat(5 << 20));
    write("latin1.yaml", b"name: caf\xe9\n");
    write("nul.yaml", b"name: a\0b\n");
    write("control.yaml", b"name: a\x07b\n");
    write(
        "long-line.yaml",
        format!("name: [{}", "x, ".repeat(300_000)).as_bytes(),
    );
    fs::create_dir(folder.path().join("empty-folder")).unwrap();
    for (name, expected) in [
        ("bomb.yaml", "budget exceeded"),
        ("deep.yaml", "nested deeper"),
        ("deep-blocks.yaml", "nested deeper"),
        ("large.yaml", "larger than 4 MiB"),
        ("latin1.yaml", "not UTF-8: byte 9 is 0xe9"),
        ("nul.yaml", "NUL"),
        ("control.yaml", "not valid YAML"),
        ("long-line.yaml", "long-line.yaml:1:"),
        ("empty-folder", "no scenario in this folder"),
        ("bmob.yaml", "did you mean `bomb.yaml`?"),
    ] {
        let began = std::time::Instant::now();
        let (code, text) = check(&[name], folder.path());
        assert_eq!(
            (code, text.contains(expected)),
            (1, true),
            "{name}: {}",
            &text[..text.len().min(2000)]
        );
        assert!(began.elapsed() < PATIENCE, "{name}");
        assert!(text.len() < 20_000, "{name}: {} bytes of text", text.len());
    }
}

#[test]
fn a_file_without_permission_is_said_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.yaml");
    fs::write(&file, "endpoints: []").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    if fs::File::open(&file).is_err() {
        let (code, text) = check(&["secret.yaml"], folder.path());
        assert_eq!((code, text.contains("permission denied")), (1, true), "{text}");
    }
}

#[test]
fn serving_a_broken_scenario_says_the_same() {
    let file = repo(INVALID).join("many-at-once.yaml");
    let golden = fs::read_to_string(file.with_extension("err")).unwrap();
    let run = binary()
        .args(["--port", "0", "--no-tls", "-s", "many-at-once.yaml"])
        .current_dir(repo(INVALID))
        .output();
    let run = run.unwrap();
    assert_eq!(
        (run.status.code(), String::from_utf8(run.stderr).unwrap()),
        (Some(1), golden)
    );
}

#[test]
fn the_committed_schema_is_the_current_one() {
    let current = mock_sse::scenario::schema::json_schema();
    let committed = fs::read_to_string(repo("schemas/scenario.schema.json")).unwrap_or_default();
    let hint = "run: cargo run -- schema > schemas/scenario.schema.json";
    assert!(current == committed, "the schema has changed; {hint}");
    let printed = binary().arg("schema").output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), current);
}

/// The schema knows the keys; the loader knows more. What the loader takes the schema must take.
#[test]
fn scenarios_agree_with_the_schema() {
    let schema = serde_json::from_str(&mock_sse::scenario::schema::json_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut files = yaml_files("scenarios");
    files.extend(yaml_files("tests/fixtures/valid"));
    for file in files {
        let json = as_json(&file);
        let errors: Vec<_> = validator
            .iter_errors(&json)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{file:?}: {errors:?}");
    }
    for name in [
        "unknown-key-top",
        "unknown-key-endpoint",
        "unknown-key-event",
        "unknown-key-topic",
        "unknown-key-cors",
    ] {
        let file = repo(INVALID).join(name).with_extension("yaml");
        let json = as_json(&file);
        assert!(!validator.is_valid(&json), "{name} should not validate");
    }
}

/// As an editor reads it: `off` is text in YAML 1.2.
fn as_json(file: &Path) -> serde_json::Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(&fs::read_to_string(file).unwrap(), options).unwrap()
}
