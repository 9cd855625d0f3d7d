//! `mock-sse check`: what it says about broken scenarios, word for word.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{PATIENCE, binary, repo};

const INVALID: &str = "tests/fixtures/invalid";
const WARNINGS: &str = "tests/fixtures/warnings";

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

/// Each file of a folder has the text beside it that is said about it; `UPDATE_GOLDEN=1` writes them anew.
fn said_word_for_word(folder: &str, ending: &str, expected: i32) {
    let mut wrong = Vec::new();
    for file in yaml_files(folder) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let (code, text) = check(&[name], &repo(folder));
        assert_eq!(code, expected, "{name}:\n{text}");
        let golden = file.with_extension(ending);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
        assert!(
            text.contains(&format!("{name}:")) || text.contains(".yaml:"),
            "no place in:\n{text}"
        );
        assert!(text.contains('^'), "no place in:\n{text}");
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_GOLDEN=1 accepts these texts:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_mistake_is_said_word_for_word() {
    said_word_for_word(INVALID, "err", 1);
}

#[test]
fn every_warning_is_said_word_for_word() {
    said_word_for_word(WARNINGS, "warn", 0);
}

#[test]
fn the_whole_language_loads_without_a_word() {
    for file in yaml_files("tests/fixtures/valid") {
        let (code, text) = check(&[file.to_str().unwrap()], &repo("."));
        assert_eq!(code, 0, "{text}");
        assert!(text.starts_with("ok: ") && text.lines().count() == 1, "{text}");
    }
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
        "seed: 1\ntopics: { t: {} }\nendpoints:\n  - { path: /a, stream: [ { follow: t } ] }\n",
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
fn files_beside_a_scenario_stay_in_its_folder() {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("scenario");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    fs::create_dir(&folder).unwrap();
    fs::write(around.path().join("secret.txt"), "secret").unwrap();
    write("site/index.html", "hello");
    write(
        "parts/b.yaml",
        "endpoints:\n  - { path: /b, file: ../site/index.html }\n",
    );
    write(
        "a.yaml",
        "include: parts/b.yaml\nendpoints:\n  - { path: '/{rest...}', files: site, when: true }\n",
    );
    assert_eq!(check(&["a.yaml"], &folder), (0, "ok: 2 endpoints\n".into()));
    // A link inside the folder is fine, one that leads out of it is not.
    std::os::unix::fs::symlink("index.html", folder.join("site/copy.html")).unwrap();
    std::os::unix::fs::symlink("../site", folder.join("site/again")).unwrap();
    assert_eq!(check(&["a.yaml"], &folder), (0, "ok: 2 endpoints\n".into()));
    std::os::unix::fs::symlink("../../secret.txt", folder.join("site/secret.txt")).unwrap();
    let (code, text) = check(&["a.yaml"], &folder);
    let expected = "`site/secret.txt` is outside the scenario's folder";
    assert_eq!((code, text.contains(expected)), (1, true), "{text}");
    write("c.yaml", "endpoints:\n  - { path: /c, file: site/secret.txt }\n");
    let (code, text) = check(&["c.yaml"], &folder);
    assert_eq!((code, text.contains(expected)), (1, true), "{text}");
    // The folder is that of the file that was given, not that of the file that includes.
    let (code, text) = check(&["b.yaml"], &folder.join("parts"));
    let expected = "`../site/index.html` is outside the scenario's folder";
    assert_eq!((code, text.contains(expected)), (1, true), "{text}");
}

#[test]
fn a_file_that_is_too_large_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let large = fs::File::create(folder.path().join("large.bin")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    fs::write(
        folder.path().join("a.yaml"),
        "endpoints:\n  - { path: /a, file: large.bin }\n",
    )
    .unwrap();
    let (code, text) = check(&["a.yaml"], folder.path());
    let expected = "`large.bin` is larger than 64 MiB";
    assert_eq!((code, text.contains(expected)), (1, true), "{text}");
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
        format!("name: [{}", "x, ".repeat(150_000)).as_bytes(),
    );
    let many = "      - {}\n".repeat(12_000);
    let data = "1, ".repeat(8_000);
    write(
        "inherited.yaml",
        format!("endpoints:\n  - path: /a\n    json: [{data}]\n    attempts:\n{many}").as_bytes(),
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
        ("inherited.yaml", "too large once its entries have inherited"),
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
fn the_committed_schema_is_printed() {
    let committed = fs::read_to_string(repo("schemas/scenario.schema.json")).unwrap();
    let printed = binary().arg("schema").output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), committed);
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

#[cfg(unix)]
#[test]
fn a_pipe_beside_a_scenario_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path().join("pipe.yaml"))
        .status()
        .unwrap();
    assert!(made.success());
    let scenario = "include: pipe.yaml\nendpoints: [{ path: /a, file: pipe.yaml }]\n";
    fs::write(folder.path().join("a.yaml"), scenario).unwrap();
    let (code, text) = check(&["a.yaml"], folder.path());
    assert_eq!(
        (code, text.matches("`pipe.yaml` is no regular file").count()),
        (1, 2),
        "{text}"
    );
}
