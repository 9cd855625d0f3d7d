//! Made-up scripts, driven like a player drives them, at any times and in any order: whatever the steps,
//! a plan comes to no harm, keeps its times, and looking ahead changes nothing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use mock_sse::event::Event;
use mock_sse::expr::{NoState, NoTopics, RequestScope};
use mock_sse::plan::{BranchId, Chance, Cue, Plan};
use mock_sse::random::{Draw, DrawKey, Purpose};
use mock_sse::request::Request;
use mock_sse::scenario::compile;
use mock_sse::scenario::diagnostic::Source;
use mock_sse::scenario::model::{Body, Choice};

/// Cues in which one script is watched.
const MOST_CUES: usize = 300;

#[derive(Debug, Arbitrary)]
struct Input {
    seed: u8,
    wire: u8,
    look: Look,
    steps: Vec<Step>,
    moves: Vec<(Move, u8)>,
}

/// What must change nothing; one at a time, as it may go far.
#[derive(Debug, Arbitrary)]
enum Look {
    Measure,
    UnknownId,
    KnownId,
}

#[derive(Debug, Arbitrary)]
enum Move {
    Late,
    Release,
    TimeUp,
    Relay,
    Heartbeat,
    Measure,
    Ahead,
}

/// Numbers pick from the lists below.
#[derive(Debug, Arbitrary)]
enum Step {
    Event {
        data: u8,
        id: u8,
        after: u8,
        split: u8,
    },
    Every {
        data: u8,
        every: u8,
        times: u8,
    },
    Wait(u8),
    Raw(u8),
    OneWrite(Vec<Step>),
    Repeat {
        every: u8,
        times: u8,
        condition: u8,
        steps: Vec<Step>,
    },
    ForEach {
        items: u8,
        every: u8,
        steps: Vec<Step>,
    },
    Choose(Vec<(u8, Vec<Step>)>),
    If {
        condition: u8,
        then: Vec<Step>,
        otherwise: Vec<Step>,
    },
    Parallel(Vec<Vec<Step>>),
    Let(u8),
    Set(u8),
    Follow {
        limit: u8,
        time: u8,
    },
    Publish(u8),
    Signal(u8),
    WaitFor {
        what: u8,
        time: u8,
        otherwise: Vec<Step>,
    },
    Stall(u8),
    Offline(u8),
    End(u8),
}

const TIMES: &[&str] = &[
    "0ms",
    "1ms",
    "7ms",
    "1s",
    "2ms..9ms",
    "'{{ seq }}ms'",
    "'{{ n }}'",
    "500h",
];
const DATA: &[&str] = &[
    "x",
    "''",
    "'{{ seq }}'",
    "'{{ uuid() }}'",
    "'{{ n }} {{ elapsed }}'",
    "[1, '{{ letter() }}']",
    "'☃ snow'",
    "'{{ state.a }}'",
    "\"a\\nb\\r\\n\\0\"",
    "'{{ random_int(1, 9) }}'",
    "'{{ \"☃\" * 3000 }}'",
];
const CONDITIONS: &[&str] = &[
    "seq < 3",
    "n == 1",
    "elapsed < 5",
    "random_int(0, 1) == 1",
    "state.a",
    "n > 'x'",
];
const ITEMS: &[&str] = &[
    "[]",
    "[1, 2]",
    "[[a], {b: c}, ~]",
    "'{{ range(3) | list }}'",
    "'{{ n }}'",
    "'{{ [1] * 40 }}'",
];
const RAW: &[&str] = &[
    "x",
    "''",
    "{ hex: '00 ff e2' }",
    "{ fill: 5000 }",
    "['a', { fill: 0 }]",
    "'{{ n }}'",
];
const SPLITS: &[&str] = &[
    "{ every: 1 }",
    "{ every: 3, gap: 2ms }",
    "{ at: [0, 1, 9999] }",
    "{ random: 1..4, gap: 0ms..3ms }",
    "{ inside: utf8, gap: '{{ seq }}ms' }",
    "{ inside: crlf }",
];
const WIRES: &[&str] = &[
    "",
    "wire: { eol: cr }",
    "wire: { bom: twice, split: { every: 1, gap: 1ms } }",
    "wire: { bom: true, eol: crlf }",
    "heartbeat: 5ms",
    "heartbeat: { every: 3ms, data: '{{ uuid() }}' }",
    "wire: { split: { random: 1..3 } }",
];
const ENDS: &[&str] = &["close", "cut", "reset", "stall", "hold"];
const AWAITED: &[&str] = &["signal: go", "signal: 's{{ n }}'", "clients: 2", "publish: t"];

