//! What a run found. What belongs here: the arithmetic of the figures, their names and units; how
//! people see them is in `table` and `plot`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::board::Board;
use super::desk::Findings;
use super::histogram::Histogram;
use super::run::Measured;
use super::settings::{LoadSettings, Work};
use super::streams::Opened;

/// Points of a curve.
const MOST_POINTS: usize = 200;

/// The result of a run. Names end with their unit; what could not be measured is absent (`null`).
#[derive(Debug, Clone, Default, Serialize)]
pub struct LoadReport {
    pub url: String,
    /// `HTTP/1.1` or `HTTP/2`, with `TLS` behind it if encrypted.
    pub protocol: String,
    pub streams: StreamFigures,
    pub published: Option<PublishFigures>,
    pub deliveries: DeliveryFigures,
    /// Publish to receipt; absent when nothing was delivered.
    pub latency_ms: Option<Latency>,
    pub cpu: CpuFigures,
    /// Absent without `server_pid`.
    pub server_memory: Option<MemoryFigures>,
    /// What went wrong, and how often; at most a few dozen different texts.
    pub problems: BTreeMap<String, u64>,
    /// For pictures; not in the JSON.
    #[serde(skip)]
    pub curves: Curves,
}

/// The figures in between.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// Percentiles (0 to 100) and what they are in milliseconds.
    pub latency_ms: Vec<(f64, f64)>,
    /// Seconds since the first message, and deliveries a second around then.
    pub deliveries_per_s: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct StreamFigures {
    pub opened: u64,
    pub failed: u64,
    /// Opened, but the server ended the body before the run was over.
    pub ended: u64,
    /// Opened, but cut off or malformed.
    pub broken: u64,
    /// Opened, but no warm-up message arrived.
    pub unsettled: u64,
    /// TCP connections behind the streams.
    pub connections: u64,
    /// From the first attempt to the last head.
    pub set_up_s: f64,
    pub connections_per_s: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct PublishFigures {
    pub accepted: u64,
    pub failed: u64,
    pub took_s: f64,
    pub messages_per_s: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct DeliveryFigures {
    /// Different messages, summed over the streams; when only listening: all events with data.
    pub total: u64,
    /// Messages accepted for publishing, times streams, that did not arrive; when listening for a
    /// number of events: those that did not come.
    pub lost: u64,
    pub duplicated: u64,
    pub out_of_order: u64,
    /// Events that were none of the run's messages: heartbeats, history, other publishers.
    pub other_events: u64,
    /// From the first message sent to the last one received.
    pub took_s: f64,
    pub per_s: f64,
}

/// Percentiles are at most 1/32 too high; the maximum is exact.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Processor time, from the first message to the end unless said, in steps of 10 ms.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CpuFigures {
    pub own_s: Option<f64>,
    pub own_us_per_delivery: Option<f64>,
    pub server_s: Option<f64>,
    pub server_us_per_delivery: Option<f64>,
    /// While the streams were opened.
    pub set_up_own_s: Option<f64>,
    pub set_up_server_s: Option<f64>,
}

/// The server's proportional set size.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MemoryFigures {
    /// Before the first stream.
    pub before_kib: u64,
    /// All streams open, warm-up over, idle.
    pub open_kib: u64,
    pub after_kib: Option<u64>,
    /// From before to open, for each opened stream.
    pub kib_per_stream: f64,
}

/// What the run saw from outside the streams.
#[derive(Default)]
pub(super) struct Facts {
    pub pss_before: Option<u64>,
    pub set_up_own_s: Option<f64>,
    pub set_up_server_s: Option<f64>,
    pub unsettled: u64,
    pub measured: Option<Measured>,
}

impl LoadReport {
    pub(super) fn new(
        settings: &LoadSettings,
        board: &Board,
        opened: &Opened,
        found: &Findings,
        facts: Facts,
    ) -> Self {
        let deliveries = delivery_figures(settings, opened, found, &facts);
        let mut problems = opened.reasons.clone();
        problems.extend(board.ended().reasons);
        if let Some(measured) = &facts.measured {
            let reasons = &measured.published.reasons;
            problems.extend(reasons.iter().map(|(text, n)| (format!("publish: {text}"), *n)));
        }
        Self {
            url: settings.url.url(),
            protocol: protocol(settings),
            streams: stream_figures(settings, board, opened, &facts),
            published: publish_figures(settings, &facts),
            latency_ms: latency(&found.latency),
            cpu: cpu_figures(&facts, deliveries.total),
            server_memory: memory_figures(&facts, opened.opened),
            curves: curves(found, &facts, &deliveries),
            deliveries,
            problems,
        }
    }

    /// Whether all streams could be opened, none broke, all messages were accepted and none was
    /// lost: exit code 0.
    pub fn succeeded(&self) -> bool {
        let publish_failed = self.published.as_ref().map_or(0, |p| p.failed);
        self.streams.failed + self.streams.broken + self.deliveries.lost + publish_failed == 0
    }

