//! The browsers there are: Debian's packages, each with the WebDriver of its own project.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Whose engine a browser has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `chromium` and `chromium-driver`
    Chromium,
    /// `firefox-esr`, and the crate `geckodriver`
    Firefox,
    /// `webkit2gtk-driver`, which brings MiniBrowser, and `xvfb`
    WebKit,
}

const CHROMIUM_FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

impl Engine {
    /// As it is called in documents.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Chromium => "Chromium",
            Engine::Firefox => "Firefox",
            Engine::WebKit => "WebKitGTK",
        }
    }

    /// Programs without which it cannot be driven, the driver first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Engine::Chromium => &["chromedriver", "chromium"],
            Engine::Firefox => &["geckodriver", "firefox-esr"],
            Engine::WebKit => &["WebKitWebDriver", "MiniBrowser", "Xvfb"],
        }
    }

    /// Whether all it needs is there. Where everything is to be tested (`CI`), what is missing is a failure.
    #[allow(dead_code, reason = "not all tests can do without")]
    pub fn is_here(self) -> bool {
        let missing = self.programs().iter().find(|program| look_for(program).is_none());
        let Some(program) = missing else { return true };
        let said = format!(
            "there is no {program} for {}; scripts/test installs it",
            self.name()
        );
        assert!(std::env::var_os("CI").is_none(), "{said}");
        eprintln!("SKIPPED: {said}");
        false
    }

    /// The command of its driver, which says its port itself if it is given 0. Whatever it and the browser write goes
    /// into the folder; they are a process group of their own.
    pub fn driver(self, port: u16, folder: &Path, display: Option<&str>) -> Command {
        let mut command = Command::new(find(self.programs()[0]));
        command.arg(format!("--port={port}"));
        if self == Engine::Firefox {
            command.arg("--profile-root").arg(folder);
        }
        if let Some(display) = display {
            command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
            // There is no graphics card to draw with.
            command.env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        }
        if self != Engine::Chromium {
            let own = ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];
            for name in own.iter().chain(&["XDG_RUNTIME_DIR"]) {
                command.env(name, folder);
            }
        }
        command
            .env("TMPDIR", folder)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// WebKit's driver does not choose a port by itself, nor does it say which it has.
    pub fn driver_tells_its_port(self) -> bool {
        self != Engine::WebKit
    }

    /// What a new session is asked for.
    pub fn capabilities(self, folder: &Path, patience_ms: u64) -> Value {
        let mut wanted = json!({
            // The tests' certificates are signed by a CA made a moment ago, which nobody trusts.
            "acceptInsecureCerts": true,
            "timeouts": { "script": patience_ms, "pageLoad": patience_ms },
        });
        match self {
            Engine::Chromium => {
                let mut args: Vec<String> = CHROMIUM_FLAGS.map(String::from).into();
                args.push(format!("--user-data-dir={}", folder.join("profile").display()));
                let program = find("chromium");
                wanted["goog:chromeOptions"] = json!({ "binary": program, "args": args });
                wanted["goog:loggingPrefs"] = json!({ "browser": "ALL" });
            }
            Engine::Firefox => {
                let program = find("firefox-esr");
                wanted["moz:firefoxOptions"] = json!({ "binary": program, "args": ["-headless"] });
            }
            Engine::WebKit => {
                let program = find("MiniBrowser");
                wanted["webkitgtk:browserOptions"] = json!({ "binary": program, "args": ["--automation"] });
            }
        }
        json!({ "capabilities": { "alwaysMatch": wanted } })
    }
}

/// Where a program lies.
fn find(program: &str) -> String {
    let found = look_for(program);
    found
        .unwrap_or_else(|| panic!("there is no `{program}`: scripts/test installs it"))
        .display()
        .to_string()
}

fn look_for(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Debian keeps MiniBrowser off the path: /usr/lib/ARCHITECTURE/webkit2gtk-4.1.
    for folder in std::fs::read_dir("/usr/lib").into_iter().flatten().flatten() {
        folders.push(folder.path().join("webkit2gtk-4.1"));
    }
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
