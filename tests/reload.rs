//! Saves of a scenario: served at once, whole, and only if they are sound.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use support::{Server, serve, serve_in};

fn says(word: &str) -> String {
    format!("endpoints:\n  - path: /word\n    body: {word}\n")
}

fn word(server: &Server) -> String {
    server.get("/word").body
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn every_way_of_saving_is_noticed_within_a_fraction_of_a_second() {
    type Save = fn(&Server, &str);
    let ways: [(&str, Save); 5] = [
        ("a temporary file renamed over it", |s, text| s.save(text)),
        ("written in place", |s, text| write(s.path("scenario.yaml"), text)),
        ("the old file kept as a backup", |s, text| {
            fs::rename(s.path("scenario.yaml"), s.path("scenario.yaml~")).unwrap();
            write(s.path("scenario.yaml"), text);
        }),
        ("removed and made again", |s, text| {
            fs::remove_file(s.path("scenario.yaml")).unwrap();
            write(s.path("scenario.yaml"), text);
        }),
        ("copied line by line", |s, text| {
            use std::io::Write;
            let mut file = fs::File::create(s.path("scenario.yaml")).unwrap();
            text.split_inclusive('\n')
                .for_each(|line| file.write_all(line.as_bytes()).unwrap());
        }),
    ];
    let server = serve(&says("first"), &[]);
    for (n, (way, save)) in ways.iter().enumerate() {
        let began = Instant::now();
        save(&server, &says(&format!("word{n}")));
        server.log.wait_for_times("reloaded: 1 endpoint", n + 1);
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{way} took {:?}",
            began.elapsed()
        );
        assert_eq!(word(&server), format!("word{n}"), "{way}");
    }
    assert!(
        !server.log.text().contains("not reloaded"),
        "{}",
        server.log.text()
    );
}

#[test]
fn a_swapped_link_is_noticed_as_configuration_maps_do_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..v1", "one"), ("..v2", "two")] {
        fs::create_dir(at(version)).unwrap();
        write(at(version).join("scenario.yaml"), &says(text));
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/scenario.yaml", at("scenario.yaml")).unwrap();
    let server = serve_in(folder, &["--scenario", "scenario.yaml"]);
    assert_eq!(word(&server), "one");

    symlink("..v2", server.path("..data_tmp")).unwrap();
    fs::rename(server.path("..data_tmp"), server.path("..data")).unwrap();
    fs::remove_dir_all(server.path("..v1")).unwrap();
    server.log.wait_for("reloaded");
    assert_eq!(word(&server), "two");
    // The folder that the link leads to now is watched, too.
    write(server.path("..v2/scenario.yaml"), &says("three"));
    server.log.wait_for_times("reloaded", 2);
    assert_eq!(word(&server), "three");
}

#[test]
fn files_come_into_a_folder_and_leave_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("all")).unwrap();
    write(
        folder.path().join("all/a.yaml"),
        "endpoints:\n  - { path: /a, body: a }\n",
    );
    let server = serve_in(folder, &["--scenario", "all"]);
    type Change = fn(&Server);
    let steps: [(Change, [u16; 3]); 4] = [
        (
            |s| write(s.path("all/b.yml"), "endpoints:\n  - { path: /b, body: b }\n"),
            [200, 200, 404],
        ),
        (
            |s| fs::rename(s.path("all/b.yml"), s.path("all/c.yaml")).unwrap(),
            [200, 200, 404],
        ),
        (
            |s| fs::remove_file(s.path("all/a.yaml")).unwrap(),
            [404, 200, 404],
        ),
        (
            |s| write(s.path("all/d.yaml"), "endpoints:\n  - { path: /d, body: d }\n"),
            [404, 200, 200],
        ),
    ];
    for (n, (change, expected)) in steps.into_iter().enumerate() {
        change(&server);
        server.log.wait_for_times("reloaded", n + 1);
        let statuses = ["/a", "/b", "/d"].map(|path| server.get(path).status);
        assert_eq!(statuses, expected, "step {n}");
    }
    // Neither what is hidden nor what is no YAML is a scenario.
    write(server.path("all/.d.yaml.swp"), "%%%");
    write(server.path("all/notes.txt"), "%%%");
    server.signal("HUP");
    server.log.wait_for_times("reloaded", 5);
    assert_eq!(server.get("/d").body, "d");
}

