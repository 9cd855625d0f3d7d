//! What a crate that embeds the server must build, and what it need not.

use std::process::Command;

/// The names of all crates that these arguments make cargo build.
fn crates(args: &[&str]) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

const OF_THE_COMMAND: [&str; 6] = [
    "clap",
    "clap_complete",
    "clap_mangen",
    "notify",
    "rustls-native-certs",
    "tracing-subscriber",
];

#[test]
fn without_features_the_library_has_nothing_of_the_command() {
    let (all, bare) = (crates(&[]), crates(&["--no-default-features"]));
    for name in OF_THE_COMMAND {
        assert!(all.iter().any(|n| n == name), "the command has no {name}");
        assert!(!bare.iter().any(|n| n == name), "embedders get {name}");
    }
    assert!(bare.iter().any(|n| n == "tokio"));
}

#[test]
fn what_tests_and_the_build_need_is_in_no_program() {
    let all = crates(&[]);
    for name in ["schemars", "brotli", "mime_guess"] {
        assert!(!all.iter().any(|n| n == name), "{name} is in the program");
    }
}

#[test]
fn watching_can_be_had_alone() {
    let watching = crates(&["--no-default-features", "--features", "watch"]);
    for name in OF_THE_COMMAND {
        assert_eq!(watching.iter().any(|n| n == name), name == "notify", "{name}");
    }
}
