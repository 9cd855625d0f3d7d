//! Made-up values that look like real ones: names, addresses, sentences. Drawn from the stream's
//! own chance; frozen by a golden test.

use super::fake_words as words;
use crate::random::Draw;

/// A kind of value and how one is made.
type Maker = fn(&mut Draw) -> String;

const MAKERS: &[(&str, Maker)] = &[
    ("city", |d| one(d, words::CITIES)),
    ("color", |d| one(d, words::COLORS)),
    ("company", |d| two(d, words::COMPANIES, " ", words::COMPANY_KINDS)),
    ("country", |d| one(d, words::COUNTRIES)),
    ("date", date),
    ("email", |d| {
        let name = user_name(d);
        format!("{name}@example.{}", pick(d, &["com", "net", "org"]))
    }),
    ("first_name", |d| one(d, words::FIRST_NAMES)),
    ("ipv4", ipv4),
    ("ipv6", ipv6),
    ("job", |d| one(d, words::JOBS)),
    ("last_name", |d| one(d, words::LAST_NAMES)),
    ("name", |d| two(d, words::FIRST_NAMES, " ", words::LAST_NAMES)),
    ("paragraph", paragraph),
    ("phone", phone),
    ("product", |d| two(d, words::MATERIALS, " ", words::THINGS)),
    ("sentence", sentence),
    ("street", |d| {
        let number = d.between(1, 199);
        let street = two(d, words::STREETS, " ", words::STREET_KINDS);
        format!("{number} {street}")
    }),
    ("url", |d| {
        let path = two(d, words::WORDS, "/", words::WORDS);
        format!("https://www.example.com/{path}")
    }),
    ("user_name", user_name),
    ("word", |d| one(d, words::WORDS)),
    ("words", |d| {
        let count = d.between(3, 6);
        several(d, count)
    }),
];

/// A value of a kind; `None` for a kind that there is not.
pub(super) fn make(kind: &str, draw: &mut Draw) -> Option<String> {
    let (_, maker) = MAKERS.iter().find(|(name, _)| *name == kind)?;
    Some(maker(draw))
}

/// All kinds there are, by name.
pub(super) fn kinds() -> Vec<&'static str> {
    MAKERS.iter().map(|(name, _)| *name).collect()
}

fn pick<'a>(draw: &mut Draw, list: &[&'a str]) -> &'a str {
    list[draw.below(list.len() as u64) as usize]
}

fn one(draw: &mut Draw, list: &[&str]) -> String {
    pick(draw, list).to_owned()
}

fn two(draw: &mut Draw, first: &[&str], between: &str, second: &[&str]) -> String {
    let first = pick(draw, first);
    format!("{first}{between}{}", pick(draw, second))
}

/// Lower-case ASCII, as addresses want it.
fn user_name(draw: &mut Draw) -> String {
    let first = pick(draw, words::FIRST_NAMES);
    let last = pick(draw, words::LAST_NAMES);
    let number = draw.between(1, 99);
    let name = format!("{first}.{last}{number}").to_lowercase();
    name.replace('ö', "oe")
}

fn several(draw: &mut Draw, count: i64) -> String {
    let words: Vec<&str> = (0..count).map(|_| pick(draw, words::WORDS)).collect();
    words.join(" ")
}

fn sentence(draw: &mut Draw) -> String {
    let count = draw.between(5, 10);
    let words = several(draw, count);
    let (first, rest) = words.split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}

fn paragraph(draw: &mut Draw) -> String {
    let count = draw.between(3, 5);
    let sentences: Vec<String> = (0..count).map(|_| sentence(draw)).collect();
    sentences.join(" ")
}

/// A number of the range that is kept for fiction in North America.
fn phone(draw: &mut Draw) -> String {
    let area = draw.between(201, 989);
    format!("+1-{area}-555-01{:02}", draw.below(100))
}

/// An address of one of the three networks kept for documentation (RFC 5737).
fn ipv4(draw: &mut Draw) -> String {
    let network = pick(draw, &["192.0.2", "198.51.100", "203.0.113"]);
    format!("{network}.{}", draw.between(1, 254))
}

/// An address of the network kept for documentation (RFC 3849).
fn ipv6(draw: &mut Draw) -> String {
    let parts: Vec<String> = (0..6).map(|_| format!("{:x}", draw.between(1, 0xffff))).collect();
    format!("2001:db8:{}", parts.join(":"))
}

/// A day of the years 2000 to 2029, that every month has.
fn date(draw: &mut Draw) -> String {
    let year = draw.between(2000, 2029);
    let month = draw.between(1, 12);
    format!("{year}-{month:02}-{:02}", draw.between(1, 28))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{DrawKey, Purpose};

    fn draw() -> Draw {
        let key = DrawKey {
            endpoint: "GET /x#0".into(),
            client: String::new(),
            attempt: 1,
        };
        Draw::new(7, &key, Purpose::Data)
    }

    /// Frozen: a change here changes the streams of every user that has a seed.
    #[test]
    fn what_is_made_up_is_golden() {
        let mut draw = draw();
        let made: Vec<String> = kinds()
            .into_iter()
            .map(|kind| format!("{kind}: {}", make(kind, &mut draw).unwrap()))
            .collect();
        assert_eq!(made, GOLDEN);
    }

    const GOLDEN: &[&str] = &[
        "city: Cedar Falls",
        "color: orange",
        "company: Atlas Partners",
        "country: Poland",
        "date: 2012-04-27",
        "email: felix.bauer78@example.org",
        "first_name: Alma",
        "ipv4: 198.51.100.147",
        "ipv6: 2001:db8:2931:7cf7:877e:e2c6:84bc:79a6",
        "job: accountant",
        "last_name: Schmidt",
        "name: Nadia Blanc",
        "paragraph: Morning after close around before story sound. \
         Rain against earth reach across dark almost carry again again. \
         Voice again field reach road bright leave often around cloud. \
         Deep river field white wind house little house field mountain.",
        "phone: +1-406-555-0177",
        "product: Canvas Bench",
        "sentence: White change time night keep deep.",
        "street: 92 Lime Road",
        "url: https://www.example.com/find/water",
        "user_name: carla.schmidt98",
        "word: after",
        "words: dark listen summer green early",
    ];

    /// The lists are as they were: the golden values above do not touch each entry.
    #[test]
    fn the_lists_are_frozen() {
        use sha2::{Digest, Sha256};
        let lists = [
            words::FIRST_NAMES,
            words::LAST_NAMES,
            words::CITIES,
            words::COUNTRIES,
            words::STREETS,
            words::STREET_KINDS,
            words::COMPANIES,
            words::COMPANY_KINDS,
            words::COLORS,
            words::MATERIALS,
            words::THINGS,
            words::JOBS,
            words::WORDS,
        ];
        let all: Vec<String> = lists.iter().map(|list| list.join(",")).collect();
        let hash = Sha256::digest(all.join(";"));
        let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hash,
            "28b7f0b2b263389e7c129c3b699d7e82c60c7e240291eb8dd8a90cbe415b738d"
        );
    }

    #[test]
    fn user_names_are_plain_ascii() {
        let mut draw = draw();
        assert!((0..2000).all(|_| user_name(&mut draw).is_ascii()));
    }
}
