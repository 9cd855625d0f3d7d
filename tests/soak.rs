//! A server under everything at once, at scaled time: streams with faults, reconnects, reloads, broken
//! reloads, publishing, commands. Each stream's bytes are what `play` gives, memory is flat once warm, and
//! file descriptors come back.
//!
//! Here it is two minutes of script time; `scripts/soak` makes it an hour.

mod support;

#[path = "soak/connection.rs"]
mod connection;
#[path = "soak/driver.rs"]
mod driver;
#[path = "soak/expected.rs"]
mod expected;
#[path = "soak/figures.rs"]
mod figures;
#[path = "soak/http2.rs"]
mod http2;
#[path = "soak/life.rs"]
mod life;
#[path = "soak/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use figures::{Figures, Samples};
use world::{Wishes, World};

#[test]
fn streams_keep_to_their_script_memory_stays_flat_and_descriptors_come_back() {
    let wishes = Wishes::of_environment();
    let world = Arc::new(World::new(wishes));
    eprintln!("{}", world.wishes);
    let idle = Figures::of(world.pid());
    let (clients, followers) = (world.wishes.clients, world.wishes.followers);
    let lives = (0..clients).map(|number| start(&world, move |world| life::streams(world, number)));
    let rooms = (0..followers).map(|number| start(&world, move |world| life::follows(world, number)));
    let mut all: Vec<_> = lives.chain(rooms).collect();
    all.push(start(&world, driver::drive));
    let mut samples = Samples::default();
    while world.goes_on() {
        std::thread::sleep(world.wishes.between_samples());
        samples.take(&Figures::of(world.pid()));
    }
    world.stop();
    // All of them, or the server would outlive a failure.
    let ended: Vec<_> = all.into_iter().map(|life| life.join()).collect();
    assert!(ended.iter().all(Result::is_ok), "a life panicked");
    // All clients have left: the server notices, and nothing of them stays.
    let after = figures::settled(world.pid(), &idle, Duration::from_secs(20));
    let verdict = samples.verdict();
    eprintln!(
        "{}\n{verdict}\nfile descriptors: {} before, {} after",
        world.tally, idle.descriptors, after.descriptors
    );
    world.assert_well();
    assert!(world.tally.is_enough(&world.wishes), "{}", world.tally);
    assert!(verdict.is_flat(), "{verdict}");
    assert!(
        after.descriptors <= idle.descriptors,
        "{} left",
        after.descriptors - idle.descriptors
    );
}

/// What goes wrong in a life ends all of them, and is told at the end.
fn start(
    world: &Arc<World>,
    life: impl FnOnce(&World) -> Result<(), String> + Send + 'static,
) -> std::thread::JoinHandle<()> {
    let world = world.clone();
    std::thread::spawn(move || {
        if let Err(why) = life(&world) {
            world.fails(why);
        }
    })
}
