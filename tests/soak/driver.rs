//! What happens around the streams: reloads, broken files, messages, commands, at random from the seed.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::connection::{Connection, End};
use crate::life::ORDERED;
use crate::support::chance::Chance;
use crate::world::{World, count, scenario};

/// Script time between two deeds, at most, in milliseconds.
const PAUSE: usize = 4000;

pub fn drive(world: &World) -> Result<(), String> {
    let mut chance = Chance::new(world.wishes.seed, 2_000_000);
    while world.goes_on() {
        let done = match chance.below(16) {
            0..=6 => publish(world),
            7..=8 => reload(world),
            9..=10 => break_it(world, &mut chance),
            11 => order(world),
            12 => session(world, &mut chance),
            13 => command(world, "DELETE", "/__mock/journal", ""),
            _ => look(world, &mut chance),
        };
        done.map_err(|why| format!("driver: {why}"))?;
        std::thread::sleep(Duration::from_millis(chance.below(PAUSE) as u64) / world.wishes.scale as u32);
    }
    Ok(())
}

/// An exchange on a connection of its own.
fn exchange(world: &World, method: &str, path: &str, body: &str) -> Result<(u16, String), String> {
    let mut connection = Connection::open(world.port)?;
    let status = connection.ask(method, path, "", body)?;
    let (bytes, end) = connection.body(|_| true)?;
    match end {
        End::Whole => Ok((status, String::from_utf8_lossy(&bytes).into_owned())),
        _ => Err(format!("{method} {path}: {end:?}")),
    }
}

fn command(world: &World, method: &str, path: &str, body: &str) -> Result<(), String> {
    let (status, told) = exchange(world, method, path, body)?;
    count(&world.tally.commands);
    match status {
        200..=299 => Ok(()),
        _ => Err(format!("{method} {path}: {status} {told}")),
    }
}

fn publish(world: &World) -> Result<(), String> {
    let mut published = world.published.lock().unwrap();
    let text = format!("message {}", published.len());
    // Before the answer is here, somebody may have it.
    published.push(text.clone());
    let (status, told) = exchange(world, "POST", "/room", &text)?;
    count(&world.tally.published);
    match status {
        202 => Ok(()),
        _ => Err(format!("not published: {status} {told}")),
    }
}

/// Another scenario; open streams go on with theirs.
fn reload(world: &World) -> Result<(), String> {
    let mut version = world.version.write().unwrap();
    *version += 1;
    std::fs::write(&world.file, scenario(*version)).map_err(|e| e.to_string())?;
    count(&world.tally.reloads);
    command(world, "POST", "/__mock/reload", "")
}

/// A file that is none: the last good one serves.
fn break_it(world: &World, chance: &mut Chance) -> Result<(), String> {
    let version = world.version.read().unwrap();
    let good = scenario(*version);
    let broken = match chance.below(3) {
        0 => good[..good.len() / 2].to_owned() + "\n  - [",
        1 => good.replace("stream:", "straem:"),
        _ => good.replace("{{ seq }}", "{{ seq"),
    };
    std::fs::write(&world.file, broken).map_err(|e| e.to_string())?;
    let (status, told) = exchange(world, "POST", "/__mock/reload", "")?;
    count(&world.tally.broken);
    match status {
        422 => Ok(()),
        _ => Err(format!("a broken file was loaded: {status} {told}")),
    }
}

/// Streams end cleanly where they are. None begins meanwhile: it could not know whether it was meant.
fn order(world: &World) -> Result<(), String> {
    let _version = world.version.write().unwrap();
    world.orders.fetch_add(1, Relaxed);
    command(
        world,
        "POST",
        &format!("/__mock/connections/close?endpoint={ORDERED}"),
        "",
    )
}

/// A world beside this one, with a stream in it.
fn session(world: &World, chance: &mut Chance) -> Result<(), String> {
    let name = format!("s{}", chance.below(10));
    command(
        world,
        "PUT",
        &format!("/__mock/sessions/{name}"),
        "{\"clock\": \"manual\"}",
    )?;
    let mut open = Connection::open(world.port)?;
    open.ask("GET", &format!("/~{name}/ticks"), "", "")?;
    command(
        world,
        "POST",
        &format!("/~{name}/__mock/clock/advance"),
        "{\"by\": \"10s\"}",
    )?;
    command(world, "DELETE", &format!("/__mock/sessions/{name}"), "")?;
    match open.body(|_| true)? {
        (body, End::Whole) if !body.is_empty() => Ok(()),
        (body, end) => Err(format!(
            "{end:?} behind {} bytes, where a session ends",
            body.len()
        )),
    }
}

fn look(world: &World, chance: &mut Chance) -> Result<(), String> {
    let paths = [
        "journal?limit=20",
        "connections",
        "topics/room",
        "verify",
        "scenario",
        "state",
        "endpoints",
    ];
    let path = format!("/__mock/{}", chance.one(&paths));
    let (status, told) = exchange(world, "GET", &path, "")?;
    count(&world.tally.commands);
    match status {
        200 => Ok(()),
        // Nothing is expected of anybody.
        404 if path.ends_with("verify") => Ok(()),
        _ => Err(format!("{path}: {status} {told}")),
    }
}
