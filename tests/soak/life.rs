//! What clients do: open a stream, read it or leave it, hold it against what `play` gives, come back.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mock_sse::play::How;
use mock_sse::request::Request;

use crate::connection::{Connection, End};
use crate::expected::{Expected, expected};
use crate::http2::Http2;
use crate::support::chance::Chance;
use crate::world::{World, count, scenario};

const PATHS: [&str; 8] = [
    "/ticks",
    "/nested",
    "/faulty",
    "/pieces",
    "/slow",
    "/resume",
    "/attempts",
    "/packed",
];
/// Its streams may be ended by command.
pub const ORDERED: &str = "/ticks";

/// One client that asks for streams, one after the other.
pub fn streams(world: &World, number: u64) -> Result<(), String> {
    let mut client = Client {
        world,
        number,
        chance: Chance::new(world.wishes.seed, number),
        attempts: HashMap::new(),
        last_id: String::new(),
        kept: None,
    };
    while world.goes_on() {
        client.stream().map_err(|why| format!("client {number}: {why}"))?;
        // As long as a reconnection takes, and sometimes not at all.
        let pause = (client.chance.below(2) * client.chance.below(4000)) as u64;
        std::thread::sleep(Duration::from_millis(pause) / world.wishes.scale as u32);
    }
    Ok(())
}

struct Client<'w> {
    world: &'w World,
    number: u64,
    chance: Chance,
    attempts: HashMap<&'static str, u64>,
    last_id: String,
    kept: Option<Connection>,
}

enum Talk {
    One(Connection),
    Two(Http2),
}

/// A stream whose head has come.
struct Begun {
    talk: Talk,
    status: u16,
    version: u64,
    orders: u64,
}

