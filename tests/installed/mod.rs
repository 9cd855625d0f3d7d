//! What others have written, run in fixed versions: programs of the system, packages of npm and PyPI.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether a program is there. Where everything is to be tested (`CI`), one that is missing is a failure.
pub fn there_is(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|out| out.status.success());
    if !found {
        let said = format!("there is no {program} here; scripts/test installs it");
        assert!(std::env::var_os("CI").is_none(), "{said}");
        eprintln!("SKIPPED: {said}");
    }
    found
}

/// A command that knows where the binary is (`MOCK_SSE`), and none of the server's variables.
pub fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MOCK_SSE_")) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("MOCK_SSE", env!("CARGO_BIN_EXE_mock-sse"))
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR")
        .env_remove("PORT")
        .stdin(Stdio::null());
    command
}

/// It must succeed; what it printed.
pub fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{stdout}\n{stderr}");
    stdout
}

/// A fresh copy of a folder's files (not of its folders) below the build's; what is installed there stays.
pub fn copy(from: &Path, name: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to
}

/// Installs what `package-lock.json` names, unless that has been done.
pub fn npm_ci(folder: &Path) {
    let lock = fs::read_to_string(folder.join("package-lock.json")).unwrap();
    assert!(!lock.contains("://"), "a lock file names no host");
    let installed = folder.join("node_modules/.installed");
    if fs::read_to_string(&installed).is_ok_and(|last| last == lock) {
        return;
    }
    passes(command("npm", folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]));
    fs::write(installed, lock).unwrap();
}

/// A Python of its own in the folder, with what `requirements.txt` names (each package `==` a version, those that
/// they need themselves included), unless that has been done; its path.
pub fn venv(folder: &Path) -> PathBuf {
    let wanted = fs::read_to_string(folder.join("requirements.txt")).unwrap();
    let pinned = |line: &&str| line.contains("==") || line.starts_with('#') || line.is_empty();
    let loose: Vec<&str> = wanted.lines().filter(|line| !pinned(line)).collect();
    assert!(loose.is_empty(), "versions are fixed: {loose:?}");
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    let installed = venv.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|last| last == wanted) {
        return python;
    }
    passes(
        command("python3", folder)
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
    );
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "-r",
        "requirements.txt",
    ];
    passes(command(&python, folder).args(install));
    passes(command(&python, folder).args(["-m", "pip", "check"]));
    fs::write(installed, wanted).unwrap();
    python
}