const FINALLY: &str = "[ { let: { n: '{{ n }}!' } }, { set: { a: '{{ n }}' } }, \
    { if: seq > 1, then: [ signal: '{{ n }}' ] }, { publish: { topic: t, data: '{{ elapsed }}' } } ]";

fn one<'l>(list: &[&'l str], which: u8) -> &'l str {
    list[usize::from(which) % list.len()]
}

/// Nothing for the even ones, so that a key is often left away.
fn maybe(key: &str, list: &[&str], which: u8) -> String {
    match which % 2 {
        0 => String::new(),
        _ => format!(", {key}: {}", one(list, which / 2)),
    }
}

/// Where steps stand.
#[derive(Clone, Copy)]
struct Room {
    depth: usize,
    /// All of it is one write: nothing in there takes time.
    single: bool,
}

impl Room {
    /// What is inside a step of this room.
    fn inner(self) -> Room {
        let depth = self.depth + 1;
        Room { depth, ..self }
    }

    fn takes(self, step: &Step) -> bool {
        use Step::{Choose, Event, ForEach, If, Let, Raw, Repeat, Set};
        let timeless = matches!(
            step,
            Event { .. } | Raw(_) | Repeat { .. } | ForEach { .. } | Choose(_) | If { .. } | Let(_) | Set(_)
        );
        timeless || !self.single
    }

    /// A key that only fits where time passes.
    fn timed(self, key: &str, list: &[&str], which: u8) -> String {
        match self.single {
            true => String::new(),
            false => maybe(key, list, which),
        }
    }
}

fn steps(all: &[Step], room: Room) -> String {
    let all = if room.depth > 6 { &[] } else { all };
    // What has to have a step has one.
    let mut text = String::from("[{ data: s }");
    for step in all.iter().filter(|step| room.takes(step)) {
        let _ = write!(text, ", {{ {} }}", written(step, room.inner()));
        if matches!(step, Step::End(_)) {
            break;
        }
    }
    text + "]"
}

