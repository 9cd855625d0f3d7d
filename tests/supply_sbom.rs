//! The bill of materials says what is linked into the binary: all of it, and nothing else.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;
use support::repo;

fn sbom(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(repo("scripts/sbom"))
        .args(args)
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn bill() -> Value {
    let (code, out, err) = sbom(&[]);
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

/// Name and version of everything that cargo links for this machine, as cargo itself says it.
fn linked() -> BTreeSet<(String, String)> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .current_dir(repo(""))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let words = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        Some((name, words.next()?.trim_start_matches('v').to_owned()))
    };
    text.lines().filter_map(words).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

#[test]
fn it_holds_what_is_linked_with_its_licence_and_checksum() {
    let bill = bill();
    assert_eq!(
        (&bill["bomFormat"], &bill["specVersion"]),
        (&"CycloneDX".into(), &"1.5".into())
    );
    let own = &bill["metadata"]["component"];
    assert_eq!(
        (text(&own["name"]), text(&own["version"])),
        ("mock-sse", env!("CARGO_PKG_VERSION"))
    );
    let lock = fs::read_to_string(repo("Cargo.lock")).unwrap();
    let mut expected = linked();
    assert!(expected.remove(&("mock-sse".into(), env!("CARGO_PKG_VERSION").into())));
    for component in list(&bill["components"]) {
        let (name, version) = (text(&component["name"]), text(&component["version"]));
        assert!(
            !text(&component["licenses"][0]["expression"]).contains('/'),
            "{component}"
        );
        if name == "std" {
            continue;
        }
        assert!(
            expected.remove(&(name.into(), version.into())),
            "{name} {version} is not linked, or stands twice"
        );
        let hash = text(&component["hashes"][0]["content"]);
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        let entry = lock
            .split("[[package]]\n")
            .find(|e| e.starts_with(&entry))
            .unwrap();
        assert!(
            entry.contains(&format!("checksum = \"{hash}\"")),
            "{name}: {hash}"
        );
        assert_eq!(
            text(&component["purl"]),
            format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
        );
    }
    assert!(expected.is_empty(), "left out: {expected:?}");
}

/// From the program everything can be reached, and every reference leads somewhere.
#[test]
fn its_dependencies_hang_together() {
    let bill = bill();
    let references = |value: &Value| list(value).iter().map(|r| text(r).to_owned()).collect::<Vec<_>>();
    let needs: BTreeMap<String, Vec<String>> = list(&bill["dependencies"])
        .iter()
        .map(|d| (text(&d["ref"]).to_owned(), references(&d["dependsOn"])))
        .collect();
    let components = list(&bill["components"]).iter();
    let all: BTreeSet<String> = components.map(|c| text(&c["bom-ref"]).to_owned()).collect();
    let mut reached = BTreeSet::new();
    let mut next = vec![text(&bill["metadata"]["component"]["bom-ref"]).to_owned()];
    while let Some(reference) = next.pop() {
        for needed in &needs[&reference] {
            if reached.insert(needed.clone()) {
                next.push(needed.clone());
            }
        }
    }
    assert_eq!(reached, all);
    let of = |name: &str| {
        needs
            .iter()
            .find(|(r, _)| r.starts_with(&format!("pkg:cargo/{name}@")))
            .unwrap()
    };
    assert!(
        of("hyper").1.iter().any(|r| r.starts_with("pkg:cargo/h2@")),
        "{:?}",
        of("hyper")
    );
}

#[test]
fn the_same_sources_give_the_same_bill() {
    assert_eq!(sbom(&[]).1, sbom(&[]).1);
}

#[test]
fn what_it_cannot_do_it_says() {
    let (code, out, err) = sbom(&["--for", "x"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("usage: scripts/sbom"), "{err}");
    // Half a list would look like a whole one.
    let (code, out, err) = sbom(&["--target", "no-such-target"]);
    assert_eq!((code == Some(0), out.as_str()), (false, ""), "{err}");
}
