//! `mock-sse init` copies scenarios out of the binary.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mock_sse::gallery::ALL;
use support::process::{run, said};
use support::repo;

/// The files of a folder and the folders in it, by their paths below it.
fn files(folder: &Path, below: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
            match path.is_dir() {
                true => files(&path, &format!("{name}/")),
                false => BTreeSet::from([name]),
            }
        })
        .collect()
}

#[test]
fn no_scenario_is_forgotten() {
    let there: BTreeSet<String> = files(&repo("scenarios"), "")
        .into_iter()
        .filter(|name| !name.starts_with("wpt/"))
        .collect();
    let scenarios = ALL.iter().map(|exhibit| format!("{}.yaml", exhibit.name));
    let beside = ALL
        .iter()
        .flat_map(|exhibit| exhibit.beside)
        .map(|(name, _)| name.to_string());
    assert_eq!(there, scenarios.chain(beside).collect());
}

#[test]
fn all_are_listed_with_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let (code, list, error) = said(&run(folder.path(), &["init", "--list"], &[]));
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(list.lines().count(), ALL.len());
    for (line, exhibit) in list.lines().zip(ALL) {
        let (name, purpose) = line.split_once("  ").unwrap();
        assert_eq!(name, exhibit.name);
        assert!(purpose.trim().len() > 20 && line.len() <= 150, "{line}");
    }
    assert!(files(folder.path(), "").is_empty());
}

#[test]
fn every_copy_is_fine_where_it_lands() {
    for exhibit in ALL {
        let folder = tempfile::tempdir().unwrap();
        let (code, out, error) = said(&run(folder.path(), &["init", exhibit.name], &[]));
        let file = exhibit.file_name();
        assert_eq!((code, error.as_str()), (Some(0), ""), "{}", exhibit.name);
        assert!(
            out.ends_with(&format!("serve it with: mock-sse --scenario {file}\n")),
            "{out}"
        );
        let (code, out, error) = said(&run(folder.path(), &["check", &file], &[]));
        assert_eq!((code, error.as_str()), (Some(0), ""));
        assert!(out.starts_with("ok: ") && !out.contains("warning"), "{out}");
        let copy = fs::read_to_string(folder.path().join(&file)).unwrap();
        assert!(
            copy.starts_with("# ") && !copy.contains("yaml-language-server"),
            "{copy}"
        );
        assert!(exhibit.text().ends_with(&copy));
    }
}

#[test]
fn without_a_name_it_is_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = said(&run(folder.path(), &["init"], &[]));
    let next = "wrote alphabet.yaml\nserve it with: mock-sse --scenario alphabet.yaml\n";
    assert_eq!((code, out.as_str()), (Some(0), next));
}

#[test]
fn the_schema_lies_beside_it_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["chat", "auth"] {
        let (code, ..) = said(&run(folder.path(), &["init", name, "--schema"], &[]));
        assert_eq!(code, Some(0), "the same schema is no obstacle");
    }
    let copy = fs::read_to_string(folder.path().join("chat.yaml")).unwrap();
    let schema = copy.lines().next().unwrap().rsplit('=').next().unwrap();
    assert_eq!(
        fs::read_to_string(folder.path().join(schema)).unwrap(),
        fs::read_to_string(repo("schemas/scenario.schema.json")).unwrap()
    );
}

#[test]
fn what_is_there_is_kept_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yml");
    fs::write(&file, "mine").unwrap();
    let args = ["init", "recorded", "-o", "mine.yml"];
    let (code, out, error) = said(&run(folder.path(), &args, &[]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(error, "error: mine.yml is there already: --force replaces it\n");
    assert_eq!(
        files(folder.path(), "").len(),
        1,
        "nothing else is written either"
    );
    let forced = run(folder.path(), &[&args[..], &["--force"]].concat(), &[]);
    assert_eq!(said(&forced).0, Some(0));
    assert!(fs::read_to_string(file).unwrap().contains("name: recorded"));
    assert!(folder.path().join("recorded.recording.ndjson").exists());
}

#[test]
fn it_goes_to_standard_output_and_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, error) = said(&run(folder.path(), &["init", "recorded", "-o", "-"], &[]));
    assert_eq!(code, Some(0));
    assert!(out.contains("\nname: recorded\n"));
    assert!(error.contains("recorded.recording.ndjson"), "{error}");
    assert!(files(folder.path(), "").is_empty());
    fs::create_dir(folder.path().join("mocks")).unwrap();
    let (code, out, _) = said(&run(
        folder.path(),
        &["init", "chat.yaml", "-o", "mocks/x.yaml"],
        &[],
    ));
    assert_eq!(code, Some(0), "a name with its ending is understood");
    assert!(out.ends_with("mock-sse --scenario mocks/x.yaml\n"), "{out}");
}

#[test]
fn wrong_usage_is_2_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let hint = |args: &[&str]| {
        let (code, _, error) = said(&run(folder.path(), args, &[]));
        assert_eq!(code, Some(2), "{error}");
        error
    };
    let error = hint(&["init", "tiker"]);
    assert_eq!(
        error,
        "error: there is no scenario `tiker`: did you mean `ticker`?\n"
    );
    assert!(hint(&["init", "something-else"]).contains("use one of: alphabet, "));
    assert!(hint(&["init", "chat", "-o", "chat.txt"]).contains(".yaml"));
    assert!(hint(&["init", "chat", "-o", "-", "--schema"]).contains("mock-sse schema"));
    hint(&["init", "--list", "--force"]);
    assert!(files(folder.path(), "").is_empty());
}