fn written(step: &Step, room: Room) -> String {
    match step {
        Step::Event {
            data,
            id,
            after,
            split,
        } => format!(
            "data: {}{}{}{}",
            one(DATA, *data),
            maybe("id", &["uuid", "counter", "i1", "''", "'{{ n }}'"], *id),
            room.timed("after", TIMES, *after),
            room.timed("split", SPLITS, *split)
        ),
        Step::Every { data, every, times } => format!(
            "data: {}, every: {}{}",
            one(DATA, *data),
            one(TIMES, *every),
            maybe("times", &["0", "1", "5", "1000000"], *times)
        ),
        Step::Wait(time) => format!("wait: {}", one(TIMES, *time)),
        Step::Raw(raw) => format!("raw: {}", one(RAW, *raw)),
        Step::OneWrite(inside) => format!("one_write: {}", steps(inside, Room { single: true, ..room })),
        Step::Repeat {
            every,
            times,
            condition,
            steps: inside,
        } => format!(
            "repeat: {{ steps: {}{}{}{} }}",
            steps(inside, room),
            room.timed("every", TIMES, *every),
            match room.single {
                true => maybe("times", &["1", "3", "40"], *times | 1),
                false => maybe("times", &["1", "3", "1000000", "18446744073709551615"], *times),
            },
            maybe("while", CONDITIONS, *condition)
        ),
        Step::ForEach {
            items,
            every,
            steps: inside,
        } => format!(
            "for_each: {{ in: {}, as: n, steps: {}{} }}",
            one(ITEMS, *items),
            steps(inside, room),
            room.timed("every", TIMES, *every)
        ),
        Step::Choose(choices) => {
            let mut text = String::from("choose: [");
            for (weight, inside) in choices {
                let _ = write!(text, "{{ weight: {weight}, steps: {} }}, ", steps(inside, room));
            }
            text + match room.single {
                true => "{ steps: [ raw: x ] }]",
                false => "{ steps: [ wait: 1ms ] }]",
            }
        }
        Step::If {
            condition,
            then,
            otherwise,
        } => format!(
            "if: \"{}\", then: {}, else: {}",
            one(CONDITIONS, *condition),
            steps(then, room),
            steps(otherwise, room)
        ),
        Step::Parallel(lists) => {
            let lists: Vec<String> = lists.iter().map(|list| steps(list, room)).collect();
            format!("parallel: [[wait: 1ms], [data: p], {}]", lists.join(", "))
        }
        Step::Let(data) => format!("let: {{ n: {} }}", one(DATA, *data)),
        Step::Set(data) => format!("set: {{ a: {}, 'k{{{{ n }}}}': ~ }}", one(DATA, *data)),
        Step::Follow { limit, time } => format!(
            "follow: {{ topic: {}{}{} }}",
            one(&["t", "[t, u]", "'{{ n }}'"], *limit / 2),
            maybe("limit", &["1", "2"], *limit),
            maybe("for", TIMES, *time)
        ),
        Step::Publish(data) => format!("publish: {{ topic: t, data: {} }}", one(DATA, *data)),
        Step::Signal(name) => format!("signal: {}", one(&["go", "'s{{ n }}'"], *name)),
        Step::WaitFor {
            what,
            time,
            otherwise,
        } => format!(
            "wait_for: {{ {}, for: {}, else: {} }}",
            one(AWAITED, *what),
            one(TIMES, *time),
            steps(otherwise, room)
        ),
        Step::Stall(time) => format!("stall: {}", one(TIMES, *time)),
        Step::Offline(time) => format!("offline: {}", one(TIMES, *time)),
        Step::End(end) => format!("end: {}", one(ENDS, *end)),
    }
}

/// The same plans as often as one likes; `None` if the scenario does not load.
fn plans(input: &Input) -> Option<impl Fn() -> Plan> {
    let yaml = format!(
        "topics: {{ t: {{}}, u: {{}} }}\nendpoints:\n  - path: /x\n    let: {{ n: 1 }}\n    resume: true\n    {}\n    stream: {}\n    finally: {}\n",
        one(WIRES, input.wire),
        steps(
            &input.steps,
            Room {
                depth: 0,
                single: false
            }
        ),
        FINALLY
    );
    let source = Arc::new(Source::new("fuzz.yaml", yaml.clone()));
    let scenario = match compile(&[source]) {
        Ok((scenario, _)) => Arc::new(scenario),
        Err(errors) => {
            if std::env::var_os("SHOW").is_some() {
                let all: Vec<String> = errors.iter().map(|e| e.render(false)).collect();
                eprintln!("{yaml}{}", all.join("\n"));
            }
            return None;
        }
    };
    let Choice::Answer(answer) = &scenario.endpoints[0].choice else {
        return None;
    };
    let Body::Stream(script) = &answer.body else {
        return None;
    };
    let (script, seed) = (script.clone(), input.seed.into());
    Some(move || {
        let key = DrawKey::first("GET /x#0");
        let draw = |purpose| Draw::new(seed, &key, purpose);
        let scope = RequestScope::new(
            Arc::new(Request::example("GET", "/x")),
            scenario.vars.clone(),
            1,
            vec![("n".into(), "1".into())],
            draw(Purpose::Data),
            Arc::new(NoTopics),
            Arc::new(NoState),
        );
        let chance = Chance::new(draw);
        Plan::new(scenario.clone(), script.clone(), scope, chance, 1_000_000)
    })
}

/// A plan under way, as a player sees it.
struct Run {
    plan: Plan,
    elapsed: Duration,
    waiting: Vec<(BranchId, Duration)>,
    lines: Vec<String>,
    /// Whether it looks ahead on the way.
    looks: bool,
}

impl Run {
    fn new(plan: Plan, looks: bool) -> Run {
        Run {
            plan,
            elapsed: Duration::ZERO,
            waiting: Vec::new(),
            lines: Vec::new(),
            looks,
        }
    }