impl Client<'_> {
    fn stream(&mut self) -> Result<(), String> {
        let path = *self.chance.one(&PATHS);
        let attempt = self.attempts.entry(path).or_default();
        *attempt += 1;
        let attempt = *attempt;
        let resumes = path == "/resume" && !self.last_id.is_empty();
        let last_id = if resumes {
            self.last_id.clone()
        } else {
            String::new()
        };
        let mut begun = self.begin(path, &last_id)?;
        let enough = match self.chance.below(4) {
            0 => self.chance.below(1500),
            _ => usize::MAX,
        };
        let wants = |body: &[u8]| body.len() <= enough && self.world.goes_on();
        let (body, end) = match &mut begun.talk {
            Talk::One(connection) => connection.body(wants)?,
            Talk::Two(http2) => http2.body(wants)?,
        };
        let request = self.request(path, &last_id);
        let expected = expected(&scenario(begun.version), self.world.wishes.seed, attempt, request);
        let told = format!(
            "attempt {attempt} of {path} at version {}, {end:?}",
            begun.version
        );
        self.compare(path, &begun, &body, end, &expected)
            .map_err(|why| format!("{told}: {why}"))?;
        if path == "/resume" {
            self.last_id = last_id_of(&body).unwrap_or_default();
        }
        self.kept = match begun.talk {
            Talk::One(connection) if end == End::Whole && self.chance.below(2) == 0 => Some(connection),
            _ => None,
        };
        Ok(())
    }

    /// A request whose scenario is known: none comes into force meanwhile.
    fn begin(&mut self, path: &str, last_id: &str) -> Result<Begun, String> {
        let version = self.world.version.read().unwrap();
        let orders = self.world.orders.load(Relaxed);
        let path = format!("{path}?client=c{}", self.number);
        let (talk, status) = match self.chance.below(4) {
            0 => {
                count(&self.world.tally.http2);
                let (http2, status) = Http2::ask(self.world.port, &path, last_id)?;
                (Talk::Two(http2), status)
            }
            _ => {
                let mut connection = self.connection()?;
                let mut fields = "accept-encoding: gzip\r\n".to_owned();
                if !last_id.is_empty() {
                    fields += &format!("last-event-id: {last_id}\r\n");
                }
                let status = connection.ask("GET", &path, &fields, "")?;
                (Talk::One(connection), status)
            }
        };
        count(&self.world.tally.requests);
        Ok(Begun {
            talk,
            status,
            version: *version,
            orders,
        })
    }

    /// The one that was kept, or a new one.
    fn connection(&mut self) -> Result<Connection, String> {
        match self.kept.take() {
            Some(kept) => {
                count(&self.world.tally.kept);
                Ok(kept)
            }
            None => Connection::open(self.world.port),
        }
    }

    fn request(&self, path: &str, last_id: &str) -> Request {
        let mut request = Request::example("GET", path);
        request.query = Some(format!("client=c{}", self.number));
        request.headers.push(("accept-encoding".into(), "gzip".into()));
        if !last_id.is_empty() {
            request
                .headers
                .push(("last-event-id".into(), last_id.to_owned().into()));
        }
        request
    }

    fn compare(
        &self,
        path: &str,
        begun: &Begun,
        body: &[u8],
        end: End,
        expected: &Expected,
    ) -> Result<(), String> {
        let tally = &self.world.tally;
        tally.bytes.fetch_add(body.len() as u64, Relaxed);
        if begun.status != expected.status {
            return Err(format!("status {} instead of {}", begun.status, expected.status));
        }
        // Somebody has said that open streams are to end.
        let ordered = path == ORDERED && self.world.orders.load(Relaxed) != begun.orders;
        let partly = end == End::Left || ordered;
        let equal = match partly {
            true => expected.body.starts_with(body),
            false => expected.body == body,
        };
        if !equal {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            return Err(format!(
                "got {:?}\ninstead of {:?}",
                text(body),
                text(&expected.body)
            ));
        }
        count(match end {
            _ if ordered && body.len() < expected.body.len() && end != End::Left => &tally.ordered,
            End::Whole => &tally.whole,
            End::Cut => &tally.cut,
            End::Reset => &tally.reset,
            End::Left => &tally.left,
        });
        let wanted = match expected.how {
            How::Cut => End::Cut,
            How::Reset => End::Reset,
            _ => End::Whole,
        };
        match partly || end == wanted {
            true => Ok(()),
            false => Err(format!("it ended as {end:?} instead of {wanted:?}")),
        }
    }
}

/// The id of the last event that was dispatched.
fn last_id_of(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let (whole, _) = text.rsplit_once("\n\n")?;
    let mut ids = whole.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.next_back().map(str::to_owned)
}

/// One that follows the room: it gets all that is published while it is there, in order.
pub fn follows(world: &World, number: u64) -> Result<(), String> {
    let mut chance = Chance::new(world.wishes.seed, 1_000_000 + number);
    while world.goes_on() {
        let told = |why: String| format!("follower {number}: {why}");
        let mut connection = Connection::open(world.port).map_err(told)?;
        let (from, status) = {
            let published = world.published.lock().unwrap();
            (
                published.len(),
                connection.ask("GET", "/room", "", "").map_err(told)?,
            )
        };
        let most = 1 + chance.below(40);
        let (body, end) = connection
            .body(|body| events(body) < most && world.goes_on())
            .map_err(told)?;
        if (status, end) != (200, End::Left) {
            return Err(told(format!("{status}, {end:?}")));
        }
        let published = world.published.lock().unwrap();
        let got = data(&body);
        let expected = published[from..].iter().take(got.len());
        if !got.iter().eq(expected) {
            return Err(told(format!("got {got:?}\ninstead of {:?}", &published[from..])));
        }
        world.tally.relayed.fetch_add(got.len() as u64, Relaxed);
    }
    Ok(())
}

fn events(body: &[u8]) -> usize {
    body.windows(2).filter(|two| two == b"\n\n").count()
}

/// The data of whole events.
fn data(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    let data = whole.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(str::to_owned).collect()
}
