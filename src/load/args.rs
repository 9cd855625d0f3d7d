//! The command line of `mock-sse load`, and its conversion to settings. What belongs here: raw
//! texts and their defaults; what they mean is in `settings`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::{HeaderName, HeaderValue};

use super::error::LoadError;
use super::settings::{Listen, LoadSettings, Publish, Template, Way, Work};
use crate::client::Target;

/// Open many streams of an SSE server and measure what arrives.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The stream to open: http(s)://HOST:PORT/PATH
    pub url: String,

    /// How many streams to open
    #[arg(short = 'n', long, default_value_t = 100)]
    pub streams: usize,

    /// Post messages to this address; without it, only listen
    #[arg(long, value_name = "URL")]
    pub publish: Option<String>,

    /// Run this shell command for each message, which is in $MOCK_SSE_MESSAGE and on its standard input
    #[arg(long, value_name = "COMMAND", conflicts_with = "publish")]
    pub publish_command: Option<String>,

    /// How many publish side by side, each on a connection of its own; they share --rate and --messages
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub publishers: usize,

    /// What to post: JSON with the members "n" and "t", whose values are the placeholders n (the
    /// message's number) and t (the time of sending in ns), each in braces; nothing else by default
    #[arg(long, value_name = "TEMPLATE")]
    pub body: Option<String>,

    /// Messages per second; 0: each as soon as the last one was answered
    #[arg(long, value_name = "PER_SECOND", default_value_t = 50.0)]
    pub rate: f64,

    /// How many messages to post
    #[arg(long, value_name = "COUNT", default_value_t = 250)]
    pub messages: u64,

    /// How long to post (at a --rate), or to listen: 500ms, 20s, 5m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub time: Option<Duration>,

    /// Listen until each stream has had so many events (or --for is over; then some are lost)
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["publish", "publish_command"])]
    pub events: Option<u64>,

    /// Messages to post ahead of the measured ones, until every stream has had one
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub warm_up: u64,

    /// The server's process: measure its CPU time and memory; of several processes (with commas
    /// between) the sum
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub server_pid: Vec<u32>,

    /// Threads that read the streams; by default half as many as there are processors
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,

    /// How many connections may be in the making at once
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub connect_concurrency: usize,

    /// Open the streams over HTTP/2 (over http by prior knowledge); posting stays HTTP/1.1
    #[arg(long)]
    pub http2: bool,

    /// Streams on each HTTP/2 connection
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub streams_per_connection: usize,

    /// Trust the CA in this PEM file
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Trust any certificate
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,

    /// A header for every request (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,

    /// The longest wait for an answer, and for deliveries to go on
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,

    /// The longest time to post and to wait for deliveries
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub limit: Duration,

    /// Allow a server that is not on this machine
    #[arg(long)]
    pub allow_remote: bool,

    /// Do not show on the terminal how far the run is
    #[arg(short, long)]
    pub quiet: bool,

    /// Draw latency and deliveries in time into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

impl TryFrom<LoadArgs> for LoadSettings {
    type Error = LoadError;

    fn try_from(args: LoadArgs) -> Result<Self, LoadError> {
        let mut settings = LoadSettings::new(Target::parse(&args.url)?, work(&args)?);
        settings.headers = args
            .headers
            .iter()
            .map(|text| header(text))
            .collect::<Result<_, _>>()?;
        settings.streams = args.streams;
        settings.server_pids = args.server_pid;
        settings.threads = args.threads.unwrap_or(settings.threads);
        settings.connect_concurrency = args.connect_concurrency;
        settings.http2 = args.http2;
        settings.streams_per_connection = args.streams_per_connection;
        settings.ca = args.ca;
        settings.insecure = args.insecure;
        settings.timeout = args.timeout;
        settings.limit = args.limit;
        settings.allow_remote = args.allow_remote;
        settings.progress = !args.quiet;
        Ok(settings)
    }
}

fn work(args: &LoadArgs) -> Result<Work, LoadError> {
    let Some(way) = way(args)? else {
        if args.body.is_some() {
            return Err(setting(
                "--body",
                "it is what to publish: give --publish or --publish-command, too",
            ));
        }
        // Streams that never end must not keep the run from ending.
        return Ok(Work::Listen(Listen {
            time: args.time.unwrap_or(Duration::from_secs(20)),
            events: args.events,
        }));
    };
    let messages = match args.time {
        Some(time) if args.rate > 0.0 => (time.as_secs_f64() * args.rate).ceil() as u64,
        Some(_) => return Err(setting("--for", "posting for a time needs a --rate")),
        None => args.messages,
    };
    Ok(Work::Publish(Publish {
        way,
        publishers: args.publishers,
        body: match &args.body {
            Some(text) => Template::parse(text)?,
            None => Template::default(),
        },
        rate: (args.rate != 0.0).then_some(args.rate),
        messages,
        warm_up: args.warm_up,
    }))
}

fn way(args: &LoadArgs) -> Result<Option<Way>, LoadError> {
    let command = || args.publish_command.clone().map(Way::Command);
    match &args.publish {
        Some(url) => Ok(Some(Way::Post(Target::parse(url)?))),
        None => Ok(command()),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), LoadError> {
    let wrong = || setting("--header", &format!("`{text}` is no `Name: value`"));
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
    Ok((name, value))
}

fn setting(name: &'static str, why: &str) -> LoadError {
    LoadError::Setting {
        name,
        why: why.to_owned(),
    }
}

/// A time of the command line: a whole number and `ms`, `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time is a whole number and ms, s, m or h, as in 20s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "no number".to_owned())?;
    let total = number.checked_mul(ms).ok_or("too long")?;
    Ok(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn settings(line: &str) -> Result<LoadSettings, String> {
        let words = std::iter::once("load").chain(line.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        LoadSettings::try_from(cli.load).map_err(|error| error.to_string())
    }

    #[test]
    fn publishing_for_a_time() {
        let line = "http://[::1]/a --publish http://[::1]/b --for 20s --rate 5 -H x-a:b -n 7";
        let settings = settings(line).unwrap();
        let Work::Publish(publish) = settings.work else {
            panic!("not publishing")
        };
        assert_eq!((publish.messages, publish.rate), (100, Some(5.0)));
        assert_eq!(settings.streams, 7);
        assert_eq!(settings.headers[0].1, "b");
    }

    #[test]
    fn listening() {
        let settings = settings("http://[::1]/a --for 1500ms --events 3").unwrap();
        let Work::Listen(listen) = settings.work else {
            panic!("not listening")
        };
        assert_eq!(listen.time, Duration::from_millis(1500));
        assert_eq!(listen.events, Some(3));
    }

    #[test]
    fn mistakes_are_told() {
        for (line, part) in [
            ("sse", "`sse` is no usable address"),
            ("http://[::1]/ --for 5", "a time is a whole number"),
            ("http://[::1]/ -H nonsense", "`nonsense` is no `Name: value`"),
            (
                "http://[::1]/ --publish http://[::1]/ --events 1",
                "cannot be used with",
            ),
            (
                "http://[::1]/ --publish http://[::1]/ --rate 0 --for 5s",
                "needs a --rate",
            ),
            ("http://[::1]/ --body x", "give --publish or --publish-command"),
            (
                "http://[::1]/ --publish http://[::1]/ --publish-command x",
                "cannot be used with",
            ),
            ("http://[::1]/ --publish http://[::1]/ --body x", "`x` must hold"),
        ] {
            let error = settings(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