#[test]
fn polling_notices_saves_and_leaves_alone_what_has_not_changed() {
    let server = serve(&says("first"), &["--watch", "poll"]);
    write(server.path("scenario.yaml"), &says("second"));
    server.log.wait_for("reloaded");
    assert_eq!(word(&server), "second");
    // Saved again as it is: the next real change is the next reload.
    server.save(&says("second"));
    server.save(&says("third"));
    server.log.wait_for_times("reloaded", 2);
    assert_eq!(word(&server), "third");
}

#[test]
fn without_watching_only_a_hangup_reloads() {
    let server = serve(&says("first"), &["--watch", "off"]);
    // The watcher takes no look of its own behind this one.
    server.signal("HUP");
    server.log.wait_for("reloaded");
    server.save(&says("second"));
    assert_eq!(word(&server), "first");
    server.signal("HUP");
    server.log.wait_for_times("reloaded", 2);
    assert_eq!(word(&server), "second");
}

#[test]
fn a_broken_file_keeps_the_last_good_one_and_is_explained() {
    let server = serve(&says("good"), &[]);
    let broken = [
        (
            "endpoints:\n  - path: /word\n    boddy: x\n",
            "scenario.yaml:3:5",
            "did you mean `body`?",
        ),
        (
            "endpoints:\n  - path: [\n",
            "scenario.yaml:",
            "not reloaded (1 error)",
        ),
        (
            "endpoints:\n  - path: /x\n    body: \"{{ nope }}\"\n",
            "scenario.yaml:3:15",
            "there is no name `nope`",
        ),
        ("", "scenario.yaml", "the file is empty"),
    ];
    for (n, (text, place, reason)) in broken.iter().enumerate() {
        server.save(text);
        let log = server.log.wait_for_times("the last good scenario goes on", n + 1);
        server.log.wait_for(reason);
        // It comes line by line, the place behind the reason.
        server.log.wait_for(place);
        assert!(log.contains("ERROR"), "{log}");
        assert_eq!(
            word(&server),
            if n == 0 {
                "good".into()
            } else {
                format!("good{}", n - 1)
            }
        );
        server.save(&says(&format!("good{n}")));
        server.log.wait_for_times("reloaded: 1 endpoint", n + 1);
        assert_eq!(word(&server), format!("good{n}"));
    }
    let log = server.log.text();
    assert!(log.contains("boddy: x") && log.contains("^^^^^"), "{log}");
}

#[test]
fn a_deleted_file_is_missed_once_and_taken_up_again() {
    let server = serve(&says("good"), &["--watch", "poll"]);
    fs::remove_file(server.path("scenario.yaml")).unwrap();
    server.log.wait_for("there is no such file or folder");
    assert_eq!(word(&server), "good");
    write(server.path("scenario.yaml"), &says("back"));
    let log = server.log.wait_for("reloaded: 1 endpoint");
    assert_eq!(word(&server), "back");
    assert_eq!(log.matches("no such file").count(), 1, "{log}");
}

#[test]
fn of_many_quick_saves_the_last_one_is_served() {
    let server = serve(&says("first"), &[]);
    for n in 1..=20 {
        server.save(&says(&format!("save{n}")));
    }
    let mut reloads = 0;
    while word(&server) != "save20" {
        reloads += 1;
        server.log.wait_for_times("reloaded", reloads);
    }
    assert!(!server.log.text().contains("not reloaded"));
}

#[test]
fn a_busy_file_beside_the_scenario_does_not_hold_a_reload_up() {
    let server = serve(&says("first"), &["--watch", "auto"]);
    let noise = server.path("server.log");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let pause = Duration::from_millis(5);
        while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            write(&noise, "a line\n");
        }
    });
    let began = Instant::now();
    server.save(&says("second"));
    server.log.wait_for("reloaded");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    drop(stop);
    writer.join().unwrap();
}