    /// Drives it for a while and in the end as far as it goes.
    fn drive(mut self, moves: &[(Move, u8)]) -> Vec<String> {
        let mut moves = moves.iter().cycle();
        let moves = moves.by_ref();
        for _ in 0..MOST_CUES {
            let cue = self.plan.next(self.elapsed);
            if self.take(cue) {
                break;
            }
            if let Some((what, how)) = moves.next() {
                self.make(what, (*how).into());
            }
        }
        // Whoever asks once more than needed gets an answer.
        let _ = self.plan.next(self.elapsed);
        if self.plan.conclude(self.elapsed) {
            self.finish();
        }
        self.lines
    }

    /// What is done in the end takes no time.
    fn finish(&mut self) {
        for _ in 0..MOST_CUES {
            match self.plan.next(Duration::MAX) {
                Cue::Wait(_) => {}
                Cue::End(_) | Cue::Fail(_) => return,
                Cue::Set(_) => self.lines.push("set in the end".into()),
                cue @ (Cue::Publish(_) | Cue::Signal(_)) => self.lines.push(format!("{cue:?} in the end")),
                other => panic!("{other:?} in the end"),
            }
        }
        panic!("the end never comes");
    }

    /// Whether it was the last one.
    fn take(&mut self, cue: Cue) -> bool {
        let (due, elapsed) = (self.plan.due(), self.elapsed);
        assert!(
            due <= elapsed,
            "{cue:?} is due at {due:?} and comes at {elapsed:?}"
        );
        if let Cue::Send(write) = &cue {
            assert!(!write.frame.is_empty(), "an empty write");
        }
        self.lines.push(match &cue {
            Cue::Set(setting) => format!("{elapsed:?} set {}", setting.assignments.len()),
            other => format!("{elapsed:?} {other:?}"),
        });
        match cue {
            Cue::Wait(due) => self.elapsed = self.elapsed.max(due),
            Cue::Follow(branch, what) => self.waiting.push((branch, what.until.unwrap_or(elapsed))),
            Cue::Await(branch, what) => self.waiting.push((branch, what.until.unwrap_or(elapsed))),
            Cue::Idle if self.waiting.is_empty() => panic!("nothing to wait for"),
            Cue::Idle => self.let_go(0, true),
            Cue::End(_) | Cue::Fail(_) => return true,
            _ => {}
        }
        false
    }

    fn let_go(&mut self, which: usize, in_time: bool) {
        if self.waiting.is_empty() || self.plan.is_mid_event() {
            return;
        }
        let (branch, until) = self.waiting.remove(which % self.waiting.len());
        self.elapsed = self.elapsed.max(until);
        match in_time {
            true => self.plan.release(branch, self.elapsed),
            false => self.plan.time_up(branch, until),
        }
    }

    fn make(&mut self, what: &Move, how: usize) {
        match what {
            Move::Late => self.elapsed += Duration::from_millis(how as u64),
            Move::Release => self.let_go(how, true),
            Move::TimeUp => self.let_go(how, false),
            Move::Relay if !self.plan.is_mid_event() => {
                let event = Event {
                    data: Some(vec![b'r'; how].into()),
                    ..Event::default()
                };
                self.plan.relay(&event, self.elapsed);
            }
            Move::Heartbeat if !self.plan.is_mid_event() => {
                let beat = self.plan.heartbeat(self.elapsed);
                self.lines.push(format!("{beat:?}"));
            }
            // Once is enough: it may take its time.
            Move::Measure if std::mem::take(&mut self.looks) => drop(self.plan.measure()),
            Move::Ahead => {
                if let Some(cue) = self.plan.follow_ahead(self.elapsed) {
                    self.take(cue);
                }
            }
            _ => {}
        }
    }
}

pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    let Some(plan) = plans(&input) else { return };
    let mut other = plan();
    match input.look {
        Look::Measure => {}
        Look::UnknownId => other.resume(b"no such id"),
        Look::KnownId => {
            other.resume(b"i1");
            Run::new(other, false).drive(&input.moves);
            return;
        }
    }
    let plain = Run::new(plan(), false).drive(&input.moves);
    let looked = Run::new(other, matches!(input.look, Look::Measure)).drive(&input.moves);
    assert_eq!(plain, looked, "{:?} changes nothing", input.look);
}