    /// The report as JSON, indented.
    pub fn to_json(&self) -> String {
        // Numbers, texts and maps with text keys: nothing that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn protocol(settings: &LoadSettings) -> String {
    let version = if settings.http2 { "HTTP/2" } else { "HTTP/1.1" };
    let tls = if settings.url.tls { " TLS" } else { "" };
    format!("{version}{tls}")
}

fn stream_figures(settings: &LoadSettings, board: &Board, opened: &Opened, facts: &Facts) -> StreamFigures {
    let ended = board.ended();
    let set_up_s = opened.set_up.as_secs_f64();
    // Failed streams had no connection, as far as can be told.
    let per_connection = match settings.http2 {
        true => settings.streams_per_connection as u64,
        false => 1,
    };
    let connections = opened.opened.div_ceil(per_connection);
    StreamFigures {
        opened: opened.opened,
        failed: opened.failed,
        ended: ended.clean,
        broken: ended.broken,
        unsettled: facts.unsettled,
        connections,
        set_up_s,
        connections_per_s: per(connections as f64, set_up_s),
    }
}

fn publish_figures(settings: &LoadSettings, facts: &Facts) -> Option<PublishFigures> {
    let Work::Publish(publish) = &settings.work else {
        return None;
    };
    // Without a single stream nothing was published.
    let Some(measured) = &facts.measured else {
        return Some(PublishFigures::default());
    };
    let published = &measured.published;
    let took_s = published.took.as_secs_f64();
    // The first message is sent at once: n messages at a rate span n - 1 intervals.
    let intervals = match publish.rate {
        Some(_) => published.accepted.saturating_sub(1),
        None => published.accepted,
    };
    Some(PublishFigures {
        accepted: published.accepted,
        failed: published.failed,
        took_s,
        messages_per_s: per(intervals as f64, took_s),
    })
}

fn delivery_figures(
    settings: &LoadSettings,
    opened: &Opened,
    found: &Findings,
    facts: &Facts,
) -> DeliveryFigures {
    let Some(measured) = &facts.measured else {
        return DeliveryFigures::default();
    };
    let mut figures = DeliveryFigures::default();
    let (mut last_ns, mut short) = (0, 0);
    for tally in &found.tallies {
        figures.total += tally.delivered;
        figures.duplicated += tally.duplicates;
        figures.out_of_order += tally.out_of_order;
        figures.other_events += tally.events - tally.warm_ups - tally.delivered - tally.duplicates;
        last_ns = last_ns.max(tally.last_ns);
        if let Work::Listen(listen) = settings.work {
            short += listen.events.unwrap_or(0).saturating_sub(tally.events);
        }
    }
    match settings.work {
        Work::Publish(_) => {
            let expected = measured.published.accepted * opened.opened;
            figures.lost = expected.saturating_sub(figures.total);
            figures.took_s = last_ns.saturating_sub(measured.began_ns) as f64 / 1e9;
        }
        Work::Listen(_) => {
            // Whoever publishes, it is not this run.
            figures.total = found.tallies.iter().map(|tally| tally.events).sum();
            figures.other_events = 0;
            figures.lost = short;
            figures.took_s = measured.took.as_secs_f64();
        }
    }
    figures.per_s = per(figures.total as f64, figures.took_s);
    figures
}

fn latency(latency: &Histogram) -> Option<Latency> {
    let ms = |ns: u64| ns as f64 / 1e6;
    Some(Latency {
        p50: ms(latency.percentile(50.0)?),
        p90: ms(latency.percentile(90.0)?),
        p99: ms(latency.percentile(99.0)?),
        p999: ms(latency.percentile(99.9)?),
        max: ms(latency.max()),
    })
}

fn curves(found: &Findings, facts: &Facts, deliveries: &DeliveryFigures) -> Curves {
    let began_ns = facts.measured.as_ref().map_or(0, |m| m.began_ns - m.run_began_ns);
    let end_ns = began_ns + (deliveries.took_s * 1e9) as u64;
    Curves {
        latency_ms: found
            .latency
            .curve(MOST_POINTS)
            .into_iter()
            .map(|(percent, ns)| (percent, ns as f64 / 1e6))
            .collect(),
        deliveries_per_s: found.pace.curve(began_ns, end_ns, MOST_POINTS),
    }
}

fn cpu_figures(facts: &Facts, deliveries: u64) -> CpuFigures {
    let measured = facts.measured.as_ref();
    let own_s = measured.and_then(|m| m.own_cpu_s);
    let server_s = measured.and_then(|m| m.server_cpu_s);
    let each = |s: Option<f64>| s.filter(|_| deliveries > 0).map(|s| s * 1e6 / deliveries as f64);
    CpuFigures {
        own_s,
        own_us_per_delivery: each(own_s),
        server_s,
        server_us_per_delivery: each(server_s),
        set_up_own_s: facts.set_up_own_s,
        set_up_server_s: facts.set_up_server_s,
    }
}

fn memory_figures(facts: &Facts, opened: u64) -> Option<MemoryFigures> {
    let before_kib = facts.pss_before?;
    let measured = facts.measured.as_ref()?;
    let open_kib = measured.pss_open?;
    Some(MemoryFigures {
        before_kib,
        open_kib,
        after_kib: measured.pss_after,
        kib_per_stream: per(open_kib as f64 - before_kib as f64, opened as f64),
    })
}

fn per(amount: f64, by: f64) -> f64 {
    if by > 0.0 { amount / by } else { 0.0 }
}
